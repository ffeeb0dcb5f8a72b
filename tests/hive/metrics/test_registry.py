"""Names of metrics."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

from hive.errors import HiveError
from hive.metrics import available, get, registry

NOISE, OTHER = np.random.default_rng(2).standard_normal((2, 2000))


@pytest.mark.parametrize("info", available(), ids=lambda info: info.name)
def test_every_entry_leads_to_a_function_that_takes_what_it_says(info):
    function = get(info.name)
    parameters = inspect.signature(function).parameters
    takes = {"estimates": "estimate", "references": "reference"}
    assert {takes.get(one, one) for one in info.requires} <= set(parameters)
    if info.scope == "share":
        assert info.share_of in {other.name for other in available()}
    else:
        assert set(info.options) <= set(parameters)
    assert info.title
    assert info.formula
    assert info.definition.endswith(".")
    assert info.decibel == (info.unit == "dB")
    if "values" not in info.requires:
        assert {"estimate", "reference", "mixture", "sample_rate"} <= set(parameters)
        kinds = {parameter.kind for parameter in parameters.values()}
        assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_suffixes_are_settings():
    signals = {"estimate": NOISE + OTHER + 0.5, "reference": NOISE + 0.3}
    plain = get("sdr_bss")
    for name, options in (
        ("sdr_bss_L64", {"filter_length": 64}),
        ("sdr_bss_L16_d1e-06_zm", {"filter_length": 16, "load_diag": 1e-6, "zero_mean": True}),
        ("sdr_bss_d0.001", {"load_diag": 0.001}),
        ("sdr_bss_zm", {"zero_mean": True}),
    ):
        assert float(get(name)(**signals)) == float(plain(**signals, **options)), name
    improved = get("sdr_bss_i_L8")(**signals, mixture=NOISE + 2 * OTHER)
    assert np.isfinite(improved)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("si-sdr", "did you mean 'si_sdr'"),
        ("sdr_bsss", "did you mean 'sdr_bss'"),
        ("stoi_L64", "stoi"),
        ("si_sdr_L64", "si_sdr"),
        ("qqqq", "choose from sdr_bss"),
        ("", "choose from"),
    ],
)
def test_unknown_names_get_an_answer(name, hint):
    with pytest.raises(HiveError) as caught:
        get(name)
    assert hint in str(caught.value)


def test_what_suffixes_say_and_their_order():
    metric = registry.resolve("sdr_bss_i_L64_tm_bl16k_32k")
    assert metric.info.name == "sdr_bss_i"
    assert metric.options == {"filter_length": 64, "compat": "torchmetrics"}
    assert (metric.band, metric.rate, metric.compat) == (16_000, 32_000, True)
    assert metric.suffix == "_L64_tm_bl16k_32k"
    for name, canonical in (
        ("sdr_bss_L512", "sdr_bss"),
        ("sdr_bss_d1e-6_zm", "sdr_bss_d1e-06_zm"),
        ("si_sdr_32.0k", "si_sdr_32k"),
        ("si_sdr_bl", "si_sdr_bl"),
    ):
        assert registry.resolve(name).name == canonical
    assert registry.resolve("si_sdr_44.1k").rate == 44_100
    assert registry.resolve("si_sdr_bl").band == registry.OF_MODEL
    assert registry.with_band(registry.resolve("si_sdr_bl_32k"), 22_050).name == (
        "si_sdr_bl22.05k_32k"
    )


@pytest.mark.parametrize(
    "name",
    ["si_sdr_32k_zm", "stoi_tm", "fad_32k", "silence_sdr_tm", "si_sdr@x", "si_sdr_bl_bl"],
)
def test_suffixes_that_a_metric_does_not_have_are_refused(name):
    with pytest.raises(HiveError, match="there is no metric"):
        registry.resolve(name)


@pytest.mark.parametrize("name", ["sdr_bss_L0", "sdr_bss_0k", "sdr_bss_d1.2.3", "si_sdr_bl0.5k"])
def test_numbers_out_of_range_are_refused(name):
    with pytest.raises(HiveError, match=r"out of range|no metric"):
        registry.resolve(name)


def test_another_rate_is_the_same_as_resampling_all_signals_first():
    from hive.audio import resample

    rng = np.random.default_rng(4)
    signals = dict(
        zip(("estimate", "reference", "mixture"), rng.normal(size=(3, 4, 9000)) / 9, strict=True)
    )
    at_32k = {
        name: np.stack([resample(row, 44_100, 32_000) for row in rows])
        for name, rows in signals.items()
    }
    for name in ("sdr_bss_i", "si_sdr", "sdr_plain"):
        named = get(f"{name}_32k")(**signals, sample_rate=44_100)
        np.testing.assert_array_equal(named, get(name)(**at_32k, sample_rate=32_000))


def test_a_perfect_model_of_a_lower_rate_matches_the_limited_source():
    from hive.audio import fit, resample

    rng = np.random.default_rng(5)
    reference, mixture = rng.normal(size=(2, 22_050)) / 9
    perfect = fit(resample(resample(reference, 44_100, 16_000), 16_000, 44_100), 22_050)
    signals = {"estimate": perfect, "reference": reference, "mixture": mixture}
    assert get("si_sdr_bl16k")(**signals, sample_rate=44_100) == np.inf
    full = float(get("si_sdr")(**signals, sample_rate=44_100))
    # A third of white noise lies below 8 kHz of 22.05 kHz, so that much of it is kept.
    share = 8000 / 22_050
    assert full == pytest.approx(10 * np.log10(share / (1 - share)), abs=1)
    same = get("si_sdr_bl48k")(**signals, sample_rate=44_100)
    assert same == get("si_sdr")(**signals)


def test_torchmetrics_columns_are_its_values_in_float32():
    import torch
    from torchmetrics.functional import audio

    torch.set_num_threads(1)
    rng = np.random.default_rng(6)
    mixture = (rng.normal(size=8000) / 10).astype(np.float32)
    silent = np.zeros_like(mixture)
    tracks = np.stack([mixture * np.float32(0.5), mixture * np.float32(0.5)])
    mix = torch.from_numpy(mixture)
    expected = float(audio.signal_distortion_ratio(mix, mix))
    found = float(get("silence_sdr_bss_tm")(estimate=silent, mixture=mixture))
    assert found == pytest.approx(expected, abs=5)  # what rounding leaves of 1 - c
    assert 110 < found < 170
    for name, signals in (
        ("silence_si_sdr_tm", {"estimate": silent, "mixture": mixture}),
        ("re_si_sdr_tm", {"estimate": tracks, "mixture": mixture}),
    ):
        expected = float(audio.scale_invariant_signal_distortion_ratio(mix, mix))
        assert float(get(name)(**signals)) == pytest.approx(expected, abs=1e-3), name
    leak = (0.1 * rng.normal(size=8000)).astype(np.float32) * np.float32(0.1)
    left = torch.from_numpy(mixture - leak)
    found = float(get("silence_sdr_bss_tm")(estimate=leak, mixture=mixture))
    assert found == pytest.approx(float(audio.signal_distortion_ratio(left, mix)), abs=1e-5)


def test_listing_metrics_imports_no_torch():
    code = (
        "import sys; from hive.metrics import available; assert available(); "
        "print([m for m in ('torch', 'transformers', 'fadtk') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
