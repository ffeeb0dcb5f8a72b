"""The examples of a report: which ones, their players and their spectrograms."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import spectrogram, text
from benchmarks.report.runs import Run
from benchmarks.results import RESULTS_NAME, Example
from hive.errors import HiveError
from hive.storage import open_audio

NUM_EXAMPLES = 4
MAX_SECONDS = 60
AUDIO_BUDGET = 20 * 2**20  # bytes of audio in a page; base64 adds a third


@dataclass
class Clip:
    """One signal of an example; `problem` says why there is nothing to hear or see."""

    title: str
    detail: str = ""
    audio: str = ""
    image: str = ""
    seconds: float = 0.0
    problem: str = ""
    ticks: list[tuple[str, float]] = field(default_factory=list)


@dataclass
class Shown:
    """An example: the mixture, the reference and one estimate a run."""

    label: str
    query: str
    num_sources: int
    mix_id: str
    source_id: str
    clips: list[Clip]
    first_estimate: int


def collect(runs: Sequence[Run]) -> list[Shown]:
    """Return up to four examples, those that all runs share before others.

    Raises:
        HiveError: If a run names an example file outside its folder.
    """
    found: dict[tuple[str, str], dict[int, Example]] = {}
    for index, run in enumerate(runs):
        for example in run.results.examples:
            found.setdefault((example.mix_id, example.source_id), {})[index] = example
    most = max((len(of_run) for of_run in found.values()), default=0)
    shared = [of_run for of_run in found.values() if len(of_run) == most]
    shared.sort(key=lambda of_run: _quality(next(iter(of_run.values()))))
    # From the worst to the best, evenly: a page that shows only successes says little.
    places = np.linspace(0, len(shared) - 1, min(NUM_EXAMPLES, len(shared))).round().astype(int)
    budget = _Budget()
    return [_show(runs, shared[place], budget) for place in places]


def _quality(example: Example) -> float:
    value = example.si_sdr_i
    return -np.inf if value is None or np.isnan(value) else value


def _show(runs: Sequence[Run], of_run: dict[int, Example], budget: _Budget) -> Shown:
    index, first = next(iter(of_run.items()))
    scores = runs[index].scores
    row = scores[(scores["mix_id"] == first.mix_id) & (scores["source_id"] == first.source_id)]
    folder = runs[index].folder
    sources = [("Mixture", f"{first.num_sources} sources", folder, first.mixture)]
    if first.reference is not None:
        sources.append(("Reference", "the true source", folder, first.reference))
    first_estimate = len(sources)
    for place, example in of_run.items():
        known = [("SI-SDR", example.si_sdr), ("SI-SDRi", example.si_sdr_i)]
        detail = ", ".join(
            f"{title} {text.number(value, 'dB')} dB" for title, value in known if value is not None
        )
        sources.append(
            (f"Estimate: {runs[place].name}", detail, runs[place].folder, example.estimate)
        )
    loudest = 0.0
    clips = []
    for title, detail, folder, name in sources:
        clip = Clip(title=title, detail=detail)
        clips.append(clip)
        path = inside(folder, name)
        try:
            signal, rate, data = _read(path)
        except _UnusableError as error:
            clip.problem = f"{name}: {error}"
            continue
        power = spectrogram.power(signal, rate)
        loudest = loudest or float(power.max())  # the mixture's, where it can be read
        clip.image = _data_uri("image/png", spectrogram.png(power, loudest))
        clip.ticks = spectrogram.ticks(rate)
        clip.seconds = len(signal) / rate
        if budget.take(len(data)):
            clip.audio = _data_uri("audio/flac", data)
        else:
            clip.problem = "no player: the page has reached its size limit"
    return Shown(
        label=first.label,
        query=str(row["query"].iloc[0]) if len(row) else first.label,
        num_sources=first.num_sources,
        mix_id=first.mix_id,
        source_id=first.source_id,
        clips=clips,
        first_estimate=first_estimate,
    )


def inside(folder: Path, name: str) -> Path:
    """Return the path of an example file that a run names.

    Raises:
        HiveError: If it lies elsewhere than in the folder `examples`, by its name or by a link.
    """
    home = folder.resolve() / "examples"
    path = (folder / name).resolve()
    if path.parent != home:
        raise HiveError(
            f"{folder / RESULTS_NAME}: examples: {name!r} is not a file in {folder / 'examples'}",
            "do not use this run, or remove the example",
        )
    return path


class _UnusableError(Exception):
    """An example file cannot be shown; the message says why."""


class _Budget:
    """Counts the audio that a page may still hold."""

    def __init__(self) -> None:
        self._left = AUDIO_BUDGET

    def take(self, size: int) -> bool:
        if size > self._left:
            return False
        self._left -= size
        return True


def _read(path: Path) -> tuple[NDArray[np.float64], int, bytes]:
    import soundfile

    if not path.is_file():
        raise _UnusableError("no such file")
    try:
        with open_audio(path) as source:
            info = soundfile.info(source)
        if info.format != "FLAC":
            raise _UnusableError(f"is {info.format}, not FLAC")
        if info.frames > MAX_SECONDS * info.samplerate:
            raise _UnusableError(f"longer than {MAX_SECONDS} s")
        data = path.read_bytes()
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
        return samples.mean(axis=1), rate, data
    except soundfile.LibsndfileError as error:
        raise _UnusableError(f"cannot be read ({error.error_string})") from error


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
