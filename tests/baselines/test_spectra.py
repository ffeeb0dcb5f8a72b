import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.spectra import count_frames, istft, stft

N_FFT, HOP = 512, 200  # the hop does not divide the window, as in AudioSep and ClearSep


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("samples", [257, 300, 512, 4000, 4001])
def test_is_the_usual_transform(samples):
    waveform = noise(2, samples)
    window = torch.hann_window(N_FFT, dtype=torch.float64)
    theirs = torch.stft(
        waveform.double(), N_FFT, HOP, window=window, pad_mode="reflect", return_complex=True
    )
    ours = stft(waveform, N_FFT, HOP)
    assert ours.dtype == torch.complex64
    assert ours.shape == (2, count_frames(samples, N_FFT, HOP), N_FFT // 2 + 1)
    torch.testing.assert_close(ours, theirs.mT.to(torch.complex64), rtol=0.0, atol=2e-5)


def test_inverse_of_a_changed_spectrum_is_the_usual_one():
    spectrum = stft(noise(2, 3000), N_FFT, HOP)
    spectrum = spectrum * noise(2, len(spectrum[0]), 257, seed=1)
    window = torch.hann_window(N_FFT, dtype=torch.float64)
    theirs = torch.istft(
        spectrum.to(torch.complex128).mT, N_FFT, HOP, window=window, length=3000
    ).float()
    torch.testing.assert_close(istft(spectrum, HOP, 3000), theirs, rtol=0.0, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(1, 3000),
    half=st.sampled_from([16, 32, 128]),
    hop=st.integers(5, 16),
    leading=st.sampled_from([(), (1,), (2, 3)]),
)
def test_any_length_and_shape_comes_back(samples, half, hop, leading):
    waveform = noise(*leading, samples)
    spectrum = stft(waveform, 2 * half, hop)
    assert spectrum.shape == (*leading, count_frames(samples, 2 * half, hop), half + 1)
    back = istft(spectrum, hop, samples)
    assert back.shape == waveform.shape
    torch.testing.assert_close(back, waveform, rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("samples", [1, 100, 256])
def test_short_sound_is_padded_with_zeros(samples):
    waveform = noise(1, samples)
    longer = torch.cat((waveform, torch.zeros(1, 257 - samples)), dim=1)
    assert torch.equal(stft(waveform, N_FFT, HOP), stft(longer, N_FFT, HOP))


def test_autocast_changes_nothing():
    waveform = noise(2, 4000)
    exact = stft(waveform, N_FFT, HOP)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spectrum = stft(waveform, N_FFT, HOP)
        back = istft(spectrum, HOP, 4000)
    assert torch.equal(spectrum, exact)
    assert back.dtype == torch.float32
    torch.testing.assert_close(back, waveform, rtol=0.0, atol=1e-5)
    assert stft(waveform.bfloat16(), N_FFT, HOP).dtype == torch.complex64


def test_window_made_in_inference_mode_serves_training():
    with torch.inference_mode():
        stft(noise(1, 600), 96, 30)
    waveform = noise(1, 600).requires_grad_()
    istft(stft(waveform, 96, 30), 30, 600).square().sum().backward()
    # The round trip is the identity, so this is the gradient of the energy.
    torch.testing.assert_close(waveform.grad, 2 * waveform.detach(), rtol=0.0, atol=1e-4)


@pytest.mark.slow
def test_compiles_as_one_graph_once_for_all_lengths():
    from torch._dynamo.testing import CompileCounter

    def halve(waveform):
        return istft(0.5 * stft(waveform, N_FFT, HOP), HOP, waveform.shape[-1])

    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(halve, backend=counter, fullgraph=True)
    for samples in (4000, 4001, 5003, 600, 777):
        waveform = noise(2, samples)
        torch.testing.assert_close(compiled(waveform), 0.5 * waveform, rtol=0.0, atol=1e-5)
    assert counter.frame_count <= 2  # the first length, then any
