"""The signal metrics on a GPU: the same definitions, policies and values, many items at a time.

What takes long (correlations, Toeplitz systems, STOI) is computed in batches on the device and put
where `hive.metrics.signal` looks for it, so that odd cases are decided by the same code. What the
device cannot do well enough (singular and nearly singular references) is left to that code too.

Everything is float64, on "cuda" as on "cpu".
"""

from hive.metrics.accelerated.block import prepare

__all__ = ["prepare"]
