"""Finished runs against each other: paired differences, and which of them are beyond chance."""
