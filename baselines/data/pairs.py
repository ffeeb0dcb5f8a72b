"""AudioSep's mixtures: single clips, each mixed with the next one of its batch.

What is kept of the published recipe (Liu et al., "Separate anything you describe"): crops at
random places, an interferer at the target's RMS times a gain of up to 10 dB either way (the ratio
of the levels is held between 0.02 and 50), and a mixture that is scaled down with its target to a
peak of 0.9 where it would clip. What is not: the gain is one float for each mixture and epoch, not
two whole numbers of which one undoes the other; each clip has the next one of another class, so
that none is mixed with itself; and crops are taken where something is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from baselines.data.ontology import related
from hive import audio
from hive.errors import HiveError
from hive.files import sha256_json
from hive.mixing.clip_arrays import ClipArrays
from hive.mixing.crops import CropDrawer
from hive.mixing.philox import Streams
from hive.mixing.stream.dataset import Batch
from hive.mixing.stream.recipe import Ingredient, Recipe
from hive.seeding import Stream
from hive.tables import SAMPLE_RATE

_RATIOS = (0.02, 50.0)
_PEAK = 0.9


class SingleClips:
    """All clips of a split, each once an epoch, cropped at a random place, at their own levels.

    Recipes of one source for `MixtureStream` (see `hive.mixing.stream.recipe.Mixtures`).

    Args:
        clips: Clip table of the split.
        seconds: Length of the crops.
        seed: Seed of their places.

    Raises:
        HiveError: If the split has less than two clips.
    """

    endless = True
    largest = 1
    sample_rate = SAMPLE_RATE

    def __init__(self, clips: pa.Table, seconds: float, seed: int) -> None:
        if clips.num_rows < 2:
            raise HiveError(
                f"the split has {clips.num_rows} clips, of which no mixture can be made",
                "import more recordings",
            )
        clips = clips.sort_by("clip_id").combine_chunks()
        self.seconds = seconds
        self._seed = seed
        self._names = clips["clip_id"].chunk(0)
        self._crops = CropDrawer(ClipArrays.of(clips), seconds)
        self._clips = clips.select(["path", "label", "start_second", "end_second"])
        hashed = [clips[name].to_pylist() for name in ("clip_id", "pcm_sha256", "label")]
        self._identity = {"single_clips_sha256": sha256_json(hashed), "seconds": seconds}

    @property
    def clips(self) -> pa.Table:
        """Path and label of all clips."""
        return self._clips.select(["path", "label"])

    def __len__(self) -> int:
        """Number of clips."""
        return int(self._clips.num_rows)

    def identity(self) -> dict[str, Any]:
        """Return a hash of the clips, and the length of the crops."""
        return self._identity

    def recipes(self, indices: Sequence[int]) -> list[Recipe]:
        """Return the recipes of some indices: index e * len() + i is clip i in epoch e."""
        rows = np.array(indices, np.int64) % len(self)
        streams = Streams(self._seed, "clips", indices, "crops")
        starts = self._crops.draw(streams, np.arange(len(rows)), rows.astype(np.int32))
        told = self._clips.take(pa.array(rows)).to_pylist()
        return [
            Recipe(index, name, SAMPLE_RATE, None, [self._ingredient(clip, start)])
            for index, name, clip, start in zip(
                indices,
                self._names.take(pa.array(rows)).to_pylist(),
                told,
                starts.tolist(),
                strict=True,
            )
        ]

    def _ingredient(self, clip: dict[str, Any], start: float) -> Ingredient:
        chunk = clip["start_second"], clip["end_second"]
        crop = start, start + self.seconds
        return Ingredient(clip["path"], clip["label"], chunk, crop, 0.0, 1.0)


def pair(batch: Batch, snr_db: tuple[float, float], draws: Callable[[int, str], Stream]) -> Batch:
    """Mix each clip of a batch with the next one.

    Args:
        batch: A batch of single clips.
        snr_db: Range of the interferer's level relative to the target's.
        draws: Gives random numbers by index and purpose.

    Returns:
        A batch of mixtures of two sources, of which the first is the clip itself.

    Raises:
        HiveError: If the batch holds one clip, which cannot be mixed with itself.
    """
    clips, labels, ids = batch["sources"][:, 0], batch["labels"], batch["mix_id"]
    if len(clips) < 2:
        raise HiveError("a batch of one clip cannot be mixed", "take larger batches")
    names = [label for (label,) in labels]
    others = [_next(names, row) for row in range(len(names))]
    sources = np.empty((len(clips), 2, clips.shape[1]), np.float32)
    levels = [audio.rms(clip.numpy()) for clip in clips]
    for row, (other, index) in enumerate(zip(others, batch["index"].tolist(), strict=True)):
        ratio = np.clip(levels[row] / max(levels[other], 1e-9), *_RATIOS)
        gain = ratio * 10.0 ** (draws(index, "pair").uniform(*snr_db) / 20.0)
        sources[row, 0] = clips[row]
        np.multiply(clips[other].numpy(), np.float32(gain), out=sources[row, 1])
    mixture = sources.sum(axis=1)
    for row in range(len(mixture)):
        peak = audio.peak(mixture[row])
        if peak > 1.0:
            sources[row] *= np.float32(_PEAK / peak)
            mixture[row] *= np.float32(_PEAK / peak)
    return {
        **batch,
        "mixture": torch.from_numpy(mixture),
        "sources": torch.from_numpy(sources),
        "labels": [[names[row], names[other]] for row, other in enumerate(others)],
        "num_sources": torch.full((len(names),), 2),
        "mix_id": [f"{ids[row]}+{ids[other]}" for row, other in enumerate(others)],
    }


def _next(names: Sequence[str], row: int) -> int:
    """Return the next row of another class; simply the next one if there is none."""
    order = [(row + step) % len(names) for step in range(1, len(names))]
    return next((other for other in order if not related(names[row], names[other])), order[0])
