"""Metrics of separation quality, exactly defined.

`get` returns the function behind a name and `available` lists what there is. All functions take
keyword arguments only (`estimate=`, `reference=`, `mixture=`, `sample_rate=`) and return one value
for each leading index; `hive.metrics.signal.signal_metrics` computes several at once.
"""

from hive.metrics.info import MetricInfo
from hive.metrics.registry import available, get

__all__ = ["MetricInfo", "available", "get"]
