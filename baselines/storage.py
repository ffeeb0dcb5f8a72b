"""The files of a saved network: what is written, and what is believed when it is read.

A network is a folder with `config.json` (what it is), `model.safetensors` (its weights) and
`README.md` (its model card). The weights of a frozen CLAP are not written again: the configuration
of the query encoder names the checkpoint and its SHA-256, and the encoder checks both. Nothing here
opens a pickle.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hive.checkpoints.catalogue import suggestion
from hive.errors import HiveError
from hive.files import write_bytes, write_json

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
FORMAT: Literal[1] = 1
"""Number of this layout; it grows when older code could not read a folder."""

Storage: TypeAlias = Literal["float32", "float16", "bfloat16"]
_Model = TypeVar("_Model", bound=BaseModel)
_PICKLES = (b"PK", b"\x80")
_POINTER = b"version https://git-lfs"
_SHOWN = 20
_AGAIN = "save or download it again"


class TensorMismatchError(HiveError):
    """The tensors of a file are not those of the network.

    Attributes:
        missing: Names that the network has and the file has not.
        unexpected: Names that the file has and the network has not.
        reshaped: Names that both have, in other shapes or kinds.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()


class Description(BaseModel):
    """Content of `config.json`.

    Attributes:
        format: Number of the layout, `FORMAT`.
        architecture: Name in `baselines.architectures`.
        config: Configuration of the network, without that of its query encoder.
        encoder: Configuration of its query encoder, as `make_encoder` takes it.
        storage: Type of the weight matrices in the file; networks compute in float32.
        package_version: Version of hive-bench that wrote it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    architecture: str
    config: dict[str, Any]
    encoder: dict[str, Any]
    storage: Storage = "float32"
    package_version: str


def write_description(folder: Path, description: Description) -> None:
    """Write `config.json`; equal descriptions give equal bytes."""
    write_json(folder / CONFIG, description.model_dump(mode="json"))


def read_description(folder: Path) -> Description:
    """Read `config.json`.

    Raises:
        HiveError: If it is not there, is no JSON object, is of another format, or has a field too
            many, too few or of another type.
    """
    file = folder / CONFIG
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HiveError(
            f"{folder}: holds no {CONFIG}, so it is no saved network",
            "give the folder that save_pretrained or hive-bench checkpoints wrote",
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise HiveError(f"{file}: cannot be read ({error})", _AGAIN) from error
    if not isinstance(content, dict):
        raise HiveError(f"{file}: is no JSON object", _AGAIN)
    if content.get("format") != FORMAT:
        raise HiveError(
            f"{file}: field format is {content.get('format')!r}, this version reads {FORMAT}",
            "update hive-bench if the folder is newer; otherwise it was not written by hive-bench",
        )
    return parse(Description, content, str(file))


def parse(kind: type[_Model], content: Any, about: str, prefix: str = "") -> _Model:
    """Make a pydantic model of what a file says.

    Args:
        kind: The model.
        content: JSON values.
        about: The file, for the message.
        prefix: Where in the file the content is, such as "config.".

    Raises:
        HiveError: If it does not fit, naming the first field that does not.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = prefix + ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            *parents, name = map(str, first["loc"])
            choices = () if parents else tuple(kind.model_fields)
            raise HiveError(
                f"{about}: key {field} is not known",
                suggestion(name, choices) if choices else "remove it",
            ) from error
        raise HiveError(f"{about}: field {field}: {first['msg']}", "mend it") from error


def write_weights(
    folder: Path, tensors: Mapping[str, Tensor], storage: Storage, reducible: Collection[str]
) -> None:
    """Write `model.safetensors`; equal tensors give equal bytes.

    Args:
        folder: Where to write.
        tensors: By name.
        storage: Type of those that may be reduced.
        reducible: Names of those that may be stored in less than float32.

    Raises:
        HiveError: If a weight is not finite, or is beyond the range of the type.
    """
    import torch
    from safetensors.torch import save

    kind = getattr(torch, storage)
    stored: dict[str, Tensor] = {}
    for name, tensor in sorted(tensors.items()):
        value = tensor.detach().cpu()
        _check_finite(value, name, "the network")
        if name in reducible and value.dtype == torch.float32:
            value = value.to(kind)
            _check_finite(value, name, storage, "store it as bfloat16 or float32")
        # Tensors that share memory are written each by itself.
        stored[name] = value.clone(memory_format=torch.contiguous_format)
    write_bytes(folder / WEIGHTS, save(stored, metadata={"format": "pt"}))


def read_weights(folder: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read `model.safetensors`.

    Args:
        folder: Where it is.
        expected: Tensors of the right names, shapes and types; their values do not matter.

    Returns:
        The tensors by name, of the expected types.

    Raises:
        TensorMismatchError: If there are others than expected.
        HiveError: If the file is not there, is cut off, is a pickle or something else, or holds
            weights that are not finite.
    """
    from safetensors import SafetensorError, safe_open

    file = folder / WEIGHTS
    _sniff(file)
    try:
        with safe_open(file, framework="pt", device="cpu") as opened:
            found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise HiveError(f"{file}: is cut off or damaged ({error})", _AGAIN) from error
    _compare(file, found, expected)
    for name, tensor in found.items():
        _check_finite(tensor, name, str(file), _AGAIN)
    return {name: tensor.to(expected[name].dtype) for name, tensor in found.items()}


def _sniff(file: Path) -> None:
    """Raise a `HiveError` if the file is not there, or is what people put in its place."""
    try:
        with file.open("rb") as handle:
            start = handle.read(64)
    except FileNotFoundError as error:
        raise HiveError(
            f"{file.parent}: holds no {WEIGHTS}",
            "only safetensors are read; published checkpoints are converted by hive-bench "
            "checkpoints convert",
        ) from error
    except OSError as error:
        raise HiveError(f"{file}: cannot be read ({error.strerror})", _AGAIN) from error
    if not start:
        raise HiveError(f"{file}: is empty", _AGAIN)
    if start.startswith(_POINTER):
        raise HiveError(f"{file}: is a Git LFS pointer, not the file it points to", "git lfs pull")
    # Of safetensors the length of the head comes first, eight bytes of any value, then the head.
    if start.startswith(_PICKLES) and start[8:9] != b"{":
        raise HiveError(
            f"{file}: is a pickle, not safetensors; it can hold code and is not opened",
            "take weights that are stored as safetensors, or convert the published checkpoint with "
            "hive-bench checkpoints convert",
        )


def _compare(file: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    missing = sorted(expected.keys() - found.keys())
    unexpected = sorted(found.keys() - expected.keys())
    reshaped = [
        f"{name} {_kind(found[name])}, expected {_kind(expected[name])}"
        for name in sorted(found.keys() & expected.keys())
        if found[name].shape != expected[name].shape
        or found[name].is_floating_point() != expected[name].is_floating_point()
    ]
    if not (missing or unexpected or reshaped):
        return
    told = [
        f"{len(names)} {what}: {', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}"
        for what, names in (
            ("missing", missing),
            ("not expected", unexpected),
            ("of another shape or kind", reshaped),
        )
        if names
    ]
    error = TensorMismatchError(
        f"{file}: its tensors are not those that {CONFIG} beside it describes ({'; '.join(told)})",
        "take both files from the same place",
    )
    error.missing, error.unexpected = tuple(missing), tuple(unexpected)
    error.reshaped = tuple(line.partition(" ")[0] for line in reshaped)
    raise error


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _check_finite(tensor: torch.Tensor, name: str, about: str, remedy: str = "") -> None:
    if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
        raise HiveError(f"{about}: tensor {name} holds values that are not finite", remedy)
