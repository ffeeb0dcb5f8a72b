"""How much a contamination probe finds: `python -m benchmarks.contamination_recall MANIFEST`.

MANIFEST lists recordings (a CSV file with the columns path, from its folder, and recording_id).
Every fourth one stands for a training recording and is altered as training sets are; the others
stay beside it as they are. Sought are test clips that are made of the originals as a pool makes
them, whole (10 s) and a crop of 4 s. Printed are the shares found, by the length of the recording,
and among those whose fingerprint says enough to be found; then what was found of other recordings,
and what was found of clips played backwards. Such a table is in `docs/contamination.md`.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.random import Generator

from hive import audio, console
from hive.contamination.judge import NEEDED, reach
from hive.contamination.pieces import Item, item_rows
from hive.contamination.volumes import backwards
from hive.fingerprint import Index, fingerprint
from hive.fingerprint.codes import Codes
from hive.pool.layout import repeat
from hive.seeding import Stream
from hive.tables import SAMPLE_RATE

_CLIP, _CROP = 10 * SAMPLE_RATE, 4 * SAMPLE_RATE
_LENGTHS = ((0.0, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, np.inf))  # seconds


@dataclass(frozen=True)
class Recording:
    """A recording: mono at 44.1 kHz."""

    path: str
    recording_id: str
    samples: audio.Float

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE

    def clip(self) -> audio.Float:
        """Return 10 s of it, as a pool makes them."""
        if len(self.samples) >= _CLIP:
            return self.samples[:_CLIP]
        stream = Stream(0, "recall", self.path, "layout")
        return repeat(self.samples, _CLIP, SAMPLE_RATE, stream)[0]


Others = list[Recording]
Altered = tuple[audio.Float, int]  # samples, rate
Alter = Callable[[audio.Float, Others, Generator], Altered]


def _at_level(samples: audio.Float, level: float) -> audio.Float:
    scaled: audio.Float = samples * np.float32(level / max(audio.rms(samples), 1e-6))
    return scaled


def _coded(samples: audio.Float, rate: int, kind: tuple[str, str], level: float) -> Altered:
    buffer = io.BytesIO()
    clipped = np.clip(samples, -1.0, 1.0)
    soundfile.write(buffer, clipped, rate, kind[1], format=kind[0], compression_level=level)
    buffer.seek(0)
    decoded, rate = soundfile.read(buffer, dtype="float32")
    return decoded, rate


def _mp3(samples: audio.Float, rate: int = SAMPLE_RATE) -> Altered:
    return _coded(samples, rate, ("MP3", "MPEG_LAYER_III"), 0.9)


def _noisy(samples: audio.Float, others: Others, rng: Generator) -> Altered:
    noise = rng.standard_normal(len(samples)).astype(np.float32)
    return samples + _at_level(noise, audio.rms(samples) * 10.0 ** (-30.0 / 20.0)), SAMPLE_RATE


def _longer(samples: audio.Float, others: Others, rng: Generator) -> Altered:
    """Put a recording between 5 to 15 s and 15 s of others."""
    chosen = [others[number].samples for number in rng.integers(len(others), size=40)]
    before = np.concatenate(chosen[:12])[: int(rng.uniform(5.0, 15.0) * SAMPLE_RATE)]
    after = np.concatenate(chosen[12:])[: 15 * SAMPLE_RATE]
    return np.concatenate([_at_level(part, 0.05) for part in (before, samples, after)]), SAMPLE_RATE


def _mixed(samples: audio.Float, others: Others, rng: Generator, below: float) -> Altered:
    other = np.resize(others[rng.integers(len(others))].clip(), len(samples))
    return samples + _at_level(other, audio.rms(samples) * 10.0 ** (-below / 20.0)), SAMPLE_RATE


def _low(samples: audio.Float) -> Altered:
    return audio.resample(samples, SAMPLE_RATE, 16_000), 16_000


ALTERATIONS: dict[str, Alter] = {
    "as it was": lambda x, others, rng: (x, SAMPLE_RATE),
    "12 dB less": lambda x, others, rng: (0.25 * x, SAMPLE_RATE),
    "16 kHz": lambda x, others, rng: _low(x),
    "MP3": lambda x, others, rng: _mp3(x),
    "Vorbis": lambda x, others, rng: _coded(x, SAMPLE_RATE, ("OGG", "VORBIS"), 0.8),
    "noise at 30 dB": _noisy,
    "inside a longer file": _longer,
    "the same, at 16 kHz, as MP3": lambda x, others, rng: _mp3(*_low(_longer(x, others, rng)[0])),
    "mixed with another, 10 dB below": lambda x, others, rng: _mixed(x, others, rng, 10.0),
    "mixed with another at 0 dB": lambda x, others, rng: _mixed(x, others, rng, 0.0),
}


def read_recordings(manifest: Path) -> list[Recording]:
    """Read the recordings of a manifest in the order of their paths, without silent ones."""
    with manifest.open(encoding="utf-8", newline="") as handle:
        rows = sorted((row["path"], row["recording_id"]) for row in csv.DictReader(handle))
    found = []
    for path, recording_id in rows:
        samples, rate = audio.read(manifest.parent / path)
        mono = audio.resample(audio.to_mono(samples), rate, SAMPLE_RATE)
        if audio.rms(mono) > audio.SILENCE_RMS:
            found.append(Recording(path, recording_id, mono))
    return found


def queries(recording: Recording) -> tuple[Codes, Codes]:
    """Return the fingerprints of a test clip of 10 s and of a crop of 4 s of it with sound."""
    rng = Stream(0, "recall", recording.path, "query").generator()
    clip = recording.clip()
    starts = rng.integers(0, _CLIP - _CROP, size=16).tolist()
    level = audio.rms(clip) * 0.1
    crops = (clip[start : start + _CROP] for start in starts)
    crop = next((one for one in crops if audio.rms(one) >= level), clip[:_CROP])
    whole, part = (_stored(one, 0.1 * 10.0 ** rng.uniform(-0.25, 0.25)) for one in (clip, crop))
    return fingerprint(whole, SAMPLE_RATE), fingerprint(part, SAMPLE_RATE)


def _stored(samples: audio.Float, level: float) -> audio.Float:
    """Return samples at another level as 16-bit integers hold them."""
    scaled = _at_level(samples, level)
    scaled *= np.float32(min(1.0, 0.9 / audio.peak(scaled)))
    return (audio.to_integers(scaled) / 32768.0).astype(np.float32)


def training_codes(samples: audio.Float, rate: int) -> list[Codes]:
    """Return the fingerprints that a probe takes of a training file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        soundfile.write(path, samples, rate, subtype="FLOAT")
        return [np.array(row["codes"], np.uint32) for row in item_rows(Item("", "", str(path)))]


