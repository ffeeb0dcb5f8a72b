"""A small world: corpora with a file or two each, and metadata about them in every form.

The gains are worked out by a literal reading of the format in float64, as the Hive authors publish
them, so that metadata and audio agree.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

#: Path, label, rate, channels, seconds. Names are of the forms that the corpora use.
SOUNDS = (
    ("AudioSet/audio/eval/--PJHxphWEs.flac", "Dog", 48000, 2, 6.0),
    ("VGGSound/video/---g-f_I2yQ_000001.wav", "Male speech, man speaking", 44100, 2, 6.0),
    ("ESC50/audio/1-100032-A-0.ogg", "Rain", 44100, 1, 5.0),
    ("FSD50K/FSD50K.eval_audio/37199.wav", "Typing", 44100, 1, 3.0),
    ("FreeSound/FreeSound_flac/180913.flac", "Church bell", 22050, 1, 6.0),
    ("clothov2/evaluation/Santa Motor.wav", "Vacuum cleaner", 44100, 2, 6.0),
    ("Voicebank_DEMAND/clean_testset_wav/p232_001.wav", "Female speech", 16000, 1, 2.5),
    ("BBC_Sound_Effects/NHU05105030.mp3", "Wind", 48000, 2, 6.0),
)
ENDS = ("start", "end")
INFO = ("split", "sample_rate", "target_duration")
PARAMS = ("global_normalization_factor", "final_max_amplitude")
NUMBERS = (
    *("crop_start_second", "crop_end_second", "chunk_start_second", "chunk_end_second"),
    *("rms_gain", "snr_db", "applied_weight"),
)
SOURCE = pa.struct(
    [(name, pa.string()) for name in ("source_id", "path", "label")]
    + [(name, pa.float64()) for name in NUMBERS]
)
ROW = [
    *(("mix_id", pa.string()), ("split", pa.string()), ("sample_rate", pa.int32())),
    *(("target_duration", pa.float64()), ("num_sources", pa.int32())),
]
LAST = [(name, pa.float64()) for name in PARAMS]
LISTS = pa.schema([*ROW, ("sources", pa.list_(SOURCE)), *LAST])
STRUCTS = pa.schema(
    [
        *ROW,
        ("sources", pa.struct([(one.name, pa.list_(one.type)) for one in SOURCE])),
        *LAST,
    ]
)


@cache
def decoded(path: Path) -> tuple[np.ndarray, int]:
    return soundfile.read(path, always_2d=True)


def literal(root: Path, source: dict[str, Any], rate: int, seconds: float) -> np.ndarray:
    """What a source's fields say, word for word, without its weight; float64."""
    sides = [source[f"{part}_{end}_second"] for part in ("chunk", "crop") for end in ENDS]
    return _literal(root / source["path"], *sides, rate, seconds)


@lru_cache(maxsize=16)
def _literal(
    path: Path, begin: float, end: float, first: float, last: float, rate: int, seconds: float
) -> np.ndarray:
    sound, own = decoded(path)
    assert int(end * own) <= len(sound) + 10
    chunk = sound[int(begin * own) : int(end * own)].mean(axis=1)
    if own != rate:
        chunk = librosa.resample(chunk, orig_sr=own, target_sr=rate)
    crop = np.zeros(int(seconds * rate))
    found = chunk[int(first * rate) : int(last * rate)][: len(crop)]
    crop[: len(found)] = found
    return crop


