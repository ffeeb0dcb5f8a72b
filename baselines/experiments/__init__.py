"""Experiments of papers: networks that are trained differently, scored alike, in one table."""
