"""CLAP as an embedder: what it promises beyond the network, which tests/parity compares."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hive.checkpoints import clap_keys, install
from hive.embedding import registry
from hive.embedding.base import WINDOW
from hive.embedding.clap import ClapEmbedder, exact_float32
from hive.errors import HiveError

NAME = "clap-630k"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store with a small CLAP of random weights."""
    path = Path(__file__).parents[2] / "published_clap.py"
    published = SimpleNamespace(**runpy.run_path(str(path)))
    folder: Path = tmp_path_factory.mktemp("clap")
    torch.save(published.checkpoint("micro"), folder / "x.pt")
    tokenizer = published.write_tokenizer(folder / "tokenizer")
    known = (*clap_keys.ARCHITECTURES, clap_keys.Architecture(**published.MICRO))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clap_keys, "ARCHITECTURES", known)
        patch.setenv("HIVE_CHECKPOINTS", str(folder / "store"))
        install.convert(folder / "x.pt", NAME, tokenizer, allow_other=True)
        install.convert(folder / "x.pt", "clap-music-audioset", allow_other=True)
        yield folder / "store"


@pytest.fixture
def embedder(root: Path) -> ClapEmbedder:
    info = registry.describe(NAME)
    return ClapEmbedder(root / NAME, info)


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    random = np.random.default_rng(1)
    envelope = np.exp(-np.arange(WINDOW) / np.array([[20_000], [200_000], [90_000]]))
    return (0.1 * random.standard_normal((3, WINDOW)) * envelope).astype(np.float32)


def test_vectors_and_layers(embedder: ClapEmbedder, windows: np.ndarray) -> None:
    full = embedder.audio(windows, layers=True)
    assert full.vectors.shape == (3, 512)
    assert full.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(full.vectors, axis=1), 1.0, atol=1e-6)
    assert full.layers is not None
    shapes = [(3, 1024, 64), (3, 256, 128), (3, 64, 256), (3, 64, 256)]
    assert [layer.shape for layer in full.layers] == shapes
    assert {layer.dtype for layer in full.layers} == {np.dtype(np.float32)}
    plain = embedder.audio(windows)
    assert plain.layers is None
    np.testing.assert_array_equal(plain.vectors, full.vectors)


def test_neighbours_in_a_batch_change_no_bit(embedder: ClapEmbedder, windows: np.ndarray) -> None:
    together = embedder.audio(windows, layers=True)
    reversed_ = embedder.audio(windows[::-1], layers=True)
    alone = embedder.audio(windows[1:2].astype(np.float64), layers=True)
    assert together.layers is not None
    assert alone.layers is not None
    np.testing.assert_array_equal(together.vectors[1:2], alone.vectors)
    np.testing.assert_array_equal(together.vectors, reversed_.vectors[::-1])
    for one, other in zip(together.layers, alone.layers, strict=True):
        np.testing.assert_array_equal(one[1:2], other)


def test_silence_has_a_vector(embedder: ClapEmbedder) -> None:
    vectors = embedder.audio(np.zeros((1, WINDOW), np.float32)).vectors
    np.testing.assert_allclose(np.linalg.norm(vectors), 1.0, atol=1e-6)


@pytest.mark.parametrize("shape", [(WINDOW,), (1, WINDOW - 1), (0, WINDOW), (1, 1, WINDOW)])
def test_windows_of_another_shape(embedder: ClapEmbedder, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="windows have shape"):
        embedder.audio(np.zeros(shape, np.float32))


def test_nan_is_an_error_that_names_the_window(embedder: ClapEmbedder, windows: np.ndarray) -> None:
    bad = windows.copy()
    bad[2, 77] = np.nan
    with pytest.raises(ValueError, match="window 2 holds NaN"):
        embedder.audio(bad)


def test_texts(embedder: ClapEmbedder) -> None:
    texts = ["rain", "the sound of rain", "rain", ""]
    vectors = embedder.text(texts)
    assert vectors.shape == (4, 512)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3  # no template is put around a text
    assert embedder.text([]).shape == (0, 512)
    np.testing.assert_array_equal(embedder.text(["rain"])[0], vectors[0])


def test_padding_changes_nothing_and_77_tokens_count(embedder: ClapEmbedder) -> None:
    from hive.checkpoints.clap import load_tokenizer, load_tower

    text = "thunder and rain"
    folder = embedder._folder
    tokens = load_tokenizer(folder, folder, "")([text], return_tensors="pt")
    assert tokens["input_ids"].shape[1] < 77
    with torch.inference_mode():
        vector = load_tower(folder, "text")(**tokens).text_embeds[0]
    vector = vector / vector.norm()
    np.testing.assert_allclose(embedder.text([text])[0], vector.numpy(), atol=1e-6)
    letters = embedder.text(["q" * 75, "q" * 76, "q" * 900])  # and two tokens around them
    np.testing.assert_array_equal(letters[0], letters[1])
    np.testing.assert_array_equal(letters[0], letters[2])
    assert np.abs(embedder.text(["q" * 74]) - letters[0]).max() > 1e-6


def test_a_text_is_computed_once(embedder: ClapEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder.text(["rain"])
    monkeypatch.setattr(embedder, "_text", None)
    monkeypatch.setattr(embedder, "_load_text", lambda: pytest.fail("computed again"))
    embedder.text(["rain", "rain"])


def test_the_text_tower_waits_for_a_text(embedder: ClapEmbedder, windows: np.ndarray) -> None:
    embedder.audio(windows[:1])
    assert embedder._text is None


def test_without_a_tokenizer_there_are_no_texts(root: Path) -> None:
    other = registry.load("clap-music-audioset")
    assert not other.info.has_text
    with pytest.raises(HiveError, match="has no tokenizer") as caught:
        other.text(["rain"])
    assert caught.value.remedy == "hive-bench checkpoints fetch clap-music-audioset"


def test_training_mode_is_noticed(embedder: ClapEmbedder, windows: np.ndarray) -> None:
    embedder._audio.train()
    with pytest.raises(AssertionError):
        embedder.audio(windows[:1])


def test_a_folder_of_something_else(root: Path, tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="is no converted CLAP"):
        ClapEmbedder(tmp_path, registry.describe(NAME))


def test_tf32_and_autocast_are_off_and_come_back(
    embedder: ClapEmbedder, windows: np.ndarray
) -> None:
    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, convolution.allow_tf32
    try:
        matmul.allow_tf32 = convolution.allow_tf32 = True
        with exact_float32():
            assert not matmul.allow_tf32
            assert not convolution.allow_tf32
        assert matmul.allow_tf32
        assert convolution.allow_tf32
    finally:
        matmul.allow_tf32, convolution.allow_tf32 = before
    plain = embedder.audio(windows[:1]).vectors
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(embedder.audio(windows[:1]).vectors, plain)
