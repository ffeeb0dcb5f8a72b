"""Hundreds of pairs made of real recordings: the values are those of the libraries."""

import warnings

import numpy as np
import pytest

from hive.metrics.sdr import sdr_plain, si_sdr
from hive.metrics.sdr_bss import sdr_bss, sdr_bss_i
from hive.metrics.stoi import estoi, stoi

pytestmark = pytest.mark.shared
#: Number of pairs in the quick suite, and of further ones with `make test-slow`.
QUICK, MORE = 72, 500
COUNTS = [
    pytest.param(QUICK, 0, id="quick"),
    pytest.param(MORE, QUICK, id="more", marks=pytest.mark.slow),
]


def tolerance(value):
    return 1e-6 if value < 40 else 1e-4


def compare(pairs, ours, library, allowed=tolerance):
    """Compare on all pairs; `ours` and `library` take (estimate, reference, pair)."""
    count, values = 0, []
    for pair in pairs:
        expected = float(library(pair.estimate, pair.reference, pair))
        value = float(ours(pair.estimate, pair.reference, pair))
        assert value == pytest.approx(expected, abs=allowed(expected), rel=0), pair.name
        count, values = count + 1, [*values, value]
    assert np.ptp(values) > 0.5
    return count


def signal_metric(function):
    return lambda e, r, pair: function(estimate=e, reference=r)


def torchmetrics(name):
    torch = pytest.importorskip("torch")
    function = getattr(pytest.importorskip("torchmetrics.functional.audio"), name)
    return lambda e, r, pair: function(torch.from_numpy(e), torch.from_numpy(r))


@pytest.mark.parametrize(("count", "start"), COUNTS)
def test_sdr_of_torchmetrics(real_pairs, count, start):
    library = torchmetrics("signal_distortion_ratio")
    assert compare(real_pairs(count, start), signal_metric(sdr_bss), library) == count


@pytest.mark.parametrize(("count", "start"), COUNTS)
def test_improvement_of_torchmetrics(real_pairs, count, start):
    library = torchmetrics("signal_distortion_ratio")
    compare(
        real_pairs(count // 4, start),
        lambda e, r, pair: sdr_bss_i(estimate=e, reference=r, mixture=pair.mixture),
        lambda e, r, pair: library(e, r, pair) - library(pair.mixture, r, pair),
    )


@pytest.mark.parametrize(("count", "start"), COUNTS)
@pytest.mark.parametrize(
    ("ours", "name"),
    [
        (si_sdr, "scale_invariant_signal_distortion_ratio"),
        (sdr_plain, "signal_noise_ratio"),
    ],
)
def test_other_ratios_of_torchmetrics(real_pairs, ours, name, count, start):
    compare(real_pairs(count, start), signal_metric(ours), torchmetrics(name))


@pytest.mark.parametrize(("count", "start"), COUNTS)
def test_sdr_of_mir_eval(real_pairs, count, start):
    separation = pytest.importorskip("mir_eval.separation")

    def library(e, r, pair):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return separation.bss_eval_sources(r[None], e[None], False)[0][0]

    compare(real_pairs(count // 2, start), signal_metric(sdr_bss), library)


@pytest.mark.parametrize(("count", "start"), COUNTS)
def test_sdr_of_fast_bss_eval(real_pairs, count, start):
    library = pytest.importorskip("fast_bss_eval")
    compare(
        real_pairs(count // 2, start),
        signal_metric(sdr_bss),
        lambda e, r, pair: library.sdr(r[None], e[None])[0],
    )


@pytest.mark.parametrize(("count", "start"), COUNTS)
def test_sdr_of_musevals_sources(real_pairs, count, start):
    library = pytest.importorskip("museval.metrics")
    compare(
        real_pairs(count // 8, start),
        signal_metric(sdr_bss),
        lambda e, r, pair: library.bss_eval_sources(r[None], e[None], False)[0][0, 0],
    )


@pytest.mark.parametrize(("count", "start"), COUNTS)
@pytest.mark.filterwarnings("ignore:Not enough STFT frames")  # clicks: 1e-5 on both sides
@pytest.mark.parametrize(
    ("ours", "extended", "allowed"), [(stoi, False, 1e-9), (estoi, True, 1e-6)]
)
def test_stoi_of_pystoi(real_pairs, ours, extended, allowed, count, start):
    library = pytest.importorskip("pystoi")
    pairs = real_pairs(count if not extended else count // 2, start)
    if extended:
        # Where an estimate is silent for long, what pystoi adds to avoid division by zero decides.
        pairs = (pair for pair in pairs if "muted" not in pair.name)
    compare(
        pairs,
        lambda e, r, pair: ours(estimate=e, reference=r, sample_rate=pair.rate, compat="pystoi"),
        lambda e, r, pair: library.stoi(r, e, pair.rate, extended=extended),
        lambda value: allowed,
    )


def test_two_channels_give_two_values(real_pairs):
    """torchmetrics broadcasts over channels, as we do."""
    library = torchmetrics("scale_invariant_signal_distortion_ratio")
    sdr = torchmetrics("signal_distortion_ratio")
    pairs: dict[int, list] = {}
    for pair in real_pairs(40):
        pairs.setdefault(len(pair.reference), []).append(pair)
    checked = 0
    for left, right in (group[:2] for group in pairs.values() if len(group) > 1):
        e, r = (
            np.stack([getattr(left, name), getattr(right, name)])
            for name in ("estimate", "reference")
        )
        np.testing.assert_allclose(
            si_sdr(estimate=e, reference=r), library(e, r, left).numpy(), rtol=0, atol=1e-6
        )
        values = sdr_bss(estimate=e, reference=r)
        expected = [float(sdr(e[channel], r[channel], left)) for channel in range(2)]
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6)
        checked += 1
    assert checked >= 4
