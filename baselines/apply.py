"""Using a model on a recording of one's own.

A model that derives from `baselines.adapter.Adapter` works on recordings of any length in bounded
memory: blocks are read, resampled, cut into windows, separated, joined, resampled back and written
as they go by, with the result of doing it in one piece. Other models get the recording whole.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from baselines.adapter import Adapter
from baselines.channels import Channels
from baselines.recording import KINDS, Recording, Resampler, Writer, energy, writing
from hive.audio import Float
from hive.errors import HiveError
from hive.inference import (
    Item,
    Request,
    batch_limit,
    item_seed,
    reproducible,
    resolve_device,
)
from hive.inference import separate as run_model
from hive.models import AnySeparator, load
from hive.separator import Query

if TYPE_CHECKING:
    from torch import Tensor

Advance = Callable[[float, float], None]


@dataclass(frozen=True)
class Separated:
    """What was done to a recording.

    Attributes:
        output: File with what the query names.
        residual: File with the rest, the recording minus the output; None if none was asked for.
        query: What was asked for.
        taken_for: What the model took the texts of query and negatives for, by text.
        negatives: What was to be dropped.
        negatives_were: "native" (used by the network), "emulated" (taken out of the mixture first),
            None if there were none or the model does not say.
        model: Its name.
        seconds: Length of the recording.
        sample_rate: Its rate, Hz.
        channels: Channels of the output.
        level_db: Level (RMS) of the output over that of the input, dB; None if either is silent.
        clipped: Samples of output and residual beyond full scale, which FLAC cannot hold and which
            were clipped; 0 for WAV.
        elapsed: Seconds that it took, without loading the model.
    """

    output: str
    residual: str | None
    query: str
    taken_for: dict[str, str]
    negatives: tuple[str, ...]
    negatives_were: str | None
    model: str
    seconds: float
    sample_rate: int
    channels: int
    level_db: float | None
    clipped: int
    elapsed: float


@dataclass(frozen=True)
class Job:
    """What to separate, and how.

    Attributes:
        source: Audio file.
        target: File to write: WAV (32-bit float) or FLAC (24-bit), by its suffix.
        query: The sound to keep.
        model: Specification of the model.
        negatives: Sounds to drop.
        residual: File for what is left of the recording, likewise; None for none.
        channels: What to make of several channels.
        options: Options of the model.
        device: Torch device, or "auto".
        seed: Seed of models that draw random numbers.
    """

    source: Path
    target: Path
    query: str
    model: str
    negatives: tuple[str, ...] = ()
    residual: Path | None = None
    channels: Channels = Channels.each
    options: dict[str, str] = field(default_factory=dict)
    device: str = "auto"
    seed: int = 0


def separate_file(job: Job, advance: Advance = lambda now, whole: None) -> Separated:
    """Separate a file into a file of equal rate and length, channel by channel unless told else.

    Args:
        job: What to do.
        advance: Is told how many seconds of the recording are done, and how many there are.

    Returns:
        What was done.

    Raises:
        HiveError: If the input cannot be read, the output cannot be written or would replace the
            input, the model needs the true source or takes no negatives, or it fails.
    """
    recording = _check(job)
    place = resolve_device(job.device)
    separator = load(job.model, device=place, options=job.options)
    try:
        taken_for = _understand(job, separator)
        started = time.perf_counter()
        with _failures(job):
            sums = _run(job, recording, separator, place, advance)
    finally:
        if hasattr(separator, "close"):
            separator.close()
    return Separated(
        output=str(job.target),
        residual=str(job.residual) if job.residual else None,
        query=job.query,
        taken_for=taken_for,
        negatives=job.negatives,
        negatives_were=_policy(separator) if job.negatives else None,
        model=getattr(separator, "name", job.model),
        seconds=recording.seconds,
        sample_rate=recording.sample_rate,
        channels=recording.channels,
        level_db=sums.level_db,
        clipped=sums.clipped,
        elapsed=time.perf_counter() - started,
    )


def _check(job: Job) -> Recording:
    """Find what is wrong before a model is loaded."""
    if not job.query.strip() or not all(text.strip() for text in job.negatives):
        raise HiveError("a query is empty", "name the sound to keep, and those to drop")
    outputs = [job.target] + ([job.residual] if job.residual else [])
    for path in outputs:
        if path.suffix.lower() not in KINDS:
            raise HiveError(f"{path}: cannot write this kind of file", "name it .wav or .flac")
        if path.is_dir():
            raise HiveError(f"{path}: is a folder", "name a file to write")
    recording = Recording(job.source, job.channels)
    for path in outputs:
        if path.exists() and path.samefile(job.source):
            raise HiveError(f"{path}: is the input", "name another file to write")
    if len(outputs) == 2 and outputs[0].resolve() == outputs[1].resolve():
        raise HiveError(f"{job.target}: is to hold output and residual", "name two files")
    return recording


def _understand(job: Job, separator: AnySeparator) -> dict[str, str]:
    """Return what the texts are taken for."""
    if getattr(separator, "uses_reference", False):
        raise HiveError(
            f"model {job.model} needs the true source, which only a benchmark has",
            "choose a model that is no oracle, see hive-bench models",
        )
    if job.negatives and not getattr(separator, "takes_negatives", False):
        raise HiveError(f"model {job.model} takes no negative queries", "leave out --without")
    texts = (job.query, *job.negatives)
    if isinstance(separator, Adapter):
        return {text: separator.meaning(text) for text in texts}
    return {text: text for text in texts}


def _policy(separator: AnySeparator) -> str | None:
    return separator.facts.negatives if isinstance(separator, Adapter) else None


@contextlib.contextmanager
def _failures(job: Job) -> Iterator[None]:
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise HiveError(
            f"model {job.model} failed on {job.source}: {error}",
            "try a shorter file or another device",
        ) from error


class _Sums:
    """Writes estimates and residuals side by side, and adds up how loud they are."""

    def __init__(self, output: Writer, residual: Writer | None) -> None:
        self._output, self._residual = output, residual
        self._given: deque[Float] = deque()  # of the recording, what has no estimate yet
        self._energy = 0.0

    def give(self, samples: Float) -> None:
        """Take the next samples of the recording, shape (n, channels)."""
        self._energy += energy(samples)
        if self._residual is not None:
            self._given.append(samples)

    def take(self, estimate: Float) -> None:
        """Write the next samples of the estimate, shape (n, channels)."""
        if not np.isfinite(estimate).all():
            raise ValueError("the estimate holds NaN or infinity")
        self._subtract(self._output.write(estimate))

    def finish(self) -> None:
        """Write what the estimate came short of."""
        self._subtract(self._output.finish())

    def _subtract(self, written: Float) -> None:
        if self._residual is None:
            return
        while len(written):
            given = self._given.popleft()
            count = min(len(given), len(written))
            self._residual.write(given[:count] - written[:count])
            written = written[count:]
            if count < len(given):
                self._given.appendleft(given[count:])

    @property
    def level_db(self) -> float | None:
        """Level of the output over that of the recording, dB."""
        if not self._energy or not self._output.energy:
            return None
        return 10.0 * math.log10(self._output.energy / self._energy)

    @property
    def clipped(self) -> int:
        """Samples of both files that were clipped."""
        return self._output.clipped + (self._residual.clipped if self._residual else 0)


def _run(
    job: Job, recording: Recording, separator: AnySeparator, place: str, advance: Advance
) -> _Sums:
    shape = recording.sample_rate, recording.channels, recording.frames
    # One seed for all channels, so that a model that draws keeps the stereo image.
    seed = item_seed(job.seed, job.source.stem, job.query)
    item = Item(job.source.stem, "s1", seed, recording.sample_rate)
    query = Query(job.query, job.negatives)
    with contextlib.ExitStack() as files:
        output = files.enter_context(writing(job.target, *shape))
        residual = files.enter_context(writing(job.residual, *shape)) if job.residual else None
        sums = _Sums(output, residual)
        with reproducible():
            if isinstance(separator, Adapter):
                _stream(separator, recording, query, item, sums, advance)
            else:
                _whole(separator, recording, query, item, sums, place)
                advance(recording.seconds, recording.seconds)
        sums.finish()
    return sums


def _stream(
    adapter: Adapter,
    recording: Recording,
    query: Query,
    item: Item,
    sums: _Sums,
    advance: Advance,
) -> None:
    import torch

    rate, channels = recording.sample_rate, recording.channels
    there = Resampler(rate, adapter.sample_rate, channels)
    back = Resampler(adapter.sample_rate, rate, channels)

    def blocks() -> Iterator[Tensor]:
        for samples in recording.blocks():
            sums.give(samples)
            yield torch.from_numpy(np.ascontiguousarray(there.push(samples).T))
        yield torch.from_numpy(np.ascontiguousarray(there.end().T))

    estimates = adapter.separate_blocks(blocks(), [query] * channels, [item] * channels)
    done = 0
    for estimate in estimates:
        sums.take(back.push(estimate.numpy().T))
        done += estimate.shape[-1]
        advance(done / adapter.sample_rate, recording.seconds)
    sums.take(back.end())


def _whole(
    separator: AnySeparator,
    recording: Recording,
    query: Query,
    item: Item,
    sums: _Sums,
    place: str,
) -> None:
    samples = np.concatenate(list(recording.blocks()))
    sums.give(samples)
    requests = [Request(np.ascontiguousarray(channel), query, item) for channel in samples.T]
    size = batch_limit(separator, len(requests))
    estimates = [
        estimate.samples
        for start in range(0, len(requests), size)
        for estimate in run_model(
            separator, requests[start : start + size], recording.sample_rate, place
        )
    ]
    sums.take(np.stack(estimates, axis=1))
