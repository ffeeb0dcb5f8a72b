"""What the tasks ask, and their scores against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import tasks
from benchmarks.catalogue import Scale, requested, select_metrics
from benchmarks.tasks.silence import absent_labels
from hive import labels
from hive.embedding.registry import DEFAULT
from hive.errors import HiveError

RATE = 16000
META = {
    "mix_id": "m-1",
    "split": "test",
    "sources": [
        {"source_id": "s1", "label": "Dog", "recording_id": "r1"},
        {"source_id": "s2", "label": "Cat", "recording_id": "r2"},
        {"source_id": "s3", "label": "Dog", "recording_id": "r3"},
    ],
}


def _noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Noise on the grid of 16-bit samples, whose sums are exact."""
    noise = 0.1 * np.random.default_rng(seed).standard_normal(shape)
    return (np.rint(noise * 2**15) / 2**15).astype(np.float32)


def _score(task: str, mixture, sources, estimates, names: list[str]) -> tasks.Scored:
    material = tasks.Material(mixture, sources, estimates, RATE)
    return tasks.get(task).score(material, names)


def _scale(**changes) -> Scale:
    return Scale(**{"sample_rate": 44100, "model_rate": 0, "embedding": DEFAULT, **changes})


def test_unknown_task() -> None:
    with pytest.raises(HiveError, match="no task 'hvie'") as caught:
        tasks.get("hvie")
    assert "did you mean 'hive'" in caught.value.remedy


def test_hive_asks_for_every_source() -> None:
    task = tasks.get("hive")
    found = task.targets(META, seed=0, negatives=False)
    assert [(each.source_id, each.query, each.recording_id) for each in found] == [
        ("s1", "Dog", "r1"),
        ("s2", "Cat", "r2"),
        ("s3", "Dog", "r3"),
    ]
    assert all(each.negatives == () and each.has_reference for each in found)
    assert task.num_targets(3) == len(found)


def test_negatives_are_the_other_labels_once_each() -> None:
    found = tasks.get("hive").targets(META, seed=0, negatives=True)
    assert [each.negatives for each in found] == [("Cat",), ("Dog",), ("Cat",)]


def test_hive_scores_of_the_mixture_as_estimate() -> None:
    """Improvements are exactly zero, and the anchors are the scores."""
    sources = dict(zip(("s1", "s2"), _noise(2, RATE), strict=True))
    mixture = sources["s1"] + sources["s2"]
    names = ["si_sdr", "si_sdr_i", "sdr_bss", "sdr_bss_i", "sdr_plain"]
    scored = _score("hive", mixture, sources, dict.fromkeys(sources, mixture), names)
    for name in sources:
        values, anchors = scored.values[name], scored.anchors[name]
        assert values["si_sdr_i"] == 0.0
        assert values["sdr_bss_i"] == 0.0
        assert anchors == {key: values[key] for key in ("si_sdr", "sdr_plain", "sdr_bss")}
        assert values["sdr_plain"] == pytest.approx(
            10 * np.log10((sources[name] ** 2).sum() / ((mixture - sources[name]) ** 2).sum()),
            abs=1e-4,
        )


def test_anchors_stay_defined_when_the_estimate_is_silent() -> None:
    sources = dict(zip(("s1", "s2"), _noise(2, RATE), strict=True))
    mixture = sources["s1"] + sources["s2"]
    silence = dict.fromkeys(sources, np.zeros(RATE, np.float32))
    names = ["si_sdr", "si_sdr_i", "sdr_bss", "sdr_bss_i"]
    scored = _score("hive", mixture, sources, silence, names)
    assert scored.values["s1"]["si_sdr"] == -np.inf
    assert abs(scored.anchors["s1"]["sdr_bss"]) < 1
    assert abs(scored.anchors["s1"]["si_sdr"]) < 1
    assert scored.flags["s1"] == ["silent_estimate"]


