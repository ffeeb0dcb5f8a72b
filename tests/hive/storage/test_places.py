from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hive.errors import HiveError
from hive.files import write_text
from hive.main import build
from hive.mixing.roots import PoolRoot
from hive.storage import folder_name, is_address, is_remote, place


def test_paths_stay_paths_and_addresses_become_remote_places() -> None:
    for text in ("pool", "/data/pool", "./a:b", "C:\\pool", "a//b", "file:pool"):
        assert place(text) == Path(text)
        assert not is_address(text)
    assert place("file:///data/pool") == Path("/data/pool")
    path = Path("pool")
    assert place(path) is path
    remote = place("s3://bucket/pool/")
    assert is_remote(remote)
    assert not is_remote(path)
    assert str(remote) == "s3://bucket/pool"
    assert str(place("S3://bucket/pool")) == "s3://bucket/pool"
    assert place(remote) is remote


def test_places_are_compared_joined_and_sent_like_paths() -> None:
    pool = place("s3://bucket/pool")
    clip = pool / "corpus/label/clip.flac"
    assert str(clip) == "s3://bucket/pool/corpus/label/clip.flac"
    assert clip.relative_to(pool).as_posix() == "corpus/label/clip.flac"
    assert (clip.name, clip.stem, clip.suffix) == ("clip.flac", "clip", ".flac")
    assert str(clip.with_suffix(".json")) == "s3://bucket/pool/corpus/label/clip.json"
    assert str(pool / Path(".hive") / "lock") == "s3://bucket/pool/.hive/lock"
    assert clip.parent.parent.parent == pool
    assert pickle.loads(pickle.dumps(clip)) == clip
    assert {clip: 1}[pool / "corpus" / "label" / "clip.flac"] == 1
    assert sorted([pool / "b", pool / "a"]) == [pool / "a", pool / "b"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("s3://bucket/data/pool", "pool"),
        ("s3://bucket", "bucket"),
        ("s3://bucket/", "bucket"),
        ("hf://datasets/owner/name", "name"),
    ],
)
def test_folders_have_a_name(text: str, name: str) -> None:
    assert folder_name(place(text)) == name
    assert folder_name(Path("some/pool/.")) == "pool"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("s3://", "names no bucket"),
        ("s3:///pool", "names no bucket"),
        ("s3://key:secret@bucket/pool", r"s3://\.\.\.@bucket: .*no password"),
        ("s3://bucket/../other", r"\.\."),
        ("s3://bucket/*", r"\*"),
        ("s3://bucket/pool[1]", r"\["),
        ("gopher://host/pool", "gopher://"),
        ("simplecache::s3://bucket/pool", "inside addresses"),
        ("zip://pool::s3://bucket/a.zip", "inside addresses"),
    ],
)
def test_addresses_that_name_no_place_are_refused(text: str, told: str) -> None:
    with pytest.raises(HiveError, match=told) as caught:
        place(text)
    assert caught.value.remedy
    assert "secret" not in str(caught.value)


def test_a_back_end_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = importlib.import_module("fsspec.registry")
    monkeypatch.delitem(registry._registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(HiveError, match=r"s3://bucket") as caught:
        place("s3://bucket/pool")
    assert caught.value.remedy == "pip install 'hive-bench[s3]'"


def test_hub_addresses_are_opened_by_the_hubs_own_file_system() -> None:
    from huggingface_hub import HfFileSystem

    found = place("hf://datasets/owner/name/data/2mix/test-00000-of-00001.tar")
    assert isinstance(found.fs, HfFileSystem)  # type: ignore[attr-defined]
    revision = place("hf://datasets/owner/name@v1/mixtures.parquet")
    assert revision.path == "datasets/owner/name@v1/mixtures.parquet"  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", ["s3://bucket/pool", "hf://datasets/a/b", "https://host/x"])
def test_an_address_that_was_taken_for_a_path_makes_no_folder(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HiveError, match="only a path of this machine"):
        write_text(Path(address) / "file", "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pool", ["pool", "s3://bucket/pool", "memory://pool"])
@pytest.mark.parametrize(
    "path",
    [
        "s3://other/secret.wav",
        "S3://other/secret.wav",
        "file:///etc/passwd",
        "memory://other/x.wav",
        "simplecache::s3://other/x.wav",
        "/etc/passwd",
        "corpus/../../x.wav",
        "corpus\\..\\x.wav",
        "corpus/\0.wav",
    ],
)
def test_no_path_of_a_table_leads_out_of_its_root(pool: str, path: str) -> None:
    with pytest.raises(HiveError, match="leads out of its folder"):
        PoolRoot(place(pool))(path)


def test_commands_take_addresses_and_refuse_wrong_ones_at_once() -> None:
    runner = CliRunner()
    for command in (
        "pool import",
        "pool synth",
        "pool stats",
        "pool duplicates",
        "pool split",
        "mix plan",
        "mix render",
        "mix verify",
        "mix stats",
        "build",
    ):
        told = runner.invoke(build(), [*command.split(), "--help"]).output
        assert "PATH" in told, command
    done = runner.invoke(build(), ["pool", "stats", "gopher://host/pool"])
    assert isinstance(done.exception, HiveError)
    assert "gopher://" in done.exception.problem
