"""The benchmark: tasks, the runner, results and tables.

Models are found through the registry of `hive.models`; nothing here imports a particular one.
"""
