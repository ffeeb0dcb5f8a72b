"""What is here, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

_DISTRIBUTION = "hive-bench"
#: Packages of extras: name, extra, and what they are for.
_EXTRAS = (("ray", "ray", "--engine ray"), ("s3fs", "s3", "s3:// addresses"))


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        what: What was looked for.
        found: What is there.
        ok: Whether it is as it should be; None where there is nothing to judge.
        required: Whether the package needs it.
        remedy: What to do when it is not.
    """

    what: str
    found: str
    ok: bool | None
    required: bool = False
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at the installation, audio decoding, accelerators, checkpoints and registered data."""
    return [
        *_python(),
        *_packages(),
        *_extras(),
        _audio_columns(),
        *_accelerators(),
        _disk(),
        *_models(),
        *_networks(),
        *_curators(),
        *_data(),
    ]


def _python() -> Iterator[Finding]:
    supported = (3, 10) <= sys.version_info[:2] <= (3, 12)
    yield Finding(
        "Python",
        platform.python_version(),
        supported,
        True,
        "" if supported else "use 3.10 to 3.12",
    )
    yield Finding("cores", str(os.cpu_count()), None)


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    try:
        needed = [Requirement(text) for text in requires(_DISTRIBUTION) or []]
    except PackageNotFoundError:
        yield Finding(_DISTRIBUTION, "not installed", False, True, "pip install -e .")
        return
    for requirement in needed:
        if requirement.marker is not None:  # an extra
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield Finding(
                requirement.name, "not installed", False, True, f'pip install "{requirement}"'
            )
            continue
        good = requirement.specifier.contains(found, prereleases=True)
        yield Finding(
            requirement.name, found, good, True, "" if good else f'pip install "{requirement}"'
        )


def _extras() -> Iterator[Finding]:
    """Tell of packages that only some commands need."""
    for name, extra, what in _EXTRAS:
        try:
            found, good = version(name), True
        except PackageNotFoundError:
            found, good = "not installed", False
        remedy = "" if good else f"pip install '{_DISTRIBUTION}[{extra}]'"
        yield Finding(f"{name} ({what})", found, good, False, remedy)


def _audio_columns() -> Finding:
    from hive.shards.dataset import can_decode

    good = can_decode()
    return Finding(
        "decoding in `datasets`",
        "torchcodec with FFmpeg" if good else "torchcodec finds no FFmpeg libraries",
        good,
        False,
        ""
        if good
        else "apt-get install ffmpeg (4 to 8), then register again; without it the audio columns "
        "give encoded bytes, which soundfile reads",
    )


def _accelerators() -> Iterator[Finding]:
    try:
        import torch
    except ImportError:
        return
    if not torch.cuda.is_available():
        yield Finding("GPU", "none", None, False, "everything here also runs on the CPU")
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        memory = properties.total_memory / 2**30
        yield Finding(f"GPU {number}", f"{properties.name}, {memory:.0f} GiB", True)


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding("disk space here", f"{free:.0f} GB free", None)


def _models() -> Iterator[Finding]:
    from hive.models import listings

    found = listings()
    ready = [each.name for each in found if not each.missing]
    remedy = "" if ready else "pip install -e . registers them"
    yield Finding("models", ", ".join(ready) or "none", bool(ready), True, remedy)
    for each in found:
        for error in each.missing:
            yield Finding(f"model {each.name}", error.problem, False, False, error.remedy)


def _networks() -> Iterator[Finding]:
    """What the perceptual metrics need: the embedding of the tables, and a judge."""
    from hive.embedding.registry import DEFAULT, describe
    from hive.judge.client import describe as describe_judge

    embedding = describe(DEFAULT)
    found = embedding.reason or embedding.text_reason or embedding.title
    remedy = embedding.remedy or embedding.text_remedy
    yield Finding("FAD, LPAPS, CLAP scores", found, not remedy, False, remedy)
    judge = describe_judge()
    yield Finding("judge", judge.reason or judge.title, judge.available, False, judge.remedy)


def _curators() -> Iterator[Finding]:
    """The models that `hive-bench curate` asks."""
    from hive.llm.registry import describe as describe_llm
    from hive.restoration.registry import describe as describe_restorer
    from hive.tagging.registry import describe as describe_tagger

    for what, info in (
        ("language model (curate)", describe_llm()),
        ("audio tagger (curate)", describe_tagger()),
        ("super-resolution (curate)", describe_restorer()),
    ):
        yield Finding(what, info.reason or info.title, info.available, False, info.remedy)


def _data() -> Iterator[Finding]:
    import datasets

    from hive.shards.register import registered

    yield Finding("Hugging Face cache", str(datasets.config.HF_DATASETS_CACHE), None)
    names = registered()
    yield Finding(
        'load_dataset("hive", ...)',
        ", ".join(names) or "nothing is registered",
        bool(names),
        False,
        "" if names else "hive-bench register mini, or register DATASET",
    )
