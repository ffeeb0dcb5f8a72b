"""Reference models against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.reference import (
    HOP,
    WINDOW,
    IdealBinaryMask,
    IdealRatioMask,
    MixtureSeparator,
    PhaseSensitiveMask,
    SilenceSeparator,
)
from hive.separator import OracleSeparator, Query, Separator

ORACLES = [IdealRatioMask, IdealBinaryMask, PhaseSensitiveMask]
RATE = 44100


def _snr(estimate: torch.Tensor, reference: torch.Tensor) -> float:
    error = (estimate - reference).double().square().sum()
    return float(10 * torch.log10(reference.double().square().sum() / error))


def _queries(count: int) -> list[Query]:
    return [Query("Dog")] * count


def _tones(*bins: int) -> torch.Tensor:
    """Sum of sinusoids in the middle of analysis bins, with silent ends."""
    time = torch.arange(RATE, dtype=torch.float64)
    tone = sum(torch.sin(2 * torch.pi * k / WINDOW * time) for k in bins)
    fade = torch.zeros(RATE, dtype=torch.float64)
    fade[4096:-4096] = torch.hann_window(RATE - 8192, dtype=torch.float64)
    return (0.1 * tone * fade).float()[None]


def test_protocols() -> None:
    for kind in (MixtureSeparator, SilenceSeparator):
        assert isinstance(kind(), Separator)
        assert kind().sample_rate == 0
    for kind in ORACLES:
        assert isinstance(kind(), OracleSeparator)
        assert kind().uses_reference is True


def test_mixture_and_silence() -> None:
    mixtures = torch.randn(2, 1000)
    same = MixtureSeparator().separate(mixtures, _queries(2))
    assert torch.equal(same, mixtures)
    assert same.data_ptr() != mixtures.data_ptr()
    assert not SilenceSeparator().separate(mixtures, _queries(2)).any()


@pytest.mark.parametrize("kind", ORACLES)
@pytest.mark.parametrize("length", [1, 511, 2048, 10000, 44100])
def test_exact_length_and_identity(kind: type, length: int) -> None:
    """With nothing but the source in the mixture every mask is one, and synthesis is exact."""
    generator = torch.Generator().manual_seed(length)
    source = torch.randn(1, length, generator=generator)
    estimate = kind().separate(source, _queries(1), source)
    assert estimate.shape == source.shape
    assert _snr(estimate, source) > 100


@pytest.mark.parametrize("kind", ORACLES)
def test_disjoint_spectra_are_separated(kind: type) -> None:
    first, second = _tones(100, 140), _tones(400, 500)
    estimate = kind().separate(first + second, _queries(1), first)
    assert _snr(first + second, first) == pytest.approx(0.0, abs=0.01)
    assert _snr(estimate, first) > 50


def test_ratio_mask_of_equal_sources_halves_the_mixture() -> None:
    source = torch.randn(1, 9000)
    mixture = 2 * source  # source plus noise equal to it
    estimate = IdealRatioMask().separate(mixture, _queries(1), source)
    assert torch.allclose(estimate, source, atol=1e-5)


def test_ratio_masks_of_two_sources_add_up_to_the_mixture() -> None:
    sources = torch.randn(2, 9000)
    mixture = sources.sum(0, keepdim=True)
    estimates = IdealRatioMask().separate(mixture.expand(2, -1), _queries(2), sources)
    assert torch.allclose(estimates.sum(0), mixture[0], atol=1e-5)


def test_binary_mask_is_winner_takes_all() -> None:
    source = torch.randn(1, 9000)
    louder = IdealBinaryMask().separate(source * 1.9, _queries(1), source)  # noise is 0.9 source
    softer = IdealBinaryMask().separate(source * 2.1, _queries(1), source)  # noise is 1.1 source
    assert torch.allclose(louder, source * 1.9, atol=1e-5)
    assert not softer.any()


@pytest.mark.parametrize(
    ("gain", "expected"), [(0.5, 0.5), (2.0, 1.0), (-1.0, 0.0)], ids=["part", "above", "opposed"]
)
def test_phase_sensitive_mask_is_the_truncated_projection(gain: float, expected: float) -> None:
    mixture = torch.randn(1, 9000)
    estimate = PhaseSensitiveMask().separate(mixture, _queries(1), gain * mixture)
    assert torch.allclose(estimate, expected * mixture, atol=1e-5)


def test_phase_sensitive_mask_has_the_least_error_in_the_bins() -> None:
    """Of the three masks it is nearest to the source, bin by bin, before synthesis."""
    source, noise = torch.randn(1, 9000), torch.randn(1, 9000)
    window = torch.hann_window(WINDOW)
    spectra = [
        torch.stft(each, WINDOW, HOP, window=window, return_complex=True)
        for each in (source, source + noise)
    ]
    errors = [
        (kind().mask(*spectra) * spectra[1] - spectra[0]).abs()
        for kind in (PhaseSensitiveMask, IdealRatioMask, IdealBinaryMask)
    ]
    assert bool((errors[0] <= torch.minimum(errors[1], errors[2]) + 1e-4).all())


@pytest.mark.parametrize("kind", ORACLES)
def test_silence_is_kept(kind: type) -> None:
    zeros = torch.zeros(1, 5000)
    estimate = kind().separate(zeros, _queries(1), zeros)
    assert np.array_equal(estimate.numpy(), np.zeros((1, 5000), dtype=np.float32))
