"""Checkpoints that other packages offer by entry points."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hive.checkpoints import catalogue, install, store
from hive.checkpoints.catalogue import Checkpoint, Collection, Companion
from hive.errors import HiveError
from hive.files import sha256_file


def entry(name: str, **changes: Any) -> Checkpoint:
    values = {"kind": "copy", "repo": "o/n", "revision": "r", "filename": "a.bin", "licence": "MIT"}
    return Checkpoint(name=name, purpose="p", **(values | changes))


class Copier:
    """A converter that is an object."""

    REVISION = 3

    def convert(self, source: Path, folder: Path, remedy: str) -> str:
        (folder / "model.safetensors").write_bytes(source.read_bytes())
        return "Copy"

    def check(self, folder: Path) -> list[str]:
        return [] if (folder / "model.safetensors").read_bytes().startswith(b"ok") else ["bad"]


COPIER = Copier()
OFFERED = Collection((entry("dog"), entry("apollo")), {"copy": f"{__name__}:COPIER"})
NOT_ONE = SimpleNamespace(checkpoints=(), converters={})


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def put(*values: str) -> None:
        found = [EntryPoint(f"e{n}", value, catalogue.GROUP) for n, value in enumerate(values)]
        monkeypatch.setattr(catalogue, "entry_points", lambda group: found)
        catalogue.collections.cache_clear()

    yield put
    catalogue.collections.cache_clear()


def test_offered_checkpoints_are_like_our_own(offer: Any, store_root: Path, tmp_path: Path) -> None:
    offer(f"{__name__}:OFFERED", f"{__name__}:OFFERED")
    assert catalogue.names() == (*(each.name for each in catalogue.CATALOGUE), "dog")
    assert catalogue.names("copy") == ("dog",)
    # Nobody takes a name of ours.
    assert catalogue.find("apollo").kind == "apollo"
    file = tmp_path / "a.bin"
    file.write_bytes(b"ok, weights")
    folder = install.convert(file, "dog", allow_other=True)
    manifest = json.loads((folder / "checkpoint.json").read_text())
    assert (manifest["kind"], manifest["architecture"], manifest["converter"]) == (
        "copy",
        "Copy",
        3,
    )
    assert manifest["source"]["sha256"] == sha256_file(file) == store.inspect("dog").sha256
    assert install.verify("dog") == []
    file.write_bytes(b"no weights.")
    install.convert(file, "dog", allow_other=True)
    assert install.verify("dog") == ["bad"]
    with pytest.raises(HiveError, match="'dig' is not known") as caught:
        catalogue.find("dig")
    assert "dog" in caught.value.remedy


@pytest.mark.parametrize("value", ["no_such_module_here:X", f"{__name__}:NOT_ONE"])
def test_a_collection_that_is_none_is_named(offer: Any, value: str) -> None:
    offer(value)
    with pytest.raises(HiveError, match=r"entry point e0 of hive_bench\.checkpoints"):
        catalogue.names()
    # Our own do without it.
    assert catalogue.find("apollo").name == "apollo"
    assert install._converter(catalogue.find("apollo")).REVISION == 1


def test_each_kind_has_a_converter() -> None:
    with pytest.raises(ValueError, match="without a converter: copy"):
        Collection((entry("dog"),), {"other": "x"})


def test_spaces_and_folders_of_repositories(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[Any] = []

    def download(repo: str, file: str, **options: Any) -> str:
        asked.append((repo, file, options))
        return f"/cache/{file}"

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    space = entry(
        "dog", filename="model/a.bin", space=True, companions=(Companion("b.csv", "0" * 64),)
    )
    assert space.url == "https://huggingface.co/spaces/o/n/resolve/r/model/a.bin"
    assert install._download(space.files, space) == [
        Path("/cache/model/a.bin"),
        Path("/cache/model/b.csv"),
    ]
    options = {"revision": "r", "repo_type": "space"}
    assert asked == [("o/n", "model/a.bin", options), ("o/n", "model/b.csv", options)]

    def fails(*_: Any, **__: Any) -> str:
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fails)
    with pytest.raises(HiveError, match="no network") as caught:
        install._download(space.files, space)
    assert "hive-bench checkpoints convert a.bin --name dog" in caught.value.remedy
