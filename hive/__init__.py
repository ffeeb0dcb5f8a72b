"""Hive: data, mixing, shards and metrics for query-based universal sound separation.

Data flows one way: sources, curation, mixing, shards; `benchmarks`, `baselines` and `leaderboard`
build on this package and it knows nothing of them. Heavy packages are imported where they are used.
"""

from hive._version import __version__

__all__ = ["__version__"]
