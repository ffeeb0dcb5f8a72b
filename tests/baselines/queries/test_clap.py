"""Queries by CLAP's text tower: a small one of transformers, saved as `hive.checkpoints` does."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baselines.queries import clap as module
from baselines.queries.clap import ClapTextEncoder
from hive.errors import HiveError
from hive.files import sha256_file

Store = tuple[Path, Any]
NAME = "clap-630k-audioset"
DIM = 24
LABEL = "Vehicle horn, car horn, honking"


@pytest.fixture(scope="session")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The root of a store, and the whole network that the checkpoint there was saved from."""
    from safetensors.torch import save_file
    from transformers import ClapConfig, ClapModel

    published = runpy.run_path(str(Path(__file__).parents[2] / "published_clap.py"))
    text = {
        "vocab_size": published["VOCABULARY"],
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 514,
        "layer_norm_eps": 1e-5,
        "projection_dim": DIM,
    }
    audio = {
        "hidden_size": 64,
        "patch_embeds_hidden_size": 8,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [2, 2, 2, 2],
        "projection_dim": DIM,
    }
    torch.manual_seed(3)
    config = ClapConfig(text_config=text, audio_config=audio, projection_dim=DIM)
    model = ClapModel(config).eval()
    with torch.no_grad():  # as drawn by transformers, all texts look nearly the same
        for name, value in model.named_parameters():
            if name.startswith("text_") and value.ndim > 1:
                value.mul_(20.0)
    root = tmp_path_factory.mktemp("checkpoints")
    folder = published["write_tokenizer"](root / NAME)
    # No tensor of the audio tower: what loads it anyway fails.
    state = {k: v.clone() for k, v in model.state_dict().items() if k.startswith("text_")}
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(config.to_json_string(use_diff=False))
    write_manifest(folder)
    return root, model


def write_manifest(folder: Path, source: str = "a" * 64) -> None:
    """Write what `hive.checkpoints` writes last."""
    files = ("config.json", "merges.txt", "model.safetensors", "vocab.json")
    about = {
        file: {"sha256": sha256_file(folder / file), "size": (folder / file).stat().st_size}
        for file in files
        if (folder / file).is_file()
    }
    manifest = {
        "schema": 1,
        "name": NAME,
        "source": {"sha256": source, "published": False},
        "files": about,
    }
    (folder / "checkpoint.json").write_text(json.dumps(manifest))


@pytest.fixture
def store(clap: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store in use, with an empty cache of embeddings: the checkpoint's folder, the network."""
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(clap[0]))
    monkeypatch.setenv("HIVE_CACHE", str(tmp_path / "cache"))
    return clap[0] / NAME, clap[1]


def make(**options: Any) -> ClapTextEncoder:
    return ClapTextEncoder(NAME, dim=DIM, **options)


def reference(store: Store, text: str) -> torch.Tensor:
    """The text features of the whole `ClapModel`, padded to 512 as AudioSep pads them."""
    from transformers import RobertaTokenizerFast

    folder, model = store
    tokenizer: Any = RobertaTokenizerFast(
        vocab_file=str(folder / "vocab.json"), merges_file=str(folder / "merges.txt")
    )
    tokens = tokenizer([text], padding="max_length", max_length=512, return_tensors="pt")
    with torch.no_grad():
        features: torch.Tensor = model.get_text_features(**tokens)[0]
    return features / features.norm()


@pytest.mark.parametrize("text", ["dog", LABEL, "the sound of rain, é"])
def test_vectors_are_those_of_transformers(store: Store, text: str) -> None:
    vector = make().prepare([(text,)])
    assert vector.dtype == torch.float32
    torch.testing.assert_close(vector[0], reference(store, text), atol=2e-6, rtol=1e-5)


def test_texts_differ(store: Store) -> None:
    dog, cat, horn = make().prepare([("dog",), ("cat",), (LABEL,)])
    assert float(dog @ cat) < 0.999
    assert float(dog @ horn) < 0.999


def test_the_template_is_put_around_every_text(store: Store) -> None:
    vector = make(template="the sound of {}").prepare([("dog",)])
    torch.testing.assert_close(vector[0], reference(store, "the sound of dog"), atol=2e-6, rtol=0)
    braces = make(template="{}").prepare([("{0} {}",)])
    torch.testing.assert_close(braces[0], reference(store, "{0} {}"), atol=2e-6, rtol=0)


