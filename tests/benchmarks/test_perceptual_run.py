"""Runs with embeddings, whole sets, a judge and sanity rows; the networks are stand-ins."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import perception, runner
from benchmarks.dataset import chunks, open_dataset, read_chunks
from benchmarks.results import Results, read_results, read_scores
from benchmarks.runner import Settings, evaluate
from hive.embedding.extract import Extractor
from hive.embedding.registry import load
from hive.errors import HiveError
from hive.metrics import get
from hive.metrics.fad import set_metric
from hive.metrics.perceptual import perceptual_metrics, wanted

write_dataset = runpy.run_path(str(Path(__file__).with_name("conftest.py")))["write_dataset"]

EMBEDDING = "standin:htsat-random"
JUDGED = "judge_oq@standin:judge-snr"
NAMES = ("fad_pair", "lpaps", "clap_a", "fad", "fad_onewin", "fad_inf")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("HIVE_CACHE", str(folder))
    perception.extractor.cache_clear()
    return folder


def _settings(dataset: Path, out: Path, **changes: object) -> Settings:
    base = Settings(
        "mixture",
        out,
        benchmark=str(dataset),
        metrics=("si_sdr", *NAMES),
        embedding=EMBEDDING,
        examples=0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def _mean(results: Results, metric: str, group: str) -> float:
    return next(a.mean for a in results.aggregates if (a.metric, a.group) == (metric, group))


def _tables(out: Path) -> tuple[dict, list, list]:
    results = read_results(out)
    rows = read_scores(out).drop_columns(["seconds"]).to_pydict()
    return (
        rows,
        [each.model_dump() for each in results.aggregates],
        [each.model_dump() for each in results.anchors],
    )


def test_values_are_those_of_the_metrics_on_their_own(dataset: Path, tmp_path: Path) -> None:
    results = evaluate(_settings(dataset, tmp_path / "run"))
    table = read_scores(tmp_path / "run")
    rows = table.to_pylist()
    samples = [
        sample
        for _, group in read_chunks(chunks(open_dataset(str(dataset), "test").entries))
        for sample in group
    ]
    extractor = Extractor(load(EMBEDDING))
    names = ("fad_pair", "lpaps", "clap_a")
    asked = frozenset({"windows"}) | wanted(info for info in runner_infos() if info.name in names)
    vectors: dict[int, tuple[list, list, list]] = {}
    for row in rows:
        sample = next(each for each in samples if each.key == row["mix_id"])
        estimate = extractor.features(sample.mixture, 16_000, asked)
        reference = extractor.features(sample.sources[row["source_id"]], 16_000, asked)
        alone = perceptual_metrics(estimates=[estimate], references=[reference], names=names)
        for name in names:
            assert row[f"{name}@{EMBEDDING}"] == alone[name][0]
        place = vectors.setdefault(row["num_sources"], ([], [], []))
        for values, value in zip(
            place, (reference.windows, estimate.windows, row["recording_id"]), strict=True
        ):
            values.append(value)
    for size, (references, estimates, recordings) in vectors.items():
        expected = set_metric("fad", references, estimates, recordings)
        one = next(
            a for a in results.aggregates if a.metric == f"fad@{EMBEDDING}" and a.group == str(size)
        )
        assert (one.mean, one.ci_low, one.ci_high) == (expected.value, expected.low, expected.high)
        assert (one.n, one.n_windows) == (expected.n_files, expected.n_windows)
    levels = [_mean(results, f"fad@{EMBEDDING}", str(size)) for size in vectors]
    assert _mean(results, f"fad@{EMBEDDING}", "overall") == pytest.approx(np.mean(levels))
    assert f"fad@{EMBEDDING}" not in table.column_names
    assert all(check.passed for check in results.checks), results.checks


def runner_infos() -> list:
    from hive.metrics import available

    return available()


def test_every_output_marks_the_stand_in(dataset: Path, tmp_path: Path) -> None:
    results = evaluate(_settings(dataset, tmp_path / "run", limit=2))
    of_embedding = [each for each in results.metrics if each.name != "si_sdr"]
    assert len(of_embedding) == len(NAMES)
    assert all(each.standin and EMBEDDING in each.title for each in of_embedding)
    assert all(EMBEDDING in name for name in read_scores(tmp_path / "run").column_names[11:])
    assert read_scores(tmp_path / "run").column_names[10] == "si_sdr"


def test_columns_carry_the_id_of_their_metric(dataset: Path, tmp_path: Path) -> None:
    results = evaluate(_settings(dataset, tmp_path / "run", limit=2))
    schema = read_scores(tmp_path / "run").schema
    for metric in results.metrics:
        if metric.scope != "set":
            assert schema.field(metric.name).metadata == {b"metric_id": metric.id.encode()}


def test_sanity_rows(dataset: Path, tmp_path: Path) -> None:
    results = evaluate(_settings(dataset, tmp_path / "run", metrics=("si_sdr", "stoi", *NAMES)))
    rows = {(a.name, a.metric, a.group): a for a in results.anchors}
    assert {name for name, _, _ in rows} == {"mixture", "silence", "ideal_mask", "reference"}
    inf = float("inf")
    assert rows["reference", "si_sdr", "overall"].mean == inf
    assert rows["silence", "si_sdr", "2"].mean == -inf
    assert rows["reference", f"lpaps@{EMBEDDING}", "overall"].mean == 0
    assert rows["reference", f"fad@{EMBEDDING}", "flat"].mean == pytest.approx(0, abs=1e-9)
    assert rows["ideal_mask", "si_sdr", "overall"].mean > 3
    # The model is the mixture, so its row is the model's own.
    for metric in ("si_sdr", f"clap_a@{EMBEDDING}", f"fad@{EMBEDDING}"):
        for group in ("2", "3", "overall", "flat"):
            assert rows["mixture", metric, group].mean == pytest.approx(
                _mean(results, metric, group), rel=1e-6
            )
    mask = evaluate(_settings(dataset, tmp_path / "irm", model="irm"))
    for metric in ("si_sdr", f"lpaps@{EMBEDDING}", f"fad@{EMBEDDING}"):
        assert rows["ideal_mask", metric, "overall"].mean == pytest.approx(
            _mean(mask, metric, "overall"), rel=1e-6
        )


def test_workers_interruptions_and_a_warm_cache_change_nothing(
    dataset: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("si_sdr", "fad_pair", "fad_onewin", "lpaps")
    whole = _settings(dataset, tmp_path / "whole", metrics=names, limit=4)
    evaluate(whole)
    assert any(own_cache.rglob("*")), "nothing was kept"
    evaluate(replace(whole, out=tmp_path / "worker", workers=1))
    monkeypatch.setenv("HIVE_CACHE", str(tmp_path / "cold"))
    perception.extractor.cache_clear()
    monkeypatch.setattr("benchmarks.dataset.CHUNK", 1)
    stored = []
    write = runner.RunFolder.write

    def interrupted(folder, name, part):
        if len(stored) == 2:
            raise KeyboardInterrupt
        stored.append(name)
        write(folder, name, part)

    monkeypatch.setattr(runner.RunFolder, "write", interrupted)
    again = replace(whole, out=tmp_path / "again", workers=1)
    with pytest.raises(KeyboardInterrupt):
        evaluate(again)
    monkeypatch.setattr(runner.RunFolder, "write", write)
    evaluate(again)
    expected = _tables(tmp_path / "whole")
    assert _tables(tmp_path / "worker") == expected
    assert _tables(tmp_path / "again") == expected


def test_the_query_is_compared_with_the_estimate(dataset: Path, tmp_path: Path) -> None:
    name = "clap_t@standin:logmel512"
    evaluate(_settings(dataset, tmp_path / "run", metrics=(name,)))
    rows = read_scores(tmp_path / "run").to_pylist()
    extractor = Extractor(load("standin:logmel512"))
    sample = next(read_chunks(chunks(open_dataset(str(dataset), "test").entries)))[1][0]
    row = next(each for each in rows if each["mix_id"] == sample.key)
    estimate = extractor.features(sample.mixture, 16_000)
    expected = float(estimate.vector @ extractor.text(row["query"]))
    assert row[name] == pytest.approx(expected, abs=1e-6)


def test_a_judge_scores_every_item(dataset: Path, tmp_path: Path) -> None:
    names = ("judge_oq", "judge_rec", "judge_pre", "judge_fai")
    settings = _settings(dataset, tmp_path / "run", metrics=names, judge="standin:judge-snr")
    results = evaluate(settings)
    assert results.judge is not None
    assert results.judge.standin
    assert all(each.standin and each.identity.judge for each in results.metrics)
    assert [each.name for each in results.metrics] == [
        f"{name}@standin:judge-snr" for name in names
    ]
    rows = read_scores(tmp_path / "run").to_pylist()
    sample = next(read_chunks(chunks(open_dataset(str(dataset), "test").entries)))[1][0]
    for row in [each for each in rows if each["mix_id"] == sample.key]:
        for name in names:
            alone = get(name)(
                estimate=sample.mixture,
                mixture=sample.mixture,
                reference=sample.sources[row["source_id"]],
                text=row["query"],
                sample_rate=16_000,
                judge="standin:judge-snr",
            )
            assert row[f"{name}@standin:judge-snr"] == float(alone)
            assert 1 <= float(alone) <= 5


def test_what_a_judge_cannot_judge_is_missing_there_alone_and_asked_again(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hive.judge.standin import SnrJudge

    score = SnrJudge.score

    def moody(self, mixture, estimates, queries, rate, *, references=None, on_failure=None):
        values = score(self, mixture, estimates, queries, rate, references=references)
        for index, query in enumerate(queries):
            if query == "Cat":
                on_failure(index, HiveError("it is a dog person", "none"))
                values[index] = np.nan
        return values

    settings = _settings(
        dataset, tmp_path / "run", metrics=("si_sdr", "judge_oq"), judge="standin:judge-snr"
    )
    monkeypatch.setattr(SnrJudge, "score", moody)
    first = evaluate(settings)
    assert first.counts.failed == 0
    assert {(each.metric, each.error) for each in first.failures} == {
        ("judge_oq@standin:judge-snr", "it is a dog person. Remedy: none")
    }
    rows = read_scores(tmp_path / "run").to_pylist()
    cats = [row for row in rows if row["label"] == "Cat"]
    assert len(cats) == len(first.failures)
    assert all(np.isfinite(row["si_sdr"]) and np.isnan(row[JUDGED]) for row in cats)
    monkeypatch.setattr(SnrJudge, "score", score)
    second = evaluate(settings)
    assert second.failures == []
    assert not np.isnan(read_scores(tmp_path / "run")[JUDGED].to_numpy()).any()


def test_a_judge_that_is_named_and_cannot_be_used_is_told_at_once(
    dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(HiveError, match="--judge proces:x"):
        evaluate(_settings(dataset, tmp_path / "run", metrics=("judge_oq",), judge="proces:x"))
    assert not (tmp_path / "run").exists()


def test_a_metric_that_cannot_be_computed_costs_no_other(tmp_path: Path) -> None:
    long = write_dataset(tmp_path / "long", {2: 1}, seconds=10.5)
    names = ("si_sdr", "clap_a", "fad_onewin")
    results = evaluate(_settings(long, tmp_path / "run", metrics=names))
    assert results.counts.failed == 0
    assert {each.metric for each in results.failures} == {
        f"clap_a@{EMBEDDING}",
        f"fad_onewin@{EMBEDDING}",
    }
    assert "10.5" in results.failures[0].error
    assert np.isfinite(read_scores(tmp_path / "run")["si_sdr"].to_numpy()).all()
    short = write_dataset(tmp_path / "short", {2: 1}, seconds=0.02)  # below 512 taps
    settings = _settings(short, tmp_path / "run2", metrics=("si_sdr", "sdr_bss"))
    results = evaluate(settings)
    assert {each.metric for each in results.failures} == {"sdr_bss"}
    assert np.isfinite(read_scores(tmp_path / "run2")["si_sdr"].to_numpy()).all()


def test_sanity_rows_do_not_depend_on_the_model(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from baselines.reference import SilenceSeparator

    whole = evaluate(_settings(dataset, tmp_path / "whole", metrics=("si_sdr", "stoi")))
    separate = SilenceSeparator.separate

    def picky(self, mixtures, queries):
        if any(query.text == "Cat" for query in queries):
            raise RuntimeError("no cats")
        return separate(self, mixtures, queries)

    monkeypatch.setattr(SilenceSeparator, "separate", picky)
    settings = _settings(dataset, tmp_path / "picky", metrics=("si_sdr", "stoi"), model="silence")
    failing = evaluate(settings)
    assert failing.counts.failed > 0
    assert failing.anchors == whole.anchors
    assert failing.checks[-1].passed


def test_metrics_without_their_network_are_said_to_be_missing(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path / "none"))
    monkeypatch.delenv("HIVE_JUDGE", raising=False)
    results = evaluate(_settings(dataset, tmp_path / "run", metrics=None, embedding=None, limit=1))
    missing = {each.metric: each for each in results.unavailable}
    assert {"fad", "fad_pair", "lpaps", "clap_a", "clap_t", "judge_oq"} <= set(missing)
    assert "checkpoints fetch clap-music-audioset" in missing["lpaps"].remedy
    assert not any(each.metric in missing for each in results.aggregates)


def test_rows_of_limited_bands_are_limited_too(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ideal_eight.py").write_text(
        "class Ideal8:\n"
        "    sample_rate, generative, uses_reference = 8000, False, True\n"
        "    def separate(self, mixtures, queries, references):\n"
        "        return references\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("si_sdr", "si_sdr_bl", "si_sdr_i_bl")
    settings = _settings(
        dataset, tmp_path / "run", metrics=names, model="python:ideal_eight:Ideal8"
    )
    results = evaluate(settings)
    assert (read_scores(tmp_path / "run")["si_sdr_bl8k"].to_numpy() == np.inf).all()
    rows = {(a.name, a.metric, a.group): a.mean for a in results.anchors}
    assert rows["reference", "si_sdr_bl8k", "overall"] == np.inf
    assert rows["mixture", "si_sdr_i_bl8k", "overall"] == pytest.approx(0, abs=1e-9)
    assert rows["mixture", "si_sdr_bl8k", "2"] == pytest.approx(
        rows["mixture", "si_sdr", "2"], abs=1.5
    )
    assert all(check.passed for check in results.checks), results.checks
