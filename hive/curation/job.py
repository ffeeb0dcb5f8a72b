"""What a run of the curation is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hive.curation.leaf_label import Disagreement
from hive.curation.parts import Work
from hive.execution.engine import Engine, Share
from hive.llm.vote import SAMPLES
from hive.pool.layout import Short as Fill
from hive.sources.corpus import Short
from hive.tagging.coarse import THRESHOLD

#: What `--skip` takes: stages, and the part of standardise that needs a model.
SUPER_RESOLUTION = "super_resolution"
SKIPPABLE = ("single_label", "single_event", "coarse_tag", "leaf_label", SUPER_RESOLUTION)


@dataclass(frozen=True)
class Job:
    """One corpus and how it is curated.

    Attributes:
        corpus: Name of the corpus, the first part of paths in the pool.
        root: Its root.
        pool: The pool.
        short: What becomes of recordings that do not fill a window.
        fill: How a clip shorter than 10 s fills them.
        licences: Rules of `--allow-licence`.
        samples: Answers that the language model gives to a question.
        threshold: Least confidence of the tagger.
        disagreement: Who is right where corpus and model name different classes.
        seed: Seed of the layout of short clips.
        skip: Stages that are left out.
        llm: Specification of the language model; None for what the environment says.
        tagger: Specification of the tagger, likewise.
        restorer: Specification of the super-resolution, likewise.
        device: Torch device of the super-resolution.
        give_up: Whether segments that could not be asked about are rejected.
        engine: Who runs the stages that compute.
        share: Which parts of the corpus are this job's, of several that curate it together.
    """

    corpus: str
    root: Path
    pool: Path
    short: Short
    fill: Fill = Fill.REPEAT
    licences: tuple[str, ...] = ()
    samples: int = SAMPLES
    threshold: float = THRESHOLD
    disagreement: Disagreement = Disagreement.RELABEL
    seed: int = 0
    skip: frozenset[str] = frozenset()
    llm: str | None = None
    tagger: str | None = None
    restorer: str | None = None
    device: str = "cpu"
    give_up: bool = False
    engine: Engine = field(default_factory=Engine)
    share: Share = field(default_factory=Share)

    @property
    def work(self) -> Work:
        """Where its tables are."""
        return Work(self.pool, self.corpus, alone=self.share.whole)
