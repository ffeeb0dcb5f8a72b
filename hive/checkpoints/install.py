"""Fetching, converting and verifying checkpoints, whatever their kind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, cast

from hive.checkpoints.catalogue import Checkpoint, HubFiles, collections, find
from hive.checkpoints.sniff import is_zip
from hive.checkpoints.store import MANIFEST, SCHEMA, VARIABLE, Status, inspect, path, remedy
from hive.errors import HiveError
from hive.files import TEMPORARY_SUFFIX, sha256_file, write_bytes, write_json

#: Kind of a checkpoint -> module that is its `Converter`; other packages offer others.
_CONVERTERS = {
    "clap": "hive.checkpoints.clap",
    "tagger": "hive.checkpoints.tagger",
    "apollo": "hive.checkpoints.apollo",
}
_PACKAGES = ("hive-bench", "numpy", "safetensors", "torch", "transformers")
_PATIENCE = 10.0  # seconds


class Converter(Protocol):
    """What the module, or object, of a kind of checkpoint offers."""

    REVISION: int

    def convert(self, source: Path, folder: Path, remedy: str) -> str:
        """Write weights and configuration into `folder`; return the architecture's name."""
        ...

    def check(self, folder: Path) -> list[str]:
        """Load what `convert` wrote, run it, and say what is wrong."""
        ...


class TextConverter(Converter, Protocol):
    """What the module of a kind with a text tower offers besides."""

    def check_tokenizer(self, tokenizer: Path, folder: Path, remedy: str) -> None:
        """Raise a `HiveError` if the files in `tokenizer` do not fit the model in `folder`."""
        ...


def fetch(name: str) -> Path:
    """Download a checkpoint and convert it; an interrupted download goes on where it stopped.

    What is here already is not fetched again. The download stays in the cache of the hub.

    What comes from the pinned commit counts as published, and must have the hash of the catalogue
    where that has one.

    Returns:
        Its folder.

    Raises:
        HiveError: If the hub cannot be reached, or does not give the file that is expected.
    """
    entry, status = find(name), inspect(name)
    if status.state == "ready":
        if entry.tokenizer is not None and not status.has_tokenizer:
            _add_tokenizer(status, entry, _download(entry.tokenizer, entry)[0].parent)
        return status.folder
    if entry.page:
        raise HiveError(
            f"{entry.filename} is published on {entry.page}, not on the hub",
            f"download it by hand, then run: hive-bench checkpoints convert {entry.filename} "
            f"--name {name}{'' if entry.sha256 else ' --allow-other'}",
        )
    source = _download(entry.files, entry)[0]
    tokenizer = _download(entry.tokenizer, entry)[0].parent if entry.tokenizer else None
    return _convert(source, entry, tokenizer, fetched=True)


def convert(
    file: Path | str, name: str, tokenizer: Path | str | None = None, *, allow_other: bool = False
) -> Path:
    """Convert a file that is already here.

    Args:
        file: The published file, with its companions in the same folder.
        name: Which checkpoint it is.
        tokenizer: Folder with the tokenizer's files; without it no texts can be embedded.
        allow_other: Also take weights that are not known to be the published ones. The manifest
            says so, and the hash that goes with every result is theirs.

    Returns:
        The checkpoint's folder. What was there is replaced only when all is done.

    Raises:
        HiveError: If the file is not that checkpoint, or nobody can tell because the catalogue has
            no hash of it; if it cannot be read safely, or the result cannot be written.
    """
    entry = find(name)
    given = Path(tokenizer) if tokenizer else None
    return _convert(Path(file), entry, given, allow_other=allow_other)


def verify(name: str) -> list[str]:
    """Hash all files, load the weights, check them and run the model once.

    Returns:
        What is wrong; nothing if all is well.

    Raises:
        HiveError: If the checkpoint is not known or not here.
    """
    entry, status = find(name), inspect(name)
    if status.state == "absent":
        raise HiveError(f"checkpoint {name} is not here", remedy(name))
    if status.state == "damaged":
        return [f"{status.folder}: {status.problem}"]
    problems = [
        f"{status.folder / file}: is not the file that was written (its hash differs)"
        for file, about in status.manifest["files"].items()
        if sha256_file(status.folder / file) != about["sha256"]
    ]
    return problems or _converter(entry).check(status.folder)


