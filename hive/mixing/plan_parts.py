"""Draw a plan in blocks that know nothing of each other, in this process or in several.

What a block is made of (numbers of clips, starts, levels: 80 bytes a mixture) goes into a file of
its own beside the plan, so that a run that was interrupted goes on. The clips are written there
too, as arrays that all worker processes map into their memory.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from hive.claims import claim, describe
from hive.errors import HiveError
from hive.execution import Engine, run_tasks, tick
from hive.files import explained, locked, sha256_json
from hive.mixing.clip_arrays import ClipArrays
from hive.mixing.draw import Drawer, Draws
from hive.mixing.planner import Planner
from hive.mixing.settings import PlanSettings
from hive.storage import is_remote


@dataclass(frozen=True)
class Workplace:
    """A folder with the clips, and what is drawn from them.

    Attributes:
        folder: The folder.
        settings_sha256: Tells it from another that had the same name.
        settings: What to draw.
    """

    folder: Path
    settings_sha256: str
    settings: PlanSettings = field(compare=False)


@dataclass(frozen=True)
class Block:
    """Mixtures that are drawn together."""

    workplace: Workplace
    indices: range

    def __str__(self) -> str:
        return f"mixtures {self.indices.start} to {self.indices.stop - 1}"

    @property
    def file(self) -> Path:
        """Where what was drawn is kept."""
        return self.workplace.folder / f"{self.indices.start}-{self.indices.stop}.npz"


@contextmanager
def drawn(
    planner: Planner, blocks: Sequence[range], plan: Path, workers: int | None
) -> Iterator[Iterator[Draws]]:
    """Draw blocks of mixtures, but for those that an interrupted run has drawn.

    What was drawn is kept beside the plan until the context is left without an error.

    Args:
        planner: Draws the mixtures.
        blocks: Indices of each block.
        plan: The file that the plan is for.
        workers: Blocks drawn at a time; None for one a core.

    Yields:
        What was drawn, block by block.

    Raises:
        HiveError: If an interrupted run had other settings, another one is at work, or a mixture
            cannot be drawn.
    """
    if len(blocks) == 1:
        yield iter([planner.drawer.draw(blocks[0])])
    elif is_remote(plan):
        with tempfile.TemporaryDirectory(prefix="hive-plan-") as temporary:
            yield _drawn(planner, blocks, Path(temporary), workers)
    else:
        folder = plan.parent / f".{plan.name}.parts"
        with locked(folder / "lock", f"{plan}: another process is planning it"):
            yield _drawn(planner, blocks, folder, workers)
            # On a network drive the lock's file stays while it is open, and the folder with it.
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()


def _drawn(
    planner: Planner, blocks: Sequence[range], folder: Path, workers: int | None
) -> Iterator[Draws]:
    # The plan's own settings name clips and samples, but not recordings and levels.
    settings = {**planner.described, "drawn_from_sha256": planner.clips.sha256()}
    if changed := claim(folder / "settings.json", settings):
        raise HiveError(
            f"{folder}: parts of an interrupted plan with other settings\n{describe(changed)}",
            "write to another file, or remove this folder",
        )
    with explained(folder):
        planner.clips.save(folder)
    workplace = Workplace(folder, sha256_json(settings), planner.settings)
    tasks = [Block(workplace, indices) for indices in blocks]
    waiting = [task for task in tasks if not task.file.is_file()]
    run_tasks(
        draw_block,
        waiting,
        engine=Engine(workers=workers),
        title=f"Drawing {planner.settings.split}",
        total=sum(len(task.indices) for task in waiting),
    ).check("blocks of the plan")
    _drawer.cache_clear()
    return (Draws.open(task.file) for task in tasks)


def draw_block(block: Block) -> None:
    """Draw one block and keep it."""
    _drawer(block.workplace).draw(block.indices).save(block.file)
    tick(len(block.indices))


@lru_cache(maxsize=1)
def _drawer(workplace: Workplace) -> Drawer:
    """Return the drawer of this process: its tables are made once, its clips are mapped."""
    return Drawer(ClipArrays.open(workplace.folder), workplace.settings)
