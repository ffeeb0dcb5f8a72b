"""Fetching, converting and verifying, against a hub that is not there or gives what it likes."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hive.checkpoints import catalogue, install, store
from hive.errors import HiveError
from hive.files import sha256_file

NAME = "clap-630k-audioset"
TEXTLESS = {"model.safetensors", "config.json", "checkpoint.json"}


class Hub:
    """Stands in for `hf_hub_download`: gives files of a folder, or fails."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, repo_id: str, filename: str, *, revision: str) -> str:
        self.asked.append((repo_id, filename, revision))
        if filename not in self.files:
            raise huggingface_hub.errors.LocalEntryNotFoundError("cannot reach the hub\nmore")
        return str(self.files[filename])


@pytest.fixture
def hub(published_file: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    names = ("vocab.json", "merges.txt")
    there = Hub({published_file.name: published_file, **{n: tokenizer / n for n in names}})
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", there)
    entries = tuple(
        dataclasses.replace(
            entry, sha256=sha256_file(published_file), size=published_file.stat().st_size
        )
        if entry.name == NAME
        else entry
        for entry in catalogue.CATALOGUE
    )
    monkeypatch.setattr(catalogue, "CATALOGUE", entries)
    return there


def only_nothing(root: Path) -> bool:
    return not root.exists() or not list(root.iterdir())


def test_fetch(store_root: Path, hub: Hub, published_file: Path) -> None:
    assert store.inspect(NAME).state == "absent"
    folder = install.fetch(NAME)
    assert folder == store_root / NAME == store.path(NAME)
    assert [file.name for file in store_root.iterdir()] == [NAME]
    assert {file.name for file in folder.iterdir()} == TEXTLESS | {"vocab.json", "merges.txt"}
    status = store.inspect(NAME)
    assert (status.state, status.has_tokenizer, status.problem) == ("ready", True, "")
    assert status.sha256 == sha256_file(folder / "model.safetensors")
    entry = catalogue.find(NAME)
    assert hub.asked[0] == (entry.repo, entry.filename, entry.revision)
    assert status.manifest["source"] == {
        "repo": "lukewys/laion_clap",
        "revision": "b3708341862f581175dba5c356a4ebf74a9b6651",
        "file": "630k-audioset-best.pt",
        "sha256": sha256_file(published_file),
        "size": published_file.stat().st_size,
        "published": True,
    }
    assert status.manifest["architecture"] == "HTSAT-micro"
    assert status.manifest["versions"]["numpy"] == np.__version__
    asked = len(hub.asked)
    assert install.fetch(NAME) == folder  # nothing is fetched twice
    assert len(hub.asked) == asked


def test_fetch_off_line_names_the_remedy(store_root: Path, hub: Hub) -> None:
    hub.files.clear()
    with pytest.raises(HiveError, match=r"cannot be fetched \(cannot reach the hub\)") as caught:
        install.fetch(NAME)
    entry = catalogue.find(NAME)
    assert entry.url in caught.value.remedy
    command = f"checkpoints convert {entry.filename} --name {NAME} --tokenizer FOLDER"
    assert command in caught.value.remedy
    assert only_nothing(store_root)


ANSWERS = install.hub_answers  # before the tests' fixture replaces it


@pytest.mark.parametrize("listens", [True, False])
def test_whether_the_hub_answers(listens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # says 501 to all
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    huggingface_hub.utils.reset_sessions()
    if listens:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    else:
        server.server_close()
    assert ANSWERS() is listens
    if listens:
        server.shutdown()
        server.server_close()
    huggingface_hub.utils.reset_sessions()


def test_a_hub_that_does_not_answer_is_not_asked_again_and_again(
    store_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "hub_answers", lambda: False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(store_root / "cache"))
    with pytest.raises(HiveError, match=r"cannot be fetched \(the hub does not answer\)"):
        install.fetch("clap-630k")


def test_the_real_hub_off_line(store_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(store_root / "cache"))
    with pytest.raises(HiveError, match=r"630k-best\.pt of lukewys/laion_clap cannot be fetched"):
        install.fetch("clap-630k")


def test_a_hub_that_gives_another_file_is_not_believed(
    store_root: Path, hub: Hub, tmp_path: Path
) -> None:
    other = tmp_path / "630k-audioset-best.pt"
    hub.files[other.name] = other
    torch.save({"state_dict": {"a": torch.ones(2)}}, other)
    with pytest.raises(HiveError, match=r"is not 630k-audioset-best\.pt of lukewys/laion_clap"):
        install.fetch(NAME)
    other.write_bytes(b"<html>sign in</html>")
    with pytest.raises(HiveError, match="is a web page"):
        install.fetch(NAME)
    assert only_nothing(store_root)


def test_fetch_adds_a_missing_tokenizer_only(
    store_root: Path, hub: Hub, published_file: Path
) -> None:
    folder = install.convert(published_file, NAME)
    assert {file.name for file in folder.iterdir()} == TEXTLESS
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert not store.inspect(NAME).has_tokenizer
    install.fetch(NAME)
    assert {name for _, name, _ in hub.asked} == {"vocab.json", "merges.txt"}
    assert store.inspect(NAME).has_tokenizer
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    assert install.verify(NAME) == []


def test_a_file_by_hand_must_be_the_published_one(
    store_root: Path, published_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shutil.copy(published_file, tmp_path / "mine.pt")
    size = file.stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr(install, "sha256_file", None)  # its size says enough
        with pytest.raises(HiveError, match=f"{size} bytes, published 1863587645") as caught:
            install.convert(file, NAME)
    assert "--allow-other" in caught.value.remedy
    entries = [dataclasses.replace(entry, size=size) for entry in catalogue.CATALOGUE]
    monkeypatch.setattr(catalogue, "CATALOGUE", tuple(entries))
    with pytest.raises(HiveError, match="published 8053c9775516") as caught:
        install.convert(file, NAME)
    assert "--allow-other" in caught.value.remedy
    assert only_nothing(store_root)
    install.convert(file, NAME, allow_other=True)
    source = store.inspect(NAME).manifest["source"]
    assert (source["published"], source["file"], source["repo"]) == (False, "mine.pt", None)
    assert source["sha256"] == sha256_file(file)


def test_a_file_by_hand_whose_hash_nobody_knows_is_not_called_published(
    store_root: Path, published_file: Path, hub: Hub
) -> None:
    name, entry = "clap-630k", catalogue.find("clap-630k")
    assert entry.sha256 is None
    with pytest.raises(HiveError, match="its SHA-256 is not known") as caught:
        install.convert(published_file, name)
    assert "checkpoints fetch clap-630k" in caught.value.remedy
    assert "--allow-other" in caught.value.remedy
    install.convert(published_file, name, allow_other=True)
    source = store.inspect(name).manifest["source"]
    assert (source["published"], source["repo"]) == (False, None)
    shutil.rmtree(store.path(name))
    with pytest.raises(HiveError, match="cannot be fetched") as caught:
        install.fetch(name)
    assert caught.value.remedy.endswith("--tokenizer FOLDER --allow-other")
    hub.files[entry.filename] = published_file
    install.fetch(name)  # from the pinned commit
    source = store.inspect(name).manifest["source"]
    assert (source["published"], source["repo"], source["file"]) == (
        True,
        entry.repo,
        entry.filename,
    )


def test_a_failed_conversion_leaves_what_was_there(filled: Path, tmp_path: Path) -> None:
    before = {file.name: sha256_file(file) for file in filled.iterdir()}
    bad = tmp_path / "bad.pt"
    torch.save({"state_dict": {"audio_branch.x": torch.ones(3)}}, bad)
    with pytest.raises(HiveError, match=r"bad\.pt: is no LAION-CLAP"):
        install.convert(bad, NAME, allow_other=True)
    assert {file.name: sha256_file(file) for file in filled.iterdir()} == before
    assert [file.name for file in filled.parent.iterdir()] == [NAME]


def test_a_nan_in_a_published_file_is_found(
    store_root: Path, published: Any, tmp_path: Path
) -> None:
    content = published.checkpoint("micro")
    key = "module.text_branch.pooler.dense.bias"
    content["state_dict"][key] = torch.full((768,), float("nan"))
    torch.save(content, tmp_path / "nan.pt")
    with pytest.raises(HiveError, match=r"nan\.pt: 1 weights are not finite: text_branch\.pooler"):
        install.convert(tmp_path / "nan.pt", NAME, allow_other=True)
    assert only_nothing(store_root)


def test_a_full_disk(filled: Path, published_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = sha256_file(filled / "checkpoint.json")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(HiveError, match=r"cannot be written \(No space left") as caught:
        install.convert(published_file, NAME, allow_other=True)
    assert "free some space" in caught.value.remedy
    assert sha256_file(filled / "checkpoint.json") == before
    assert [file.name for file in filled.parent.iterdir()] == [NAME]


def test_a_store_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, published_file: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path / "file" / "store"))
    with pytest.raises(HiveError, match="cannot be written") as caught:
        install.convert(published_file, NAME, allow_other=True)
    assert "HIVE_CHECKPOINTS" in caught.value.remedy


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (None, r"holds no vocab\.json"),
        (
            {"<s>": 0, "<unk>": 3, "a": 1, "<pad>": 4, "</s>": 2, "<mask>": 5},
            "is not the tokenizer",
        ),
        ({"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "a": 5}, "holds no tokenizer"),
        ("not json", "holds no tokenizer"),
    ],
)
def test_a_tokenizer_of_another_model(
    store_root: Path,
    published_file: Path,
    tokenizer: Path,
    tmp_path: Path,
    vocabulary: Any,
    message: str,
) -> None:
    given = Path(shutil.copytree(tokenizer, tmp_path / "tokenizer"))
    (given / "vocab.json").unlink()
    if vocabulary is not None:
        text = vocabulary if isinstance(vocabulary, str) else json.dumps(vocabulary)
        (given / "vocab.json").write_text(text)
    if message == "is not the tokenizer":
        (given / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(HiveError, match=message) as caught:
        install.convert(published_file, NAME, given, allow_other=True)
    assert "FacebookAI/roberta-base" in caught.value.remedy
    assert only_nothing(store_root)


def test_the_manifest_and_the_sizes_say_the_state(filled: Path) -> None:
    assert store.inspect(NAME).state == "ready"
    assert install.verify(NAME) == []
    manifest = json.loads((filled / "checkpoint.json").read_text())
    files, source = manifest["files"], manifest["source"]
    weights = files["model.safetensors"]
    for change, problem in (
        ({"schema": 99}, "another version"),
        ({"name": "clap-630k"}, "another checkpoint"),
        ({"files": {}}, "model.safetensors is missing"),
        ({"files": None}, "lists no files"),
        ({"files": {"model.safetensors": {"size": 1, "sha256": "0"}}}, "another size"),
        ({"files": {"model.safetensors": 3}}, "is none of this folder"),
        ({"files": {**files, "../x": weights}}, "'../x' is none of this folder"),
        ({"files": {"model.safetensors": {**weights, "size": "1"}}}, "has no size"),
        ({"files": {"model.safetensors": {**weights, "sha256": None}}}, "no sha256"),
        ({"source": None}, "its source has no sha256"),
        ({"source": {**source, "published": None}}, "whether it is published"),
        ({"source": {**source, "sha256": 5}}, "its source has no sha256"),
    ):
        (filled / "checkpoint.json").write_text(json.dumps({**manifest, **change}))
        status = store.inspect(NAME)
        assert (status.state, status.sha256, status.manifest) == ("damaged", None, {})
        assert problem in status.problem
    for text in ("", "[]", "{", "[" * 100_000):
        (filled / "checkpoint.json").write_text(text)
        assert store.inspect(NAME).state == "damaged"
    assert "checkpoint.json cannot be used" in install.verify(NAME)[0]


def test_a_file_that_is_missing_or_short(filled: Path) -> None:
    os.truncate(filled / "model.safetensors", 1000)
    assert "model.safetensors is missing or has another size" in store.inspect(NAME).problem
    (filled / "model.safetensors").unlink()
    assert store.inspect(NAME).state == "damaged"


def test_verify_finds_a_changed_bit(filled: Path) -> None:
    with (filled / "model.safetensors").open("r+b") as handle:
        handle.seek(-10, os.SEEK_END)
        byte = handle.read(1)
        handle.seek(-1, os.SEEK_CUR)
        handle.write(bytes([byte[0] ^ 1]))
    assert store.inspect(NAME).state == "ready"  # its size is right
    assert "its hash differs" in install.verify(NAME)[0]


@pytest.mark.parametrize("fault", ["nan", "missing", "zero"])
def test_verify_looks_into_the_weights(filled: Path, fault: str) -> None:
    file = filled / "model.safetensors"
    tensors = load_file(file)
    if fault == "nan":
        tensors["text_projection.linear1.bias"][4] = float("nan")
    elif fault == "missing":
        del tensors["audio_model.audio_encoder.norm.bias"]
    else:
        for name in ("weight", "bias"):
            tensors[f"audio_projection.linear2.{name}"].zero_()
    save_file(tensors, file)
    manifest = json.loads((filled / "checkpoint.json").read_text())
    manifest["files"]["model.safetensors"] = {
        "sha256": sha256_file(file),
        "size": file.stat().st_size,
    }
    (filled / "checkpoint.json").write_text(json.dumps(manifest))
    (problem,) = install.verify(NAME)
    told = {"nan": "not finite: text_projection", "missing": "norm.bias", "zero": "gives no vector"}
    assert told[fault] in problem


def test_verify_of_what_is_not_here(store_root: Path) -> None:
    with pytest.raises(HiveError, match="is not here") as caught:
        install.verify(NAME)
    assert caught.value.remedy == f"hive-bench checkpoints fetch {NAME}"


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HIVE_CHECKPOINTS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.path(NAME) == tmp_path / ".cache" / "hive" / "checkpoints" / NAME


def test_names_of_the_catalogue() -> None:
    assert catalogue.names("clap")[0] == "clap-music-audioset"
    names = catalogue.names()
    own = [entry.name for entry in catalogue.CATALOGUE]
    assert names[: len(own)] == tuple(own)
    assert len(own) == 8
    # Those of published separation networks are registered by their own package.
    assert set(names[len(own) :]) == {
        "audiosep",
        "audiosep-hive",
        "clapsep",
        "flowsep",
        "flowsep-hive",
    }
    assert len(set(names)) == len(names)
    for entry in catalogue.CATALOGUE:
        assert entry.sha256 is None or len(entry.sha256) == 64
        assert len(entry.revision) == 40
        assert entry.filename in entry.url
    with pytest.raises(HiveError, match="not known") as caught:
        catalogue.find("clap-music-audio")
    assert "did you mean clap-music-audioset" in caught.value.remedy
    with pytest.raises(HiveError) as caught:
        store.path("../../etc")
    assert "choose one of clap-music-audioset" in caught.value.remedy


def test_the_conversion_is_reproducible(converted: Path, store_root: Path, hub: Hub) -> None:
    install.fetch(NAME)
    first, second = (root / NAME / "model.safetensors" for root in (converted, store_root))
    assert sha256_file(first) == sha256_file(second)


def test_looking_is_cheap() -> None:
    code = (
        "import sys; from hive.checkpoints import catalogue, store, cli, install;"
        "store.inspect('clap-music-audioset');"
        "assert not {'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)"
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0