def test_several_texts(store: Store) -> None:
    query = ("dog", "rain", "cat")
    mean = make().prepare([query])[0]
    expected = torch.stack([reference(store, text) for text in query]).mean(dim=0)
    torch.testing.assert_close(mean, expected / expected.norm(), atol=2e-6, rtol=1e-5)
    sentence = make(several="sentence", template="the sound of {}").prepare([query, ("dog",)])
    whole = reference(store, "The sounds of cat, dog and rain")
    torch.testing.assert_close(sentence[0], whole, atol=2e-6, rtol=1e-5)
    single = reference(store, "the sound of dog")
    torch.testing.assert_close(sentence[1], single, atol=2e-6, rtol=1e-5)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(["dog", "cat", "rain"]), st.sampled_from(["mean", "sentence"]))
def test_order_and_repetition_change_no_bit(store: Store, query: list[str], several: str) -> None:
    encoder = make(several=several)
    first, second = encoder.prepare([tuple(query), ("rain", "dog", "cat", "dog")])
    assert torch.equal(first, second)
    assert float(first.norm()) == pytest.approx(1.0, abs=1e-6)


def test_an_empty_query_is_zeros_and_needs_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path))
    encoder = ClapTextEncoder()
    assert encoder.dim == 512
    assert torch.equal(encoder(encoder.prepare([(), ()])), torch.zeros(2, 512))
    assert encoder.prepare([]).shape == (0, 512)
    assert encoder.config()["sha256"] is None
    with pytest.raises(HiveError, match="fetch clap-music-speech-audioset") as told:
        encoder.prepare([("dog",)])
    assert "checkpoint clap-music-speech-audioset is not here" in told.value.problem


def test_a_text_is_encoded_once_and_kept_on_disk(store: Store) -> None:
    with mock.patch.object(module, "_embed", wraps=module._embed) as embed:
        first, second = make(), make()
        vectors = first.prepare([("dog",), ("dog", "cat"), ()])
        first.prepare([("cat",), ("dog",)])
        assert sorted(call.args[2] for call in embed.call_args_list) == ["cat", "dog"]
        assert torch.equal(second.prepare([("dog",), ("dog", "cat"), ()]), vectors)
        assert embed.call_count == 2  # another encoder, or process, finds them on the disk
        make(template="a {}").prepare([("dog",)])
        assert embed.call_count == 3


def test_other_weights_have_other_vectors_on_disk(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    before = make().prepare([("dog",)])
    folder = tmp_path / "other" / NAME
    shutil.copytree(store[0], folder)
    state = load_file(folder / "model.safetensors")
    state["text_projection.linear2.bias"] += 1.0
    save_file(state, folder / "model.safetensors")
    write_manifest(folder, source="b" * 64)
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(folder.parent))
    assert not torch.allclose(make().prepare([("dog",)]), before, atol=1e-2)
    assert make().config()["sha256"] == "b" * 64
    with pytest.raises(HiveError, match=r"trained with.*aaaaaaaaaaaa…, the one here is from bbbb"):
        make(sha256="a" * 64).prepare([("dog",)])


def test_nothing_to_train_and_nothing_to_save(store: Store) -> None:
    encoder = make(sha256="a" * 64)
    encoder.prepare([("dog",)])
    assert list(encoder.parameters()) == []
    assert encoder.state_dict() == {}
    assert encoder.meaning("a dog") == "a dog"


def test_what_cannot_be_encoded_is_told(store: Store) -> None:
    with pytest.raises(HiveError, match="a text is blank"):
        make().prepare([("dog", " ")])
    with pytest.raises(HiveError, match=r"have 24 values.*configured for 512.*correct"):
        ClapTextEncoder(NAME).prepare([("dog",)])


def test_a_checkpoint_without_tokenizer(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bare" / NAME
    shutil.copytree(store[0], folder)
    (folder / "vocab.json").unlink()
    write_manifest(folder)
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(folder.parent))
    with pytest.raises(HiveError, match=f"has no tokenizer.*fetch {NAME}"):
        make().prepare([("dog",)])
