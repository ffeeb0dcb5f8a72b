"""Run a module of the benchmarks as if some packages were not installed: `hiding.py MODULE ...`.

Packages to hide come from the environment variable HIDDEN, joined by commas.
"""

from __future__ import annotations

import os
import runpy
import sys

HIDDEN = os.environ["HIDDEN"].split(",")


class _Hiding:
    """A finder of modules that does not find some."""

    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            return None
        return self._finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self._finder, name)


if __name__ == "__main__":
    sys.meta_path[:] = [_Hiding(finder) for finder in sys.meta_path]
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
