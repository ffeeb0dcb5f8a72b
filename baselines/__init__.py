"""Separation models: reference models, adapters, and trainable baselines.

Nothing here is imported by the benchmark: models are found through entry points (`hive.models`).
"""
