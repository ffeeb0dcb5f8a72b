"""Embeddings of sound and text, for the perceptual metrics."""
