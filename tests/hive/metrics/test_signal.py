"""The joint pass gives what the single functions give."""

import numpy as np
import pytest

from hive.errors import HiveError
from hive.metrics import available, get
from hive.metrics.registry import is_signal
from hive.metrics.signal import signal_metrics

RATE, T = 16_000, 12_000
RNG = np.random.default_rng(12)
REFERENCES = 0.1 * RNG.standard_normal((2, 3, T)) * (1 + np.sin(np.arange(T) / 700))
MIXTURES = REFERENCES.sum(1, keepdims=True)
ESTIMATES = REFERENCES + 0.2 * (MIXTURES - REFERENCES)
NAMES = [info.name for info in available() if info.scope == "item" and is_signal(info)] + [
    "sdr_bss_L64",
    "si_sdr_i_zm",
]
SIGNALS = {
    "estimate": ESTIMATES,
    "reference": REFERENCES,
    "mixture": MIXTURES,
    "sample_rate": RATE,
}


def test_the_pass_is_the_single_functions():
    values = signal_metrics(**SIGNALS, names=NAMES)
    assert list(values) == NAMES
    for name in NAMES:
        single = get(name)(**SIGNALS)
        np.testing.assert_allclose(values[name], single, rtol=0, atol=1e-9, err_msg=name)
        assert values[name].shape == (2, 3)


def test_a_batch_is_a_loop():
    whole = signal_metrics(**SIGNALS, names=NAMES)
    for i, j in np.ndindex(2, 3):
        alone = signal_metrics(
            estimate=ESTIMATES[i, j],
            reference=REFERENCES[i, j],
            mixture=MIXTURES[i, 0],
            sample_rate=RATE,
            names=NAMES,
        )
        for name in NAMES:
            assert float(alone[name]) == pytest.approx(whole[name][i, j], abs=1e-9), name


def test_one_mixture_may_be_given_once():
    names = ["sdr_bss_i", "si_sdr_i"]
    whole = signal_metrics(**SIGNALS, names=names)
    one = signal_metrics(
        estimate=ESTIMATES[0], reference=REFERENCES[0], mixture=MIXTURES[0, 0], names=names
    )
    for name in names:
        np.testing.assert_allclose(one[name], whole[name][0], rtol=0, atol=1e-9)


def test_anchors_are_what_the_mixture_scores():
    anchors = ["sdr_bss", "sdr_plain", "si_sdr", "stoi", "estoi"]
    values = signal_metrics(**SIGNALS, names=["si_sdr", "sdr_bss_i"], anchors=anchors)
    assert list(values) == ["si_sdr", "sdr_bss_i", *(f"mixture:{name}" for name in anchors)]
    for name in anchors:
        repeated = np.broadcast_to(MIXTURES, REFERENCES.shape)
        expected = get(name)(estimate=repeated, reference=REFERENCES, sample_rate=RATE)
        np.testing.assert_allclose(values[f"mixture:{name}"], expected, rtol=0, atol=1e-9)


def test_bad_and_silent_items_leave_the_others_alone():
    estimates, references = ESTIMATES.copy(), REFERENCES.copy()
    estimates[0, 1, 5] = np.nan
    references[1, 2] = 0
    estimates[1, 0] = 0
    odd = SIGNALS | {"estimate": estimates, "reference": references}
    with pytest.raises(ValueError, match=r"estimate of item \(0, 1\)"):
        signal_metrics(**odd, names=["si_sdr"])
    values = signal_metrics(**odd, names=NAMES, on_bad="nan")
    usual = signal_metrics(**SIGNALS, names=NAMES)
    untouched = [(0, 0), (0, 2), (1, 1)]
    for name in NAMES:
        assert np.isnan(values[name][0, 1]), name
        for item in untouched:
            assert values[name][item] == pytest.approx(usual[name][item], abs=1e-9), name
    for name in ("sdr_bss", "si_sdr_i", "stoi", "sdr_plain"):
        assert np.isnan(values[name][1, 2]), name
    assert values["sdr_bss"][1, 0] == values["si_sdr_i"][1, 0] == -np.inf
    assert values["silence_sdr"][1, 0] == np.inf


def test_inputs_that_no_metric_needs_may_be_missing():
    values = signal_metrics(estimate=ESTIMATES[0], mixture=MIXTURES[0, 0], names=["silence_sdr"])
    assert values["silence_sdr"].shape == (3,)
    with pytest.raises(ValueError, match="mixture= is missing"):
        signal_metrics(estimate=ESTIMATES, reference=REFERENCES, names=["si_sdr_i"])


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="re_sdr"):
        signal_metrics(**SIGNALS, names=["si_sdr", "re_sdr"])
    with pytest.raises(ValueError, match="si_sdr_i"):
        signal_metrics(**SIGNALS, names=[], anchors=["si_sdr_i"])
    with pytest.raises(HiveError, match="si_sdr"):
        signal_metrics(**SIGNALS, names=["sisdr"])
