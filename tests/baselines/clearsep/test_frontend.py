from __future__ import annotations

import pytest
import torch
from torchaudio.functional import resample as torchaudio_resample

from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.frontend import LogMel, mel_filters, resample, resampling_kernel
from baselines.spectra import stft
from hive.embedding.frontend import log_mel
from hive.embedding.frontend import mel_filters as clap_filters


@pytest.mark.parametrize(("rate", "new"), [(2, 3), (3, 2), (1, 2), (147, 160)])
@pytest.mark.parametrize("samples", [1, 320, 4_001])
def test_resampling_is_torchaudios(rate: int, new: int, samples: int) -> None:
    sound = torch.randn(2, samples, generator=torch.Generator().manual_seed(0))
    # In single precision torchaudio rounds the positions of its filters.
    theirs = torchaudio_resample(sound.double(), rate, new).float()
    ours = resample(sound, resampling_kernel(rate, new), rate)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)


def test_filters_are_claps() -> None:
    ours = mel_filters(ClearSepConfig.published()).double().T
    torch.testing.assert_close(ours, torch.from_numpy(clap_filters()), rtol=0, atol=1e-7)


def test_spectrogram_is_claps_followed_by_silence() -> None:
    config = ClearSepConfig.published()
    mixture = 0.1 * torch.randn(1, 32_000, generator=torch.Generator().manual_seed(0))
    mel = LogMel(config)(mixture, stft(mixture, config.n_fft, config.hop))
    heard = torchaudio_resample(mixture, 32_000, 48_000)
    assert mel.shape == (1, 1024, 64)
    torch.testing.assert_close(mel[:, :101], log_mel(heard)[:, 0], rtol=0, atol=2e-3)
    assert bool((mel[:, 101:] == -100.0).all())


def test_one_rate_shares_the_transform() -> None:
    config = ClearSepConfig.mini()
    mixture = torch.randn(2, config.window_samples, generator=torch.Generator().manual_seed(0))
    spectrum = stft(mixture, config.n_fft, config.hop)
    mel = LogMel(config)(mixture, spectrum)
    power = spectrum.abs().double().square() @ mel_filters(config).double()
    assert mel.shape == (2, 128, 64)
    torch.testing.assert_close(mel[:, :126].double(), 10 * torch.log10(power), rtol=0, atol=1e-3)


def test_constants_are_real_where_the_network_is_not() -> None:
    with torch.device("meta"):
        front_end = LogMel(ClearSepConfig.published())
    assert not front_end.filters.is_meta
    assert float(front_end.filters.sum()) == pytest.approx(
        float(mel_filters(ClearSepConfig.published()).sum())
    )
    assert not front_end.state_dict()