def test_remix_scores_stand_on_the_first_source_only() -> None:
    sources = dict(zip(("s1", "s2"), _noise(2, RATE), strict=True))
    mixture = sources["s1"] + sources["s2"]
    scored = _score("hive", mixture, sources, sources, ["re_sdr", "re_si_sdr"])
    assert scored.values == {"s1": {"re_sdr": np.inf, "re_si_sdr": np.inf}, "s2": {}}
    half = {"s1": mixture / 2, "s2": np.zeros(RATE, np.float32)}
    scored = _score("hive", mixture, sources, half, ["re_sdr", "re_si_sdr"])
    assert scored.values["s1"]["re_sdr"] == pytest.approx(20 * np.log10(2))
    assert scored.values["s1"]["re_si_sdr"] == np.inf


def test_a_missing_track_leaves_the_remix_undefined() -> None:
    sources = dict(zip(("s1", "s2"), _noise(2, RATE), strict=True))
    mixture = sources["s1"] + sources["s2"]
    scored = _score("hive", mixture, sources, {"s2": mixture}, ["si_sdr", "re_sdr"])
    assert list(scored.values) == ["s2"]
    assert np.isnan(scored.values["s2"]["re_sdr"])


def test_one_bad_estimate_does_not_cost_the_others() -> None:
    sources = dict(zip(("s1", "s2"), _noise(2, RATE), strict=True))
    mixture = sources["s1"] + sources["s2"]
    bad = mixture.copy()
    bad[3] = np.nan
    scored = _score("hive", mixture, sources, {"s1": bad, "s2": mixture}, ["si_sdr"])
    assert list(scored.errors) == ["s1"]
    assert "estimate" in scored.errors["s1"]
    assert np.isfinite(scored.values["s2"]["si_sdr"])


def test_a_silent_source_is_undefined_and_flagged() -> None:
    sources = {"s1": _noise(RATE), "s2": np.zeros(RATE, np.float32)}
    scored = _score("hive", sources["s1"], sources, sources, ["si_sdr"])
    assert np.isnan(scored.values["s2"]["si_sdr"])
    assert scored.flags["s2"] == ["silent_estimate", "silent_reference"]


def test_absent_classes_are_unrelated_to_what_is_there() -> None:
    present = ["Dog", "Violin, fiddle"]
    absent = absent_labels(present)
    assert len(set(absent)) == len(absent) > 200
    related = {
        name for text in present for name in (text, *(s.name for s in labels.siblings(text)))
    }
    assert related.isdisjoint(absent)
    assert {*absent, *related} == {label.name for label in labels.all_labels()}


def test_an_internal_node_takes_its_classes_with_it_and_a_foreign_label_nothing() -> None:
    below = {label.name for label in labels.descendants("Domestic animals, pets")}
    assert below
    assert below.isdisjoint(absent_labels(["Domestic animals, pets"]))
    assert len(absent_labels(["some sound of mine"])) == labels.NUM_LABELS


def test_the_absent_label_depends_on_seed_and_mixture_only() -> None:
    task = tasks.get("silence")
    metas = [{**META, "mix_id": f"m-{number}"} for number in range(30)]
    first = [task.targets(meta, seed=0, negatives=False)[0].label for meta in metas]
    again = [task.targets(meta, seed=0, negatives=True)[0].label for meta in reversed(metas)]
    other = [task.targets(meta, seed=1, negatives=False)[0].label for meta in metas]
    assert first == again[::-1]
    assert first != other
    assert len(set(first)) > 20
    (target,) = task.targets(META, seed=0, negatives=True)
    assert (target.source_id, target.has_reference, target.negatives) == (
        "absent",
        False,
        ("Dog", "Cat"),
    )


@pytest.mark.parametrize(
    ("gain", "level", "rate"),
    [(1.0, 0.0, 0.0), (0.1, 20.0, 0.0), (1e-3, 60.0, 1.0), (0, np.inf, 1)],
)
def test_silence_scores_of_a_scaled_mixture(gain: float, level: float, rate: float) -> None:
    mixture = _noise(RATE).astype(np.float64)
    names = ["silence_sdr", "silent_rate"]
    scored = _score("silence", mixture, {"s1": mixture}, {"absent": gain * mixture}, names)
    assert list(scored.values["absent"]) == names
    assert scored.values["absent"]["silence_sdr"] == pytest.approx(level, abs=1e-6)
    assert scored.values["absent"]["silent_rate"] == rate


