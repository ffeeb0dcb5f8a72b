"""The results file: strict JSON, its schema, and what readers refuse."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.results import (
    SCHEMA_PATH,
    Aggregate,
    Results,
    json_schema,
    read_results,
    read_scores,
)
from benchmarks.runner import Settings, evaluate
from hive.errors import HiveError


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the silence model, which has infinite scores."""
    out = tmp_path_factory.mktemp("runs") / "silence"
    evaluate(Settings("silence", out, benchmark=str(dataset), examples=2))
    return out


@pytest.fixture
def document(run: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(
        (run / "results.json").read_text(), parse_constant=lambda name: pytest.fail(name)
    )
    return value


def test_the_published_schema_is_up_to_date() -> None:
    assert json.loads(SCHEMA_PATH.read_text()) == json_schema()
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_a_run_follows_the_schema(document: dict[str, Any]) -> None:
    jsonschema.validate(document, json_schema())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["extra"], 1),
        (["schema_version"], "1.0"),
        (["counts", "items"], -1),
        (["dataset", "fingerprint"], "abc"),
        (["aggregates", 0, "mean"], "infinite"),
        (["aggregates", 0, "group"], "all"),
        (["examples", 0, "estimate"], "../../etc/passwd"),
        (["examples", 0, "estimate"], "examples/../secret"),
    ],
)
def test_schema_and_reader_refuse_the_same(
    document: dict[str, Any], tmp_path: Path, path: list[Any], value: Any
) -> None:
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_schema())
    (tmp_path / "results.json").write_text(json.dumps(document))
    with pytest.raises(HiveError) as caught:
        read_results(tmp_path)
    assert str(path[-1]) in caught.value.problem


def test_infinities_survive_as_strings(run: Path, document: dict[str, Any]) -> None:
    found = {(each["metric"], each["group"]): each for each in document["aggregates"]}
    assert found["si_sdr", "2"]["mean"] == "nan"
    assert found["si_sdr", "2"]["n_neg_inf"] == 6
    assert found["si_sdr", "2"]["mean_clipped"] == -30.0
    assert found["sdr_plain", "2"]["mean"] == 0.0
    again = read_results(run)
    (level,) = [a for a in again.aggregates if (a.metric, a.group) == ("si_sdr", "2")]
    assert math.isnan(level.mean)
    assert again.to_json() == (run / "results.json").read_text()


def test_every_kind_of_number_makes_the_round_trip() -> None:
    values = {"mean": math.inf, "ci_low": -math.inf, "ci_high": math.nan, "std": 1.5, "median": 2}
    counts = {"n": 1, "n_pos_inf": 0, "n_neg_inf": 0, "n_nan": 0}
    text = Aggregate(metric="m", group="2", mean_clipped=None, **values, **counts).model_dump_json()
    again = Aggregate.model_validate_json(text)
    assert (again.mean, again.ci_low, again.std, again.mean_clipped) == (
        math.inf,
        -math.inf,
        1.5,
        None,
    )
    assert math.isnan(again.ci_high)


def test_readers_name_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="no results there"):
        read_results(tmp_path)
    with pytest.raises(HiveError, match="no scores there"):
        read_scores(tmp_path)
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(HiveError, match=r"results\.json: the file"):
        read_results(tmp_path)
    (tmp_path / "scores.parquet").write_text("no table")
    with pytest.raises(HiveError, match="not a Parquet table"):
        read_scores(tmp_path)


def test_examples_lie_where_the_results_say(run: Path) -> None:
    import soundfile

    results: Results = read_results(run)
    assert [each.num_sources for each in results.examples] == [2, 3]
    for each in results.examples:
        assert each.si_sdr == -math.inf
        for path in (each.mixture, each.reference, each.estimate):
            info = soundfile.info(run / str(path))
            assert (info.samplerate, info.subtype) == (16000, "PCM_16")
