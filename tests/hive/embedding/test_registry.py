"""Embeddings by name: what is said of those that are here and those that are not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hive.embedding import registry
from hive.errors import HiveError
from hive.files import sha256_json


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path))
    return tmp_path


def write(folder: Path, name: str, *files: str, published: bool = True) -> None:
    """A folder that looks like a checkpoint to whoever only looks."""
    about = {}
    (folder / name).mkdir()
    for file in ("model.safetensors", "config.json", *files):
        (folder / name / file).write_text(file)
        about[file] = {"size": len(file), "sha256": sha256_json(file)}
    source = {"published": published, "sha256": "0" * 64}
    manifest = {"schema": 1, "name": name, "files": about, "source": source}
    (folder / name / "checkpoint.json").write_text(json.dumps(manifest))


def test_names() -> None:
    assert registry.names()[0] == registry.DEFAULT == "clap-music-audioset"
    assert {"clap-music-speech", "clap-music-speech-audioset", "clap-630k"} < set(registry.names())
    assert {"standin:logmel512", "standin:htsat-random"} < set(registry.names())


def test_absent(store: Path) -> None:
    info = registry.describe("clap-music-audioset")
    assert not info.available
    assert (info.standin, info.has_layers, info.has_text) == (False, True, False)
    assert info.reason == "checkpoint clap-music-audioset is not here"
    assert info.remedy == "hive-bench checkpoints fetch clap-music-audioset"
    assert (info.checkpoint, info.checkpoint_sha256) == ("clap-music-audioset", None)
    assert "music_audioset_epoch_15_esc_90.14.pt" in info.title
    with pytest.raises(HiveError, match="is not here") as caught:
        registry.load("clap-music-audioset")
    assert caught.value.remedy == info.remedy


def test_ready_with_and_without_a_tokenizer(store: Path) -> None:
    write(store, "clap-music-audioset", "vocab.json", "merges.txt")
    write(store, "clap-630k", published=False)
    info = registry.describe("clap-music-audioset")
    assert info.available
    assert (info.has_text, info.text_reason) == (True, "")
    assert info.checkpoint_sha256 == sha256_json("model.safetensors")
    info = registry.describe("clap-630k")
    assert info.available
    assert (info.has_text, info.text_reason) == (False, "checkpoint clap-630k has no tokenizer")
    assert info.text_remedy == "hive-bench checkpoints fetch clap-630k"
    assert "weights not known to be 630k-best.pt" in info.title
    assert not info.published
    assert registry.describe("clap-music-audioset").published


def test_damaged(store: Path) -> None:
    write(store, "clap-630k")
    (store / "clap-630k" / "model.safetensors").write_text("shorter")
    info = registry.describe("clap-630k")
    assert not info.available
    assert "is damaged: model.safetensors" in info.reason
    assert info.checkpoint_sha256 is None
    assert info.remedy == "hive-bench checkpoints fetch clap-630k"


@pytest.mark.parametrize("source", [None, {}, {"published": None, "sha256": "0"}])
def test_a_manifest_that_does_not_say_where_weights_come_from(store: Path, source: object) -> None:
    write(store, "clap-630k")
    file = store / "clap-630k" / "checkpoint.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "source": source}))
    info = registry.describe("clap-630k")
    assert not info.available
    assert "is damaged: checkpoint.json cannot be used" in info.reason


def test_weights_that_are_none_are_an_error(store: Path) -> None:
    write(store, "clap-630k")
    with pytest.raises(HiveError, match="is no converted CLAP"):
        registry.load("clap-630k")


@pytest.mark.parametrize("name", ["clap-music-audiosets", "standin:logmel", "", "../etc"])
def test_unknown_names(store: Path, name: str) -> None:
    for function in (registry.describe, registry.load):
        with pytest.raises(HiveError, match="is not known") as caught:
            function(name)
        assert "clap-music-audioset" in caught.value.remedy or "standin:" in caught.value.remedy


def test_stand_ins_are_loaded_once() -> None:
    assert registry.describe("standin:logmel512").standin
    one = registry.load("standin:logmel512")
    assert one is registry.load("standin:logmel512")
    assert one.info == registry.describe("standin:logmel512")


def test_looking_imports_no_network(store: Path) -> None:
    code = (
        "import sys; from hive.embedding import registry;"
        "[registry.describe(name) for name in registry.names()];"
        "print(sorted({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
