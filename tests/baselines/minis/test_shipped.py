"""The small trained networks that are part of the package."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from baselines.cli import DEFAULT_MODEL, WITH_NEGATIVES
from baselines.contract import violations
from baselines.locations import SHIPPED
from baselines.minis.ship import SUMMARY
from baselines.pretrained import load_pretrained
from hive.inference import Item, Request, reproducible, separate
from hive.licences.names import normalise
from hive.main import build
from hive.metrics.sdr import si_sdr
from hive.models import load
from hive.separator import Query
from hive.shards.layout import locate
from hive.shards.read import Sample, find_shards, read_shard

NAMES = sorted(SUMMARY)
#: Well below what they have on the embedded mixtures: mean SI-SDRi, and SI-SDR against the source
#: that was asked for over that against the other one, dB.
LEAST = {"audiosep-mini": (4.0, 10.0), "clearsep-mini": (1.0, 5.0)}


@pytest.fixture(scope="module")
def pairs() -> list[Sample]:
    """The embedded mixtures of two sources."""
    (shard,) = find_shards(locate("mini"), "test")
    return [sample for sample in read_shard(shard) if len(sample.sources) == 2]


@pytest.mark.parametrize("name", NAMES)
def test_size_card_and_attributions(name: str) -> None:
    folder = SHIPPED / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 20_000_000
    model = load_pretrained(name)
    assert sum(value.numel() for value in model.parameters()) <= 8_000_000
    record = json.loads((folder / "training.json").read_text())
    assert record["finished"]
    card = (folder / "README.md").read_text()
    assert record["data_fingerprint"] in card
    assert "license: cc-by-sa-4.0" in card
    with (folder / "ATTRIBUTION.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) > 500
    for row in rows:
        assert row["author"]
        assert normalise(row["licence"])
        assert "@" not in row["author"]


@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str) -> None:
    assert violations(load(name), sample_rate=44_100) == []


@pytest.mark.parametrize("name", NAMES)
def test_another_query_gives_another_source(name: str, pairs: list[Sample]) -> None:
    """Each estimate is nearer to the source that was asked for than the mixture is."""
    model = load(name)
    won = []
    for sample in pairs:
        labels = {one["source_id"]: one["label"] for one in sample.meta["sources"]}
        requests = [
            Request(sample.mixture, Query(label), Item(sample.key, label, 0, sample.sample_rate))
            for label in labels.values()
        ]
        with reproducible():
            found = separate(model, requests, sample.sample_rate)
        for (asked, other), estimate in zip(
            (tuple(labels), tuple(reversed(labels))), found, strict=True
        ):
            right, wrong = (
                float(si_sdr(estimate=estimate.samples, reference=sample.sources[one]))
                for one in (asked, other)
            )
            before = float(si_sdr(estimate=sample.mixture, reference=sample.sources[asked]))
            won.append((right - before, right - wrong))
    gain, swap = np.mean(won, axis=0)
    assert gain > LEAST[name][0], won
    assert swap > LEAST[name][1], won


@pytest.mark.parametrize("drops", [False, True])
def test_separate_takes_one_of_them(drops: bool, tmp_path: Path, pairs: list[Sample]) -> None:
    assert sorted((DEFAULT_MODEL, WITH_NEGATIVES)) == NAMES
    sample = pairs[0]
    stereo = np.stack([sample.mixture, sample.mixture], 1)
    soundfile.write(tmp_path / "in.wav", stereo, sample.sample_rate, subtype="FLOAT")
    label, other = (one["label"] for one in sample.meta["sources"])
    words = ["separate", str(tmp_path / "in.wav"), label.lower()]
    words += ["--without", other] if drops else []
    done = CliRunner().invoke(
        build(), [*words, "-o", str(tmp_path / "out.wav"), "--residual", str(tmp_path / "rest.wav")]
    )
    assert done.exit_code == 0, done.output
    assert (WITH_NEGATIVES if drops else DEFAULT_MODEL) in done.output
    found, rest = (soundfile.read(tmp_path / name)[0] for name in ("out.wav", "rest.wav"))
    np.testing.assert_allclose(found + rest, stereo, atol=1e-4)
    np.testing.assert_array_equal(found[:, 1], found[:, 0])
    reference = sample.sources[sample.meta["sources"][0]["source_id"]]
    better = si_sdr(estimate=found[:, 0], reference=reference)
    assert better > si_sdr(estimate=sample.mixture, reference=reference) + 2.0
