"""The log-mel front end against librosa, transformers' extractor and closed forms."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch

from hive.embedding.frontend import HIGH_HZ, LOW_HZ, MELS, N_FFT, log_mel, mel_filters

RATE = 48_000
TIME = np.arange(10 * RATE) / RATE


def sounds() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    noise = random.standard_normal(len(TIME))
    tone = 0.5 * np.sin(2 * np.pi * 440 * TIME)
    return {
        "noise": 0.1 * noise,
        "faint noise": 1e-5 * noise,
        "tone": tone,
        "tone of 16 bits": np.round(tone * 32768) / 32768,
        "half silent": np.where(TIME < 5, 0.1 * noise, 0.0),
        "click": (TIME == 5.0).astype(float),
        "silence": np.zeros(len(TIME)),
    }


def test_the_filters_are_librosas() -> None:
    expected = librosa.filters.mel(
        sr=RATE, n_fft=N_FFT, n_mels=MELS, fmin=LOW_HZ, fmax=HIGH_HZ, dtype=np.float64
    )
    np.testing.assert_allclose(mel_filters(), expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", list(sounds()))
def test_the_decibels_are_those_of_transformers(name: str) -> None:
    from transformers import ClapFeatureExtractor

    extractor = ClapFeatureExtractor(
        truncation="rand_trunc", frequency_min=50, frequency_max=14_000
    )
    sound = sounds()[name].astype(np.float32)
    expected = extractor(sound, sampling_rate=RATE, return_tensors="np")["input_features"]
    ours = log_mel(torch.from_numpy(sound)[None]).numpy()
    assert ours.shape == expected.shape == (1, 1, 1001, 64)
    assert np.abs(ours - expected).max() < 3e-5


def test_the_default_range_of_transformers_would_be_another_front_end() -> None:
    from transformers import ClapFeatureExtractor

    sound = sounds()["noise"].astype(np.float32)
    other = ClapFeatureExtractor(truncation="rand_trunc")
    features = other(sound, sampling_rate=RATE, return_tensors="np")["input_features"]
    assert np.abs(log_mel(torch.from_numpy(sound)[None]).numpy() - features).max() > 10


def test_silence_and_a_click_have_closed_forms() -> None:
    assert torch.all(log_mel(torch.zeros(1, 10 * RATE)) == -100.0)
    click = torch.zeros(1, 10 * RATE)
    click[0, 480 * 500] = 0.25  # in the middle of frame 500, where the window is 1
    expected = 10 * np.log10(0.25**2 * mel_filters().sum(axis=1))
    np.testing.assert_allclose(log_mel(click)[0, 0, 500].numpy(), expected, atol=1e-5)


def test_a_batch_is_its_items() -> None:
    batch = torch.from_numpy(np.stack(list(sounds().values()))[:3].astype(np.float32))
    together = log_mel(batch)
    assert together.dtype == torch.float32
    for item, one in zip(batch, together, strict=True):
        torch.testing.assert_close(log_mel(item[None])[0], one, rtol=0, atol=2e-5)


def test_gradients_pass_even_after_inference_mode() -> None:
    with torch.inference_mode():
        log_mel(torch.zeros(1, 4800))
    sound = torch.randn(1, 4800, generator=torch.Generator().manual_seed(0), requires_grad=True)
    log_mel(sound).sum().backward()
    assert sound.grad is not None
    assert float(sound.grad.abs().sum()) > 0