def measure(recordings: list[Recording], every: int) -> None:
    """Print a table of what is found."""
    targets = recordings[::every]
    others = [one for number, one in enumerate(recordings) if number % every]
    sought = [queries(one) for one in targets]
    seconds = np.array([one.seconds for one in targets])
    groups = [(seconds >= low) & (seconds < high) for low, high in _LENGTHS]
    beside = [(codes, one) for one in others for codes in training_codes(one.samples, SAMPLE_RATE)]
    rows = []
    for name, alter in ALTERATIONS.items():
        entries = list(beside)
        for one in targets:
            rng = Stream(0, "recall", one.path, name).generator()
            codes = training_codes(*alter(one.samples, others, rng))
            entries += [(part, one) for part in codes]
        index = Index([codes for codes, _ in entries])
        for place, length in enumerate(("10 s", "4 s")):
            found = [
                [entries[match.entry][1] for match in index.find(codes[place], thorough=True)]
                for codes in sought
            ]
            hit = np.array([one in these for one, these in zip(targets, found, strict=True)])
            judged = np.array([reach(codes[place]) >= NEEDED for codes in sought])
            wrong = sum(
                len({other.path for other in these if other.recording_id != one.recording_id})
                for one, these in zip(targets, found, strict=True)
            )
            turned = sum(
                bool(index.find(backwards(codes[place]), thorough=True)) for codes in sought
            )
            shares = [f"{hit[group].mean():.2f}" if group.any() else "" for group in groups]
            shares += [f"{hit.mean():.2f}", f"{hit[judged].mean():.2f}"]
            rows.append((name, length, *shares, wrong, turned))
    told = f"{len(targets)} of {len(recordings)} recordings, by length: "
    console.say(told + ", ".join(str(int(group.sum())) for group in groups))
    header = ["training recording", "crop", "to 1 s", "1 to 2", "2 to 4", "over 4", "all", "judged"]
    header += ["others", "backwards"]
    for cells in (header, ["---"] * len(header), *rows):
        console.say(f"| {' | '.join(map(str, cells))} |")


def main(arguments: list[str]) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--every", type=int, default=4, help="one of so many is sought")
    options = parser.parse_args(arguments)
    measure(read_recordings(options.manifest), options.every)


if __name__ == "__main__":
    main(sys.argv[1:])
