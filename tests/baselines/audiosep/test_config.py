import pytest
from pydantic import ValidationError

from baselines.audiosep.config import AudioSepConfig


def test_published_sizes():
    config = AudioSepConfig.published()
    assert (config.sample_rate, config.n_fft, config.hop) == (32_000, 2048, 320)
    assert config.channels == (32, 64, 128, 256, 384, 384)
    assert (config.bands, config.compression, config.bins, config.heights) == (
        None,
        "none",
        1024,
        1024,
    )
    assert config.encoder["kind"] == "clap"


def test_published_query_encoder_is_a_known_checkpoint():
    from hive.checkpoints.catalogue import find

    name = AudioSepConfig.published().encoder["checkpoint"]
    assert find(name).filename == "music_speech_audioset_epoch_15_esc_89.98.pt"


def test_mini_needs_no_download():
    config = AudioSepConfig.mini()
    assert config.encoder == {"kind": "labels", "dim": 128}
    assert (config.bins, config.heights) == (1024, 64)


@pytest.mark.parametrize("config", [AudioSepConfig.published(), AudioSepConfig.mini()])
def test_comes_back_from_json(config):
    assert AudioSepConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_fft": 1023}, "n_fft: 1023 is odd"),
        ({"hop": 1025}, "hop: 1025 is more than half a window; take at most 1024"),
        ({"n_fft": 1000}, "n_fft / 2: 500 is no multiple of 64"),
        ({"bands": 100}, "bands: 100 is no multiple of 64"),
        ({"bands": 2048}, "bands: 2048 is more than the 1024 bins of n_fft 2048"),
        ({"bands": 0}, "bands"),
        ({"channels": (1, 2, 3)}, "channels"),
        ({"channels": (1, 2, 3, 4, 5, 0)}, "channels"),
        ({"compression": "root"}, "compression"),
        ({"window_seconds": 0.0}, "window_seconds"),
        ({"window_seconds": float("nan")}, "window_seconds"),
        ({"widht": 3}, "widht"),
    ],
)
def test_refuses(values, message):
    with pytest.raises(ValidationError) as caught:
        AudioSepConfig(**values)
    assert message in str(caught.value)


def test_cannot_be_changed():
    with pytest.raises(ValidationError):
        AudioSepConfig.mini().hop = 3