def _convert(
    source: Path,
    entry: Checkpoint,
    tokenizer: Path | None,
    *,
    fetched: bool = False,
    allow_other: bool = False,
) -> Path:
    if not source.is_file():
        raise HiveError(f"{source}: there is no such file", f"download it from {entry.url}")
    again = f"download {' and '.join(entry.files.files)} again from {entry.url}"
    is_zip(source, again)
    origin = _origin(source, entry, again, fetched, allow_other)
    converter = _converter(entry)
    with _replacing(path(entry.name)) as folder:
        architecture = converter.convert(source, folder, again)
        if tokenizer is not None and entry.tokenizer is not None:
            _copy_tokenizer(tokenizer, entry, folder, folder)
        manifest = {
            "schema": SCHEMA,
            "name": entry.name,
            "kind": entry.kind,
            "architecture": architecture,
            "source": origin,
            "files": _hashes(folder, sorted(file.name for file in folder.iterdir())),
            "converter": converter.REVISION,
            "versions": {package: version(package) for package in _PACKAGES},
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        write_json(folder / MANIFEST, manifest)
    return path(entry.name)


def _origin(
    source: Path, entry: Checkpoint, again: str, fetched: bool, allow_other: bool
) -> dict[str, Any]:
    """What the manifest says of the source; refuse one that is not the published file."""
    size = source.stat().st_size
    difference = ""
    if entry.size not in (None, size):  # known at once; a hash takes a while
        difference = f"{size} bytes, published {entry.size}"
    digest = "" if difference and not allow_other else sha256_file(source)
    if not difference and entry.sha256 not in (None, digest):
        difference = f"SHA-256 {digest[:12]}…, published {str(entry.sha256)[:12]}…"
    difference = difference or _difference_beside(source, entry)
    if difference and not allow_other:
        raise HiveError(
            f"{source}: is not {entry.filename} of {entry.repo} ({difference})",
            f"{again}; or, for other weights of the same network, add --allow-other",
        )
    published = not difference and (fetched or entry.sha256 is not None)
    if not published and not allow_other:
        raise HiveError(
            f"{source}: may be {entry.filename} of {entry.repo} or not: its SHA-256 is not known",
            ("" if entry.page else f"{remedy(entry.name)}, which takes it from there; or ")
            + "add --allow-other, and results say that the weights are not known to be the "
            "published ones",
        )
    return {
        "repo": entry.repo if published else None,
        "revision": entry.revision if published else None,
        "file": entry.filename if published else source.name,
        "sha256": digest,
        "size": size,
        "published": published,
    }


def _difference_beside(source: Path, entry: Checkpoint) -> str:
    """Say which companion of a file is not there or not the published one; empty if none."""
    for companion in entry.companions:
        file = source.with_name(companion.filename)
        if not file.is_file():
            return f"{companion.filename} is not beside it"
        if sha256_file(file) != companion.sha256:
            return f"{companion.filename} beside it has another SHA-256"
    return ""


def _hashes(folder: Path, files: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {
        file: {"sha256": sha256_file(folder / file), "size": (folder / file).stat().st_size}
        for file in files
    }


def _copy_tokenizer(given: Path, entry: Checkpoint, config: Path, folder: Path) -> None:
    """Copy the tokenizer's files into `folder`, if they fit the model configured in `config`."""
    wanted = entry.tokenizer.files if entry.tokenizer else ()
    for file in wanted:
        if not (given / file).is_file():
            raise HiveError(
                f"{given}: holds no {file}",
                f"give a folder with {' and '.join(wanted)} of {_tokenizer_repo(entry)}",
            )
    converter = cast(TextConverter, _converter(entry))
    converter.check_tokenizer(given, config, f"take those of {_tokenizer_repo(entry)}")
    for file in wanted:
        write_bytes(folder / file, (given / file).read_bytes())


def _add_tokenizer(status: Status, entry: Checkpoint, given: Path) -> None:
    _copy_tokenizer(given, entry, status.folder, status.folder)
    added = _hashes(status.folder, entry.tokenizer.files if entry.tokenizer else ())
    files = {**status.manifest["files"], **added}
    write_json(status.folder / MANIFEST, {**status.manifest, "files": files})


def _tokenizer_repo(entry: Checkpoint) -> str:
    return f"https://huggingface.co/{entry.tokenizer.repo}" if entry.tokenizer else ""


def hub_answers() -> bool:
    """Return whether the hub can be reached.

    Its client finds out only after six attempts, which take half a minute to some minutes.
    """
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=_PATIENCE)
    except Exception:  # those of its transport, which differs from version to version
        return False
    return True


def _download(files: HubFiles, entry: Checkpoint) -> list[Path]:
    from huggingface_hub import hf_hub_download

    options: dict[str, Any] = {"repo_type": "space"} if files.space else {}
    answers = hub_answers()
    if not answers:
        options["local_files_only"] = True  # its cache may have them
    try:
        return [
            Path(hf_hub_download(files.repo, file, revision=files.revision, **options))
            for file in files.files
        ]
    except OSError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if not answers:
            reason = "the hub does not answer"
        by_hand = f"download {entry.filename} by hand from {entry.url}"
        option = ""
        if entry.companions:
            names = " and ".join(companion.filename for companion in entry.companions)
            by_hand += f", with {names} of the same commit into the same folder"
        if entry.tokenizer:
            by_hand += f", and {' and '.join(entry.tokenizer.files)} from {_tokenizer_repo(entry)}"
            option = " --tokenizer FOLDER"
        if entry.sha256 is None:
            option += " --allow-other"
        raise HiveError(
            f"{' and '.join(files.files)} of {files.repo} cannot be fetched ({reason[:200]})",
            f"connect and run the same command again, or {by_hand}; then "
            f"hive-bench checkpoints convert {Path(entry.filename).name} --name {entry.name}"
            f"{option}",
        ) from error


def _converter(entry: Checkpoint) -> Converter:
    target = _CONVERTERS.get(entry.kind) or next(
        each.converters[entry.kind] for each in collections() if entry in each.checkpoints
    )
    module, _, attribute = target.partition(":")
    found = import_module(module)
    return cast(Converter, getattr(found, attribute) if attribute else found)


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A folder beside `target` that takes its place in the end; on any failure it is removed."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=TEMPORARY_SUFFIX
        )
    except OSError as error:
        raise HiveError(
            f"{target.parent}: cannot be written ({error.strerror})",
            f"set {VARIABLE} to a folder that you may write to",
        ) from error
    temporary = Path(made)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        if target.exists():
            target.rename(temporary.with_suffix(".old"))
        temporary.rename(target)
    except OSError as error:
        raise HiveError(
            f"{target}: cannot be written ({error.strerror or error})",
            f"free some space, or set {VARIABLE} to another folder",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(temporary.with_suffix(".old"), ignore_errors=True)