def test_shares_are_zeros_and_ones_on_the_row_of_the_mixture() -> None:
    sources = dict(zip(("s1", "s2"), _noise(2, RATE), strict=True))
    mixture = sources["s1"] + sources["s2"]
    names = ["re_si_sdr", "prop_over_si_sdr", "re_sdr_bss", "prop_over_sdr_32k"]
    for level, share in ((-40, 1.0), (0, 0.0)):
        bad = sources["s1"] + 10 ** (level / 20) * _noise(RATE, seed=9)
        scored = _score("hive", mixture, sources, {"s1": bad, "s2": sources["s2"]}, names)
        assert scored.values["s1"]["prop_over_si_sdr"] == share
        assert scored.values["s1"]["prop_over_sdr_32k"] == share
        assert (scored.values["s1"]["re_si_sdr"] > 15) == bool(share)
        assert scored.values["s2"] == {}


def test_which_metrics_a_task_takes() -> None:
    hive, silence = tasks.get("hive"), tasks.get("silence")
    found = select_metrics(hive, None, _scale())
    missing = tuple(each.metric for each in found.unavailable)
    assert sorted((*found.columns, *missing)) == sorted(hive.default_metrics)
    assert {"sdr_bss", "si_sdr_i", "stoi", "re_sdr"} <= set(found.columns)
    assert select_metrics(silence, None, _scale()).columns == silence.default_metrics
    suffixed = select_metrics(hive, ("sdr_bss_L64",), _scale()).metrics[0]
    assert suffixed.title == "SDR_L64"
    assert "filter_length=64" in suffixed.definition
    for task, name in [(hive, "silence_sdr"), (silence, "si_sdr"), (silence, "prop_over_sdr")]:
        with pytest.raises(HiveError, match=f"cannot compute metric '{name}'"):
            select_metrics(task, (name,), _scale())
    with pytest.raises(HiveError, match="no metric"):
        select_metrics(hive, ("sisdr",), _scale())


def test_presets_are_lists_of_metrics_and_every_one_resolves() -> None:
    for task in map(tasks.get, tasks.names()):
        for preset, names in task.presets.items():
            assert [each.name for each in requested(task, (preset,))] == list(names)
    found = select_metrics(tasks.get("hive"), ("clearsep-paper",), _scale())
    assert {each.identity.sample_rate for each in found.metrics} == {32_000}
    assert {each.identity.settings.get("compat") for each in found.metrics} == {
        None,
        "torchmetrics",
    }


def test_a_model_of_a_lower_rate_is_also_scored_against_band_limited_sources() -> None:
    hive = tasks.get("hive")
    columns = select_metrics(hive, None, _scale(model_rate=16_000)).columns
    assert {"sdr_bss_bl16k", "sdr_bss_i_bl16k", "si_sdr_bl16k", "si_sdr_i_bl16k"} <= set(columns)
    for rate in (0, 44_100, 48_000):
        found = select_metrics(hive, None, _scale(model_rate=rate))
        assert not [name for name in found.columns if "_bl" in name]
        found = select_metrics(hive, ("si_sdr", "si_sdr_bl"), _scale(model_rate=rate))
        assert found.columns == ("si_sdr",)
        assert "rate of the data" in found.unavailable[0].reason


