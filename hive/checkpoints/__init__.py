"""Checkpoints of models: which there are, how they are fetched, converted and checked.

Published checkpoints are pickles. They are read once, with nothing but tensors allowed, and kept
as safetensors with the hashes of both sides; nothing else of Hive ever opens the pickle.
"""
