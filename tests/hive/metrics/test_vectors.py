"""The reference vectors: signals built from seeded noise, values from reference libraries."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from hive.metrics import get
from hive.metrics.statistics import summarise

VECTORS = Path(__file__).resolve().parents[3] / "../shared/data/metrics/vectors.json"
NAMES = (
    *("sdr_bss", "sdr_bss_i", "sdr_plain", "si_sdr", "si_sdr_i", "stoi", "prop_over"),
    *("silence_sdr", "silence_si_sdr", "silence_sdr_bss", "re_sdr", "re_si_sdr", "re_sdr_bss"),
)

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not VECTORS.exists(), reason="reference vectors are not at hand"),
]
DATA = json.loads(VECTORS.read_text()) if VECTORS.exists() else {"signals": {}, "cases": []}
CASES = {case["id"]: case for case in DATA["cases"] if case["metric"] in NAMES}


def build(name, cache={}):  # noqa: B006
    if name in cache:
        return cache[name]
    recipe = DATA["signals"][name]["recipe"]
    op = recipe["op"]
    source = build(recipe["of"]) if "of" in recipe else None
    n = recipe.get("n", None if source is None else len(source))
    if op == "noise":
        x = recipe["scale"] * np.random.default_rng(recipe["seed"]).standard_normal(n)
    elif op == "tone":
        angle = 2 * np.pi * recipe["cycles"] * np.arange(n) / n + recipe.get("phase", 0.0)
        x = recipe["amp"] * np.cos(angle)
    elif op == "zeros":
        x = np.zeros(n)
    elif op == "const":
        x = np.full(n, recipe["value"])
    elif op == "sum":
        x = sum(weight * build(term) for term, weight in recipe["terms"])
    elif op == "fir":
        x = np.convolve(source, recipe["taps"])[:n]
    elif op == "smooth":
        x = source
        for _ in range(recipe["times"]):
            x = np.convolve(x, np.ones(recipe["m"]) / recipe["m"])[:n]
    elif op == "delay":
        x = np.concatenate([np.zeros(recipe["samples"]), source])[:n]
    elif op == "am":
        envelope = 0.5 - 0.5 * np.cos(2 * np.pi * recipe["cycles"] * np.arange(n) / n)
        x = source * envelope ** recipe["power"]
    elif op == "mute":
        x = source.copy()
        x[recipe["start"] : recipe["stop"]] = 0
    elif op == "setitem":
        x = source.copy()
        x[recipe["index"]] = float(recipe["value"])
    cache[name] = x
    return x


def test_the_signals_are_the_ones_meant():
    for name, signal in DATA["signals"].items():
        x, check = build(name), signal["check"]
        x = np.nan_to_num(x, nan=0.0) if name == "nanest" else x
        assert len(x) == check["n"]
        if name != "nanest":
            assert np.sum(x**2) == pytest.approx(check["sumsq"], rel=1e-9, abs=1e-12), name
        assert x[0] == pytest.approx(check["first"], rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_vector(case):
    name, inputs, params = case["metric"], case["inputs"], dict(case["params"])
    for key in ("others", "dtype", "fs", "extended", "floor"):
        params.pop(key, None)
    if params.get("filter_length") == 512:
        del params["filter_length"]  # the default, and no setting of the derived metrics
    if name == "prop_over":
        values = [float(value) for value in inputs["values"]]
        assert get(name)(values, **params) == pytest.approx(case["expected"], abs=case["tol"])
        return
    if case["params"].get("floor") == 1e-10:
        params["compat"] = "audiosep"
    if case["params"].get("extended"):
        name = "estoi"
    if "nan" in case["id"]:
        params["on_bad"] = "nan"
    signals = {}
    for key, word in (("ref", "reference"), ("est", "estimate"), ("mix", "mixture")):
        if key in inputs:
            signals[word] = build(inputs[key])
    if "pred" in inputs:
        signals["estimate"] = build(inputs["pred"])
    if "preds" in inputs:
        signals["estimate"] = np.stack([build(one) for one in inputs["preds"]])
    if case["params"].get("dtype") == "float32":
        signals = {word: x.astype(np.float32) for word, x in signals.items()}
    value = float(get(name)(**signals, sample_rate=case["params"].get("fs"), **params))
    expected = float(case["expected"])
    if math.isfinite(expected):
        assert value == pytest.approx(expected, abs=case["tol"], rel=0)
    else:
        assert str(value) == str(expected)


def test_overall_is_the_mean_over_numbers_of_sources():
    case = next(case for case in DATA["cases"] if case["metric"] == "aggregate_overall")
    levels = case["inputs"]["per_mix"]
    rows = [(value, int(size)) for size, value in levels.items() for _ in range(int(size))]
    values, sizes = zip(*rows, strict=True)
    overall = summarise(values, range(len(rows)), sizes, decibel=True, replicates=1)[-1]
    assert overall.mean == pytest.approx(case["expected"], abs=case["tol"])


def test_spread_is_the_sample_standard_deviation():
    case = next(case for case in DATA["cases"] if case["metric"] == "aggregate_std")
    values = case["inputs"]["values"]
    summary = summarise(values, range(len(values)), [2] * len(values), decibel=True, replicates=1)
    assert summary[0].std == pytest.approx(case["expected"], abs=case["tol"])


def test_si_sdr_keeps_the_bound_that_the_plain_ratio_sets():
    """The rule of the case `gap_identity`, on every pair of signals of the vectors."""
    checked = 0
    for case in CASES.values():
        if not {"ref", "est"} <= set(case["inputs"]) or "nan" in case["id"]:
            continue
        pair = {"reference": build(case["inputs"]["ref"]), "estimate": build(case["inputs"]["est"])}
        plain, scaled = float(get("sdr_plain")(**pair)), float(get("si_sdr")(**pair))
        if 0 < plain < math.inf:
            assert scaled >= 10 * math.log10(10 ** (plain / 10) - 1) - 1e-9, case["id"]
            checked += 1
    assert checked >= 10
