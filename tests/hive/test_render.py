from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hive import audio
from hive.errors import HiveError
from hive.mixing.render import render


def source(number: int, snr_db: float, path: str, start: float = 0.5) -> dict[str, Any]:
    return {
        "source_id": f"s{number}",
        "path": path,
        "label": "x",
        "chunk_start_second": 0.0,
        "chunk_end_second": 3.0,
        "crop_start_second": start,
        "crop_end_second": start + 2.0,
        "rms_gain": None,
        "snr_db": snr_db,
        "applied_weight": None,
    }


def mixture(sources: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "mix_id": "train-00000000",
        "num_sources": len(sources),
        "sample_rate": 44100,
        "target_duration": 2.0,
        "sources": sources,
        "global_normalization_factor": None,
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    levels=st.lists(st.floats(-5, 5), min_size=1, max_size=4),
    bits=st.sampled_from([16, 24]),
    spiky=st.booleans(),
)
def test_stored_sources_add_up_exactly_and_levels_hold(
    tmp_path: Path, seed: int, levels: list[float], bits: int, spiky: bool
) -> None:
    rng = np.random.default_rng(seed)
    sources = []
    for number, level in enumerate([0.0, *levels]):
        samples = 0.05 * rng.standard_normal(44100 * 3)
        if spiky:
            samples[:: 44100 // 2] = 0.99
        soundfile.write(tmp_path / f"{number}.wav", samples, 44100)
        sources.append(source(number + 1, level, f"{number}.wav"))
    done = render(mixture(sources), tmp_path.joinpath, bits)
    scale = 1 << (bits - 1)
    assert np.array_equal(np.sum(done.sources, axis=0), done.mixture)
    assert max(np.abs(x).max() for x in (done.mixture, *done.sources)) <= 0.95 * scale
    assert done.row["final_max_amplitude"] == np.abs(done.mixture).max() / scale
    factor = done.row["global_normalization_factor"]
    assert 0 < factor <= 1
    for number, stem in enumerate(done.sources):
        want = 0.1 * factor * 10 ** (([0.0, *levels])[number] / 20)
        assert audio.rms(stem / scale) == pytest.approx(want, rel=1e-3, abs=1 / scale)
        assert done.row["sources"][number]["pcm_sha256"] == audio.pcm_sha256(stem, bits)
    assert done.row["pcm_sha256"] == audio.pcm_sha256(done.mixture, bits)


def test_the_formula_of_the_paper(tmp_path: Path) -> None:
    """y = x_1 + 10^(SNR/20) x_2 with both at RMS 0.1, on tones whose RMS is known."""
    time = np.arange(3 * 44100) / 44100
    low, high = np.sin(2 * np.pi * 100 * time), 0.3 * np.sin(2 * np.pi * 1000 * time)
    soundfile.write(tmp_path / "a.wav", low * 0.5, 44100, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", high, 44100, subtype="FLOAT")
    row = mixture([source(1, 0.0, "a.wav"), source(2, -4.0, "b.wav")])
    done = render(row, tmp_path.joinpath)
    start = 22050
    want = 0.1 * np.sqrt(2) * (low + 10 ** (-4 / 20) * high / 0.3)[start : start + 88200]
    assert np.abs(done.mixture / 32768 - want).max() < 1.5 / 32768
    assert done.row["sources"][1]["rms_gain"] == pytest.approx(0.1 * np.sqrt(2) / 0.3, rel=1e-4)


def test_given_gains_are_used_as_they_are(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(3 * 44100, 0.25), 44100)
    row = mixture([source(1, 0.0, "a.wav") | {"rms_gain": 0.4, "applied_weight": 0.4}])
    row["global_normalization_factor"] = 0.5
    done = render(row, tmp_path.joinpath)
    assert np.all(done.mixture == round(0.25 * 0.4 * 0.5 * 32768))
    row["sources"][0]["applied_weight"] = 9.0
    with pytest.raises(HiveError, match=r"a\.wav: clips at the weight"):
        render(row, tmp_path.joinpath)


def test_a_silent_crop_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(3 * 44100), 44100)
    with pytest.raises(HiveError, match=r"a\.wav: silent between 0\.50 and 2\.50 s"):
        render(mixture([source(1, 0.0, "a.wav")]), tmp_path.joinpath)
