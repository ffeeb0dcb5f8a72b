"""Tracks against the sources that they were made from."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.tracks_truth import judged, main, relations, rows
from hive.engine.cli import open_parts
from hive.engine.rules import Rules
from hive.engine.run import Job, decompose
from hive.engine.separation import ModelChoice, open_model
from hive.errors import HiveError
from hive.shards.layout import MIXTURES, locate
from hive.shards.read import find_shards, read_shard
from hive.tables import MIXTURE_SCHEMA, write_table

#: Gives half of the mixture, whatever is asked.
MODEL = """
class Identity:
    sample_rate, generative = 0, False

    def separate(self, mixtures, queries):
        return 0.5 * mixtures
"""
NOTHING_REFUSED = Rules(-100.0, -100.0, 0.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def mixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded mixtures as a dataset."""
    root = tmp_path_factory.mktemp("mixtures")
    (shard,) = find_shards(locate("mini"), "test")
    (root / "data/2mix").mkdir(parents=True)
    shutil.copy(shard, root / "data/2mix/test-00000-of-00001.tar")
    write_table(root / MIXTURES, [sample.meta for sample in read_shard(shard)], MIXTURE_SCHEMA)
    return root


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory, mixtures: Path) -> Path:
    """What the engine keeps where nothing is refused."""
    root = tmp_path_factory.mktemp("tracks")
    (root / "identity_separator.py").write_text(MODEL)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root))
        choice = ModelChoice("python:identity_separator:Identity")
        parts = open_parts(mixtures, "folder", "test", (), None)
        decompose(Job(root / "out", "mini", choice, NOTHING_REFUSED), parts)
        open_model.cache_clear()
    return root / "out"


def test_each_track_is_compared_with_its_source(
    tracks: Path, mixtures: Path, tmp_path: Path
) -> None:
    found = {one.mix_id: one for one in judged(tracks, mixtures, Rules())}
    assert len(found) >= 6
    for one in found.values():
        assert not one.kept
        assert one.verdict == ("correlation" if one.scores.re_sdr > 10 else "remix")
        # Parts of the mixture are as good as the mixture.
        np.testing.assert_allclose(one.improvement, 0.0, atol=1e-2)
    loose = Rules(correlation=1.0, similarity=1.0)
    kept = [one for one in judged(tracks, mixtures, loose) if one.kept]
    assert len(kept) == sum(one.scores.re_sdr > 10 for one in found.values()) > 0

    assert main([str(tracks), str(mixtures), "--out", str(tmp_path)]) == 0
    with (tmp_path / "recordings.csv").open(newline="") as handle:
        table = {row["mix_id"]: row["verdict"] for row in csv.DictReader(handle)}
    assert table == {key: one.verdict for key, one in found.items()}


def test_rows_tell_kept_from_refused(tracks: Path, mixtures: Path) -> None:
    found = list(judged(tracks, mixtures, Rules()))
    better = {"kept": True, "verdict": "independent", "improvement": [4.0, -1.0]}
    table = rows([*found[:2], *(one._replace(**better) for one in found[2:5])])
    assert table[0] == ("kept", 3, 6, "1.50", "1.50", "50%")
    assert table[1][1] == 2
    ranked = [one._replace(improvement=[one.scores.re_sdr]) for one in found]
    assert dict(relations(ranked))["re_sdr"] == "1.00"


def test_tracks_of_another_dataset(tracks: Path, tmp_path: Path) -> None:
    with pytest.raises(HiveError, match=f"is not in {tmp_path}"):
        list(judged(tracks, tmp_path, Rules()))
