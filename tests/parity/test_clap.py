"""Our CLAP against LAION-CLAP's own network, on a checkpoint of random weights in its layout."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hive.checkpoints import install, store
from hive.embedding import registry
from hive.embedding.base import WINDOW
from hive.embedding.frontend import log_mel

published_clap = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[1] / "published_clap.py"))
)

NAMES = {"tiny": "clap-630k-audioset", "base": "clap-music-audioset"}
SHAPES = {
    "tiny": [(1024, 192), (256, 384), (64, 768), (64, 768)],
    "base": [(1024, 256), (256, 512), (64, 1024), (64, 1024)],
}
TEXTS = ["the sound of rain", "dog barking", "", "thunder " * 100, "Ünïcode, 雨の音"]


def windows() -> np.ndarray:
    """Noise that decays, and two tones that end, over a faint noise.

    Without that noise, the bands far from a tone hold what rounding leaves, which differs.
    """
    random = np.random.default_rng(0)
    time = np.arange(WINDOW) / 48_000
    noise = 0.3 * random.standard_normal(WINDOW) * np.exp(-time)
    tones = 0.05 * np.sin(2 * np.pi * 440 * time) + 0.02 * np.sin(2 * np.pi * 9000 * time)
    faint = 3e-3 * random.standard_normal(WINDOW)
    return np.stack([noise, tones * (time < 7) + faint]).astype(np.float32)


def taps(network: Any, batch: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """LAION-CLAP's log-mel and the outputs of its stages."""
    seen: list[torch.Tensor] = []
    branch = network.audio_branch
    hooks = [branch.logmel_extractor.register_forward_hook(lambda *args: seen.append(args[2]))]
    hooks += [
        layer.register_forward_hook(lambda *args: seen.append(args[2][0]))
        for layer in branch.layers
    ]
    branch({"waveform": batch}, device="cpu")
    for hook in hooks:
        hook.remove()
    return seen[0], seen[1:]


@pytest.fixture(scope="module", params=["tiny", "base"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """LAION-CLAP's network, and ours after `torch.save` and conversion."""
    size = request.param
    folder = tmp_path_factory.mktemp(size)
    file = folder / "published.pt"
    torch.save(published_clap.checkpoint(size), file)
    tokenizer = published_clap.write_tokenizer(folder / "tokenizer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIVE_CHECKPOINTS", str(folder / "store"))
        install.convert(file, NAMES[size], tokenizer, allow_other=True)
        file.unlink()
        assert store.inspect(NAMES[size]).manifest["architecture"] == f"HTSAT-{size}"
        yield size, published_clap.laion(size), registry.load(NAMES[size])


def test_the_front_end_is_laions(pair: Any) -> None:
    _, network, _ = pair
    batch = torch.from_numpy(windows())
    with torch.inference_mode():
        theirs, _ = taps(network, batch)
        ours = log_mel(batch)
    assert ours.shape == theirs.shape == (2, 1, 1001, 64)
    difference = (ours - theirs).abs()
    assert float(difference.mean()) < 5e-6  # dB
    assert float(difference.max()) < 1e-3  # where a narrow band is almost empty
    assert float(ours.max() - ours.min()) > 40


def test_every_tap_and_the_vectors_are_laions(pair: Any) -> None:
    size, network, embedder = pair
    batch = windows()
    with torch.inference_mode():
        _, stages = taps(network, torch.from_numpy(batch))
        theirs = network.get_audio_embedding([{"waveform": torch.from_numpy(x)} for x in batch])
    ours = embedder.audio(batch, layers=True)
    assert [layer.shape for layer in ours.layers] == [(2, *shape) for shape in SHAPES[size]]
    for layer, stage in zip(ours.layers, stages, strict=True):
        scale = float(stage.abs().max())
        assert scale > 1.0
        assert np.abs(layer - stage.numpy()).max() < 5e-6 * scale
    np.testing.assert_allclose(np.linalg.norm(ours.vectors, axis=1), 1.0, atol=1e-6)
    assert np.abs(ours.vectors - theirs.numpy()).max() < 3e-7
    assert np.abs(ours.vectors[0] - ours.vectors[1]).max() > 0.01  # the sounds do differ


def test_texts_are_laions(pair: Any, tmp_path: Path) -> None:
    from transformers import RobertaTokenizer

    _, network, embedder = pair
    folder = published_clap.write_tokenizer(tmp_path)
    slow = RobertaTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokens = slow(TEXTS, padding="max_length", truncation=True, max_length=77, return_tensors="pt")
    with torch.inference_mode():
        theirs = network.get_text_embedding(dict(tokens)).numpy()
    ours = embedder.text(TEXTS)
    assert ours.shape == (len(TEXTS), 512)
    assert np.abs(ours - theirs).max() < 4e-7
    distances = np.linalg.norm(ours[:, None] - ours[None], axis=-1)
    assert distances[~np.eye(len(TEXTS), dtype=bool)].min() > 0.01
