"""Names of metrics."""

import dataclasses
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
    takes = {"estimates": "estimate"}
    assert {takes.get(one, one) for one in info.requires} <= set(parameters)
    assert set(info.options) <= set(parameters)
    assert info.available
    assert info.reason == info.remedy == ""
    assert info.title
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


def test_a_missing_package_is_named(monkeypatch):
    info = dataclasses.replace(available()[0], name="made_up", needs=("scipy", "no_such_package"))
    monkeypatch.setitem(registry._METRICS, "made_up", info)
    assert not info.available
    with pytest.raises(HiveError, match="no_such_package") as caught:
        get("made_up")
    assert "pip install no_such_package" in str(caught.value)


def test_listing_metrics_imports_no_arrays():
    code = (
        "import sys; from hive.metrics import available; assert available(); "
        "print([m for m in ('torch', 'numpy', 'scipy') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