def test_generative_models_get_no_waveform_metrics_unless_they_are_named() -> None:
    hive, silence = tasks.get("hive"), tasks.get("silence")
    whole = select_metrics(hive, None, _scale(model_rate=16_000))
    found = select_metrics(hive, None, _scale(model_rate=16_000, waveforms=False))
    without = {"sdr_bss", "sdr_bss_i", "si_sdr", "si_sdr_i", "sdr_plain", "stoi", "stoi_speech"}
    without |= {"re_sdr", "re_si_sdr"}
    without |= {f"{name}_bl16k" for name in ("sdr_bss", "sdr_bss_i", "si_sdr", "si_sdr_i")}
    assert {*whole.columns} - {*found.columns} == without
    left_out = [each for each in found.unavailable if "generative" in each.reason]
    assert {each.metric for each in left_out} == without
    assert all("--waveform-metrics" in each.remedy for each in left_out)

    named = select_metrics(hive, ("hive-paper", "si_sdr", "si_sdr_bl"), _scale(waveforms=False))
    assert "si_sdr" in named.columns
    assert not {"sdr_bss", "stoi"} & {*named.columns}
    # How quiet an answer is can be said of any sound.
    quiet = select_metrics(silence, None, _scale(waveforms=False))
    assert quiet.columns == silence.default_metrics
    with pytest.raises(HiveError, match="generative") as refused:
        select_metrics(hive, ("signal",), _scale(waveforms=False))
    assert "--waveform-metrics" in str(refused.value)


def test_the_id_of_a_metric_changes_with_what_its_values_depend_on() -> None:
    hive = tasks.get("hive")

    def ids(names: tuple[str, ...], **scale) -> list[str]:
        return [each.id for each in select_metrics(hive, names, _scale(**scale)).metrics]

    names = ("sdr_bss", "sdr_bss_L64", "sdr_bss_zm", "sdr_bss_tm", "sdr_bss_32k", "sdr_bss_bl16k")
    found = ids(names)
    assert len(set(found)) == len(names)
    assert ids(names) == found
    assert ids(("sdr_bss",), sample_rate=32_000)[0] == ids(("sdr_bss_32k",))[0]
    assert ids(("sdr_bss_L512", "sdr_bss_bl48k")) == [found[0]] * 2  # what changes nothing
    standin = ids(("clap_a",), embedding="standin:logmel512")
    assert standin == ids(("clap_a@standin:logmel512",))
    assert standin != ids(("clap_a@standin:htsat-random",))


def test_a_metric_that_cannot_be_computed_here_is_listed_and_not_faked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path))
    monkeypatch.delenv("HIVE_JUDGE", raising=False)
    found = select_metrics(tasks.get("hive"), ("si_sdr", "clap_a", "judge_oq"), _scale())
    assert found.columns == ("si_sdr",)
    assert [each.metric for each in found.unavailable] == ["clap_a", "judge_oq"]
    assert "hive-bench checkpoints fetch clap-music-audioset" in found.unavailable[0].remedy
    assert "--judge" in found.unavailable[1].remedy
    with pytest.raises(HiveError, match="no metric can be computed"):
        select_metrics(tasks.get("hive"), ("clap_a",), _scale())


def test_a_column_that_is_asked_for_by_two_names_is_there_once() -> None:
    names = ("si_sdr_bl", "si_sdr_bl16k", "clap_a", "clap_a@standin:logmel512")
    scale = _scale(model_rate=16_000, embedding="standin:logmel512")
    found = select_metrics(tasks.get("hive"), names, scale)
    assert found.columns == ("si_sdr_bl16k", "clap_a@standin:logmel512")


def test_standins_are_marked() -> None:
    names = ("clap_a", "lpaps", "lpaps@standin:htsat-random")
    found = select_metrics(tasks.get("hive"), names, _scale(embedding="standin:logmel512"))
    assert found.columns == ("clap_a@standin:logmel512", "lpaps@standin:htsat-random")
    assert all(each.standin and "standin:" in each.title for each in found.metrics)
    assert "no layers" in found.unavailable[0].reason


def test_stoi_of_speech_is_that_of_the_items_that_are_speech() -> None:
    sources = dict(zip(("s1", "s2"), _noise(2, RATE), strict=True))
    labels_of = {"s1": "Male speech, man speaking", "s2": "Dog"}
    mixture = sources["s1"] + sources["s2"]
    material = tasks.Material(
        mixture, sources, dict.fromkeys(sources, mixture), RATE, labels=labels_of
    )
    scored = tasks.get("hive").score(material, ["stoi", "stoi_speech"])
    assert scored.values["s1"]["stoi_speech"] == scored.values["s1"]["stoi"]
    assert "stoi_speech" not in scored.values["s2"]
