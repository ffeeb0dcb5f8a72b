from __future__ import annotations

import librosa
import numpy as np
import torch
from torch import Tensor

from baselines.flowsep.bigvgan import double_rate, halve_rate, kaiser_sinc
from baselines.flowsep.config import FlowSepConfig
from baselines.flowsep.mel import SILENCE, LogMel, mel_filters
from baselines.flowsep.render import MixturePhase


def _tone(config: FlowSepConfig, hertz: float, samples: int) -> Tensor:
    return 0.4 * torch.sin(2 * torch.pi * hertz * torch.arange(samples) / config.sample_rate)


def test_filters_are_slaneys() -> None:
    config = FlowSepConfig.published()
    wanted = librosa.filters.mel(sr=16000, n_fft=1024, n_mels=64, fmin=0.0, fmax=8000.0)
    np.testing.assert_allclose(mel_filters(config).T, wanted, atol=2e-7)


def test_it_is_the_logarithm_of_magnitudes_of_which_the_last_frame_is_cut_off() -> None:
    config = FlowSepConfig.published()
    noise = 0.1 * torch.randn(1, config.window_samples, generator=torch.Generator().manual_seed(0))
    found = LogMel(config)(noise)
    assert found.shape == (1, 1024, 64)
    framed = np.lib.stride_tricks.sliding_window_view(
        np.pad(noise[0].double().numpy(), 512, mode="reflect"), 1024
    )[::160]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    filters = librosa.filters.mel(sr=16000, n_fft=1024, n_mels=64, fmin=0.0, fmax=8000.0)
    magnitude = filters @ np.abs(np.fft.rfft(framed * window)).T
    assert magnitude.shape == (64, 1025)
    wanted = np.log(np.maximum(magnitude, 1e-5)).T[:1024]
    np.testing.assert_allclose(found[0], wanted, atol=1e-4)


def test_short_sound_ends_in_silence_and_legacy_in_a_loud_constant() -> None:
    config = FlowSepConfig.published()
    mel = LogMel(config)
    tone = _tone(config, 500.0, 16000).unsqueeze(0)
    padded, loud = mel(tone), mel(tone, pads_last=True)
    assert padded.shape == loud.shape == (1, 1024, 64)
    assert torch.equal(padded[:, 110:], torch.full_like(padded[:, 110:], SILENCE))
    assert torch.equal(loud[:, 101:], torch.zeros(1, 923, 64))
    torch.testing.assert_close(padded[:, :95], loud[:, :95])
    assert round(SILENCE, 2) == -11.51


def test_the_low_pass_filter_passes_low_and_stops_high() -> None:
    taps = kaiser_sinc()
    assert float(taps.sum()) == 1.0
    torch.testing.assert_close(taps, taps.flip(0))
    response = np.abs(np.fft.rfft(taps.numpy(), 4096))
    assert response[:500].min() > 0.9  # below a quarter of the Nyquist frequency
    assert response[1700:].max() < 0.01  # from 0.83 on


def test_twice_and_half_the_rate() -> None:
    time = torch.arange(200) / 200.0
    x = torch.stack([torch.sin(2 * torch.pi * k * time) for k in (3, 7)]).unsqueeze(0)
    taps = kaiser_sinc()
    double = double_rate(x, taps)
    assert double.shape == (1, 2, 400)
    between = (torch.arange(400) * 0.5 - 0.25) / 200.0
    wanted = torch.stack([torch.sin(2 * torch.pi * k * between) for k in (3, 7)])
    torch.testing.assert_close(double[0, :, 20:-20], wanted[:, 20:-20], rtol=0.0, atol=5e-3)
    torch.testing.assert_close(
        halve_rate(double, taps)[..., 10:-10], x[..., 10:-10], rtol=0.0, atol=5e-3
    )


def test_mixture_phase_gives_back_what_its_mel_bands_say() -> None:
    config = FlowSepConfig.mini()
    samples = config.window_samples
    low, high = _tone(config, 400.0, samples), _tone(config, 3000.0, samples)
    mixture = (low + high).unsqueeze(0)
    render, mel = MixturePhase(config), LogMel(config)
    inner = slice(1000, -1000)
    for wanted in (low, high, low + high):
        found = render(mel(wanted.unsqueeze(0)), mixture)
        assert found.shape == mixture.shape
        error = (found[0] - wanted)[inner].square().mean() / wanted[inner].square().mean()
        assert float(error) < 1e-6  # 60 dB
    silence = torch.full((1, config.frames, config.mels), SILENCE)
    assert float(render(silence, mixture).abs().max()) < 1e-6
    loud = torch.zeros_like(silence)
    assert float(render(loud, mixture).abs().max()) < 1.0  # no more than the mixture
