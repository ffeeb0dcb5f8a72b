"""A run for tests, of seeded numbers and tones: no model, no data set and no score is real."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile

from benchmarks.results import ROW_SCHEMA, Results, write_results
from hive.files import sha256_json
from hive.metrics.identity import Identity, identify
from hive.metrics.registry import resolve
from hive.metrics.statistics import Summary, summarise

TITLES = {
    "sdr_bss": "SDR",
    "sdr_bss_i": "SDRi",
    "si_sdr": "SI-SDR",
    "si_sdr_i": "SI-SDRi",
    "stoi": "STOI",
    "re_si_sdr": "Re-SISDR",
}
UNITS = {name: "" if name == "stoi" else "dB" for name in TITLES}
ANCHORS = [
    ("silence", "si_sdr", 0, -np.inf),
    ("silence", "stoi", 60, 0.0),
    ("ideal_mask", "si_sdr", 60, 11.5),
    ("reference", "si_sdr", 0, np.inf),
    ("reference", "stoi", 60, 1.0),
]
LABELS = [f"Label {index:02d}" for index in range(40)]


def make_run(
    folder: Path,
    *,
    name: str = "made-up",
    shift: float = 0.0,
    mixtures: int = 30,
    examples: int = 0,
    labels: list[str] = LABELS,
    uses_reference: bool = False,
) -> Path:
    """Write a consistent run: `mixtures` of each size, scores `shift` dB above the usual."""
    rng = np.random.default_rng(0)  # the same items for every model
    own = np.random.default_rng(sum(name.encode()))
    rows = []
    for size in (2, 3, 4, 5):
        for mixture in range(mixtures):
            for source in range(size):
                before = rng.normal(-10 * np.log10(size - 1), 3)
                label = int(rng.integers(len(labels)))
                clip = int(rng.integers(2 * mixtures))
                gain = 6 - 0.8 * size + 0.1 * label + shift + own.normal(0, 2.5)
                si_sdr = before + gain
                filtered = abs(own.normal(1.0, 0.3))
                rows.append(
                    {
                        "task": "hive",
                        "mix_id": f"test-{size}mix-{mixture:06d}",
                        "source_id": f"s{source + 1}",
                        "num_sources": size,
                        "label": labels[label],
                        "query": labels[label].lower(),
                        "negatives": [],
                        "recording_id": f"recording-{label}-{clip % 3}",
                        "seconds": 0.1,
                        "flags": [],
                        "si_sdr": si_sdr,
                        "si_sdr_i": gain,
                        "sdr_bss": si_sdr + filtered,
                        "sdr_bss_i": gain + filtered - 0.1,
                        "stoi": 1 / (1 + np.exp(-si_sdr / 8)),
                        "re_si_sdr": None if source else gain + 3,  # one value a mixture
                    }
                )
    rows[2]["stoi"] = np.nan
    rows[3] |= {
        "flags": ["silent_estimate"],
        "si_sdr": -np.inf,
        "si_sdr_i": -np.inf,
        "sdr_bss": -np.inf,
        "sdr_bss_i": -np.inf,
        "stoi": 0.0,
    }
    schema = pa.schema([*ROW_SCHEMA, *((metric, pa.float64()) for metric in TITLES)])
    shown = [_example(folder, rows[7 * index], index) for index in range(examples)]
    write_results(
        folder,
        _results(rows, name, uses_reference, shown),
        pa.Table.from_pylist(rows, schema=schema),
    )
    return folder


def _results(rows: list[dict], name: str, uses_reference: bool, examples: list[dict]) -> Results:
    def summaries(values: list[float | None], decibel: bool) -> list[Summary]:
        there = [(value, row) for value, row in zip(values, rows, strict=True) if value is not None]
        return summarise(
            [value for value, _ in there],
            [row["recording_id"] for _, row in there],
            [row["num_sources"] for _, row in there],
            decibel=decibel,
        )

    aggregates = [
        {"metric": metric, **vars(one)}
        for metric, unit in UNITS.items()
        for one in summaries([row[metric] for row in rows], unit == "dB")
    ]
    with np.errstate(invalid="ignore"):
        anchors = [
            {"name": "mixture", "metric": metric, "group": one.group, "n": one.n, "mean": one.mean}
            for metric in ("sdr_bss", "si_sdr")
            for one in summaries([row[metric] - row[f"{metric}_i"] for row in rows], True)
        ]
    anchors += [
        {"name": anchor, "metric": metric, "group": group, "n": n, "mean": mean}
        for anchor, metric, n, mean in ANCHORS
        for group in ("2", "3", "4", "5", "overall", "flat")
    ]
    settings = {
        "seed": 0,
        "batch_size": 4,
        "device": "cpu",
        "queries": "positive",
        "metrics": list(TITLES),
        "embedding": "clap-music-audioset",
        "judge": None,
        "options": {},
        "resampler": "soxr HQ",
        "length_policy": "cut or pad at the end",
        "examples": len(examples),
    }
    return Results.model_validate(
        {
            "created": "2025-01-02T03:04:05Z",
            "hive_version": "0.0.0",
            "task": "hive",
            "dataset": {
                "name": "fixture",
                "path": "fixture",
                "split": "test",
                "fingerprint": "ab" * 32,
                "num_mixtures": len({row["mix_id"] for row in rows}),
                "num_items": len(rows),
                "sample_rate": 44100,
                "limit": None,
            },
            "model": {
                "name": name,
                "spec": name,
                "sample_rate": 32000,
                "generative": False,
                "uses_reference": uses_reference,
                "checkpoint_sha256": None,
                "details": {"parameters": 1},
            },
            "settings": settings,
            "settings_hash": sha256_json(settings),
            "versions": {"python": "3.11.0", "numpy": "1.26.4"},
            "machine": {"platform": "Linux", "cpu": "made up", "threads": 1, "gpu": None},
            "metrics": [
                {
                    "name": metric,
                    "title": TITLES[metric],
                    "unit": UNITS[metric],
                    "higher_is_better": True,
                    "definition": f"How {TITLES[metric]} is defined.",
                    "formula": "e / r",
                    "source": "a paper",
                    "scope": "mixture" if metric == "re_si_sdr" else "item",
                    "standin": False,
                    "published": True,
                    "id": _identity(metric).id,
                    "identity": asdict(_identity(metric)),
                    "versions": {"numpy": "1.26.4"},
                }
                for metric in TITLES
            ],
            "unavailable": [
                {"metric": "clap_t", "reason": "no checkpoint", "remedy": "download it"}
            ],
            "judge": None,
            "aggregates": aggregates,
            "anchors": anchors,
            "counts": {
                "items": len(rows),
                "failed": 0,
                "length_fixed": 0,
                "silent_estimates": 1,
                "silent_references": 0,
            },
            "failures": [],
            "checks": [{"name": "sdr_bss >= si_sdr", "passed": True, "detail": "all items"}],
            "examples": examples,
        }
    )


def _identity(metric: str) -> Identity:
    return identify(resolve(metric), 44100)


def _example(folder: Path, row: dict, index: int) -> dict:
    (folder / "examples").mkdir(parents=True, exist_ok=True)
    rate, seconds = 44100, 2.0
    time = np.arange(int(rate * seconds)) / rate
    target = 0.2 * np.sin(2 * np.pi * (300 + 100 * index) * time * (1 + time))
    noise = 0.05 * np.random.default_rng(index).normal(size=len(time))
    signals = {"mixture": target + noise, "reference": target, "estimate": target + 0.3 * noise}
    paths = {kind: f"examples/{index}-{kind}.flac" for kind in signals}
    for kind, signal in signals.items():
        soundfile.write(folder / paths[kind], signal, rate, subtype="PCM_16")
    keys = ("mix_id", "source_id", "num_sources", "label", "si_sdr", "si_sdr_i")
    return {key: row[key] for key in keys} | paths
