"""Running a list of independent tasks: here, in local worker processes, or on a Ray cluster.

Tasks know only their own piece of work; what runs them (`run_tasks`) knows only tasks; and where
they run is a back end's business (`hive.execution.backend`).
"""

from hive.execution.engine import Engine, Share
from hive.execution.run import Outcome, run_tasks
from hive.execution.ticks import tick

__all__ = ["Engine", "Outcome", "Share", "run_tasks", "tick"]