@dataclass
class World:
    """Corpora below `root / "corpora"`, `paths` that says where they are, and flat rows."""

    root: Path
    rows: list[dict[str, Any]]

    @property
    def corpora(self) -> Path:
        return self.root / "corpora"

    @property
    def paths(self) -> Path:
        return self.write_paths("dataset_paths.json", [sound[0] for sound in SOUNDS])

    def write_paths(self, name: str, paths: list[str]) -> Path:
        names = dict.fromkeys(path.partition("/")[0] for path in paths)
        file = self.root / name
        file.write_text(json.dumps({one: str(self.corpora / one) for one in names}))
        return file

    def mixture(self, row: dict[str, Any]) -> np.ndarray:
        """The mixture that a row means, float64, full scale 1."""
        parts = [
            source["applied_weight"]
            * literal(self.corpora, source, row["sample_rate"], row["target_duration"])
            for source in row["sources"]
        ]
        return row["global_normalization_factor"] * np.sum(parts, axis=0)

    def draw(self, rng: np.random.Generator, name: str, split: str, size: int) -> dict[str, Any]:
        """A row whose gains are as the format says."""
        rate, seconds = 44100, float(rng.choice([1.0, 0.7, 1.3]))
        sources = []
        for number, sound in enumerate(rng.permutation(len(SOUNDS))[:size]):
            path, label, own, _, length = SOUNDS[sound]
            start = float(rng.uniform(0.0, length - 1.5))
            end = min(float(start + rng.uniform(1.0, 3.0)), length)
            if end == length:  # up to ten frames past the end of the file
                end += float(rng.integers(0, 11)) / own
            crop = float(rng.uniform(0.0, end - start - 0.5))
            sources.append(
                {
                    "source_id": f"s{number + 1}",
                    "path": path,
                    "label": label,
                    "crop_start_second": crop,
                    "crop_end_second": crop + seconds,
                    "chunk_start_second": start,
                    "chunk_end_second": end,
                    "snr_db": float(rng.uniform(-5, 5)) if number else 0.0,
                }
            )
        for source in sources:
            level = np.sqrt(np.mean(literal(self.corpora, source, rate, seconds) ** 2))
            source["rms_gain"] = float(0.1 / level)
            source["applied_weight"] = source["rms_gain"] * 10 ** (source["snr_db"] / 20)
        row = {
            "mix_id": name,
            "split": split,
            "sample_rate": rate,
            "target_duration": seconds,
            "num_sources": size,
            "sources": sources,
            "global_normalization_factor": 1.0,
        }
        peak = float(np.abs(self.mixture(row)).max())
        factor = min(1.0, 0.95 / peak)
        return {
            **row,
            "global_normalization_factor": factor,
            "final_max_amplitude": factor * peak,
        }

    def parquet(self, path: Path, rows: list[dict[str, Any]] | None = None) -> Path:
        """A flat table, sources as a list of structs."""
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(self.rows if rows is None else rows, LISTS), path)
        return path

    def sequences(self, path: Path) -> Path:
        """A flat table, sources as a struct of lists, as `datasets` writes a `sequence:`."""
        rows = [
            {**row, "sources": {one.name: [s[one.name] for s in row["sources"]] for one in SOURCE}}
            for row in self.rows
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, STRUCTS), path)
        return path

    def nested(self, folder: Path) -> Path:
        """Nested JSON files as in the authors' archive, two mixtures in each."""
        groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for row in self.rows:
            groups.setdefault((row["split"], row["num_sources"]), []).append(as_nested(row))
        for (split, size), found in groups.items():
            place = folder / split / f"{size}mix"
            place.mkdir(parents=True)
            for first in range(0, len(found), 2):
                name = f"{split}_{size}mix_metadata_tar{first // 2 + 1:04d}.json"
                (place / name).write_text(json.dumps(found[first : first + 2]))
        return folder


def as_nested(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "mix_id": row["mix_id"],
        "dataset_info": {name: row[name] for name in INFO},
        "sources": row["sources"],
        "mixing_params": {name: row[name] for name in PARAMS},
    }


def write_sounds(corpora: Path) -> None:
    """Seeded noise of some colour with a chirp in it, so that no two files or seconds are alike."""
    for number, (path, _, rate, channels, seconds) in enumerate(SOUNDS):
        rng = np.random.default_rng(number)
        time = np.arange(round(seconds * rate)) / rate
        tone = np.sin(2 * np.pi * (150 + 40 * number + 90 * time) * time)
        noise = np.cumsum(rng.standard_normal((len(time), channels)), axis=0)
        noise -= librosa.util.normalize(noise, axis=0).mean()
        coloured = np.diff(noise, axis=0, prepend=noise[:1])
        sound = 0.15 * tone[:, None] + 0.08 * coloured
        file = corpora / path
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, sound.clip(-0.99, 0.99), rate)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    world = World(root, [])
    write_sounds(world.corpora)
    rng = np.random.default_rng(17)
    for split, count in (("train", 1), ("val", 1), ("test", 3)):
        for size in (2, 3, 4, 5):
            # The same names again in every split and size, as published.
            names = [f"sample_{number:08d}" for number in range(count)]
            world.rows += [world.draw(rng, name, split, size) for name in names]
    return world


@pytest.fixture
def world(made: World) -> World:
    """The world, with rows of this test's own."""
    return World(made.root, copy.deepcopy(made.rows))
