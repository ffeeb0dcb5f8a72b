"""Shipping a trained mini: what the package gets, and what must not be shipped."""

from __future__ import annotations

import csv
import json
import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from baselines.minis.ship import ATTRIBUTION, main
from baselines.pretrained import load_pretrained
from baselines.training.config import load_config
from baselines.training.run import train
from hive.errors import HiveError
from hive.pool.store import TABLE, read_pool
from hive.tables import write_table

WORLD: Any = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[1] / "training" / "world.py"))
)


def change(pool: Path, name: str, old: str, new: str) -> None:
    """Replace a value in a column of a pool's table."""
    clips, metadata = read_pool(pool)
    values = [new if value == old else value for value in clips[name].to_pylist()]
    place = clips.schema.get_field_index(name)
    bound = clips.set_column(place, clips.schema.field(place), [values])
    write_table(pool / TABLE, bound, bound.schema, metadata)


def run_in(folder: Path, pool: Path, *overrides: str) -> Path:
    settings = [*WORLD.TINY, "trainer.max_steps=1", *overrides]
    train(load_config("audiosep-mini", settings), pool, folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and the pool that it was trained on."""
    folder = tmp_path_factory.mktemp("ship")
    pool = WORLD.make_pool(folder / "POOL")
    change(pool, "attribution", "A", "Ada Byron <ada@example.org>")
    return run_in(folder / "run", pool), pool


def test_what_the_package_gets(made: tuple[Path, Path], tmp_path: Path) -> None:
    run, pool = made
    scores = tmp_path / "scores"
    scores.mkdir()
    aggregate = {"ci_low": 1.0, "ci_high": 3.0, "n": 7}
    (scores / "results.json").write_text(
        json.dumps(
            {
                "dataset": {"name": "unseen", "split": "test"},
                "aggregates": [
                    {"metric": "si_sdr_i", "group": "overall", "mean": 2.25, **aggregate},
                    {"metric": "si_sdr_i", "group": "3", "mean": None, **aggregate},
                    {"metric": "si_sdr_i", "group": "2", "mean": 2, **aggregate},
                    {"metric": "si_sdr_i", "group": "flat", "mean": 2.75, **aggregate},
                    {"metric": "loudness", "group": "overall", "mean": 2.0, **aggregate},
                ],
            }
        )
    )
    main(run, pool, scores=[scores], out=tmp_path / "weights")
    folder = tmp_path / "weights" / "audiosep-mini"
    names = {path.name for path in folder.iterdir()}
    assert {"README.md", "config.yaml", "training.json", "steps.csv", ATTRIBUTION} <= names

    shipped, trained = load_pretrained(folder), load_pretrained(run)
    assert shipped.encoder.trained.tolist() == trained.encoder.trained.tolist()
    assert int(shipped.encoder.trained.sum()) == len(WORLD.LABELS)
    for (name, value), other in zip(shipped.named_parameters(), trained.parameters(), strict=True):
        torch.testing.assert_close(value, other, rtol=2**-8, atol=0, msg=name)

    rows = list(csv.reader((folder / ATTRIBUTION).read_text().splitlines()))
    assert rows[0] == ["recording", "label", "author", "licence"]
    assert len(rows) == 1 + 2 * len(WORLD.LABELS)  # those of validation are not named
    assert {(row[2], row[3]) for row in rows[1:]} == {("Ada Byron", "CC0-1.0")}
    card = (folder / "README.md").read_text()
    assert "license: cc-by-sa-4.0" in card
    assert f"Ada Byron ({2 * len(WORLD.LABELS)} clips)" in card
    assert "value: 2.25" in card
    assert "2 sources" in card
    assert "flat" not in card
    assert "loudness" not in card
    assert "example.org" not in card


def test_what_is_no_mini_that_has_ended(made: tuple[Path, Path], tmp_path: Path) -> None:
    run, pool = made
    with pytest.raises(HiveError, match=r"training\.json is missing"):
        main(tmp_path, pool, out=tmp_path)
    record = json.loads((run / "training.json").read_text())
    for changed, told in (
        ({**record, "finished": False}, "has not ended"),
        ({**record, "config": {**record["config"], "name": "other"}}, "other is no mini"),
    ):
        (tmp_path / "training.json").write_text(json.dumps(changed))
        with pytest.raises(HiveError, match=told):
            main(tmp_path, pool, out=tmp_path)


def test_another_pool_is_refused(made: tuple[Path, Path], tmp_path: Path) -> None:
    other = WORLD.make_pool(tmp_path / "OTHER", per_split=3)
    with pytest.raises(HiveError, match="not the pool that the run was trained on"):
        main(made[0], other, out=tmp_path)


def test_recordings_that_are_not_free_are_refused(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = tmp_path / "POOL"
    shutil.copytree(made[1], pool)
    change(pool, "licence", "CC0-1.0", "CC-BY-NC-4.0")
    monkeypatch.setattr("baselines.minis.ship.differences", lambda *_: [])  # had it been that pool
    with pytest.raises(HiveError, match=r"r0-0 was trained on, whose licence does not allow"):
        main(made[0], pool, out=tmp_path)


def test_weights_of_an_earlier_run(made: tuple[Path, Path], tmp_path: Path) -> None:
    earlier, pool = made
    later = run_in(tmp_path / "later", pool, f"model.start={earlier / 'model'}")
    with pytest.raises(HiveError, match="do not fit together"):
        main(later, pool, out=tmp_path)
    with pytest.raises(HiveError, match="do not fit together"):
        main(earlier, pool, before=later, out=tmp_path)
    other = shutil.copytree(earlier, tmp_path / "other")
    record = json.loads((other / "training.json").read_text())
    record["data"]["mixtures"]["drawn_from_sha256"] = "0"
    (other / "training.json").write_text(json.dumps(record))
    with pytest.raises(HiveError, match="trained on other clips"):
        main(later, pool, before=other, out=tmp_path)

    main(later, pool, before=earlier, out=tmp_path / "weights")
    folder = tmp_path / "weights" / "audiosep-mini"
    for name in ("config.yaml", "training.json"):
        assert (folder / f"before-{name}").read_bytes() == (earlier / name).read_bytes()
    assert (folder / "before-steps.csv").read_bytes() == (earlier / "logs/steps.csv").read_bytes()
    assert "begun with" in (folder / "README.md").read_text()
    assert "a run before: step 1, after 2 mixtures" in (folder / "README.md").read_text()


def test_weights_are_averaged_with_those_of_a_run_beside(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    earlier, pool = made
    start = f"model.start={earlier / 'model'}"
    run, beside = (run_in(tmp_path / n, pool, start, f"trainer.seed={n}") for n in "12")
    with pytest.raises(HiveError, match="section model is not that of"):
        main(run, pool, before=earlier, beside=earlier, out=tmp_path)
    main(run, pool, before=earlier, beside=beside, share=0.25, out=tmp_path / "weights")
    folder = tmp_path / "weights" / "audiosep-mini"
    assert (folder / "beside-training.json").read_bytes() == (beside / "training.json").read_bytes()
    assert "share 0.25: step 1" in (folder / "README.md").read_text()
    networks = [load_pretrained(one).state_dict() for one in (folder, run, beside)]
    for name, value in networks[0].items():
        expected = networks[1][name]
        if value.is_floating_point():
            expected = 0.75 * networks[1][name] + 0.25 * networks[2][name]
        torch.testing.assert_close(value, expected, rtol=2**-7, atol=1e-6, msg=name)
