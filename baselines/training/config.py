"""Reading the configuration of a training run: a shipped recipe or a file, and overrides."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import UnionType
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ValidationError

from baselines.training.sections import TrainingConfig
from hive.errors import HiveError

FOLDER = Path(__file__).resolve().parent / "configs"
_KINDS = {"missing": "is missing", "extra_forbidden": "is not known"}


def shipped() -> dict[str, Path]:
    """Return the shipped configurations by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def find(name: str | Path) -> Path:
    """Return the file of a shipped configuration, or of a path.

    Raises:
        HiveError: If there is neither, with the nearest name.
    """
    known = shipped()
    if str(name) in known:
        return known[str(name)]
    if (path := Path(name)).is_file():
        return path
    nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    raise HiveError(
        f"{name}: there is no such file, nor a configuration of that name",
        f"say {nearest[0]!r}" if nearest else f"take a file, or one of {', '.join(known)}",
    )


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a configuration.

    Args:
        path: YAML file, or the name of a shipped configuration.
        overrides: `section.key=value`, the value as YAML; later ones win. A new `kind` of a section
            drops what the file says of the old one.

    Raises:
        HiveError: If there is no such file, it is no YAML, a key is unknown or missing, or a value
            is of the wrong type or out of range; the file, the dotted key and, for an unknown key,
            the nearest known one are named.
    """
    path = find(path)
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HiveError(f"{path}: this is no YAML ({error})", "mend the file") from error
    if not isinstance(value, dict):
        raise HiveError(f"{path}: no sections found", "begin with a shipped configuration")
    for override in overrides:
        _override(value, override)
    return parse(value, str(path))


def parse(value: Mapping[str, Any], source: str) -> TrainingConfig:
    """Check the sections of a configuration, those of the network too; see `load_config`.

    Args:
        value: What the YAML file holds.
        source: Where it comes from, for messages.
    """
    with explained(source, TrainingConfig):
        config = TrainingConfig.model_validate(value)
    model_config(config, source)
    return config


def model_config(config: TrainingConfig, source: str = "configuration") -> Any:
    """Return the configuration of the network that a run trains.

    Its `window_seconds` is the length of the examples, unless the file says otherwise.

    Raises:
        HiveError: If `model.config` does not fit the architecture.
    """
    from baselines.architectures import architecture

    with naming(source, "model.architecture"):
        kind: Any = architecture(config.model.architecture).config_class
    preset = getattr(kind, config.model.preset)().model_dump()
    trained_on = {"window_seconds": config.data.seconds}
    with explained(source, kind, "model.config."):
        return kind.model_validate(joined(preset | trained_on, config.model.config))


def joined(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the changes; parts of another `kind` are replaced, others are joined."""
    result = dict(base)
    for key, new in changes.items():
        old = result.get(key)
        result[key] = new
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            kind = old.get("kind")
            if new.get("kind", kind) == kind:
                result[key] = joined(old, new)
    return result


def _override(value: dict[str, Any], text: str) -> None:
    """Put `a.b=c` into the sections."""
    name, equals, written = text.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise HiveError(f"{text!r} is no override", "write section.key=value: data.batch_size=8")
    try:
        new = yaml.safe_load(written)
    except yaml.YAMLError as error:
        raise HiveError(f"{text!r}: the value is no YAML ({error})", "mend the value") from error
    part = value
    for number, key in enumerate(keys[:-1], 1):
        part = part.setdefault(key, {})
        if not isinstance(part, dict):
            where = ".".join(keys[:number])
            raise HiveError(f"{text!r}: {where} has no parts", f"write {where}=value")
    if keys[-1] == "kind" and part.get("kind") != new:
        part.clear()
    part[keys[-1]] = new


@contextmanager
def naming(source: str, key: str) -> Iterator[None]:
    """Put file and key before the message of an error."""
    try:
        yield
    except HiveError as error:
        raise HiveError(f"{source}: {key}: {error.problem}", error.remedy) from error


class explained:  # noqa: N801 - used as a function, in a `with` statement
    """Turns what pydantic finds into an error for users.

    Args:
        source: File that the values come from.
        model: Class that they are checked by.
        prefix: Dotted name of the part that is checked, with a dot at its end.
    """

    def __init__(self, source: str, model: type[BaseModel], prefix: str = "") -> None:
        self._source, self._model, self._prefix = source, model, prefix

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> Literal[False]:
        if isinstance(error, ValidationError):
            self._tell(error)
        return False

    def _tell(self, error: ValidationError) -> typing.NoReturn:
        lines, remedies = [], []
        for found in error.errors(include_url=False):
            place, known = _place(self._model, found["loc"])
            dotted = self._prefix + ".".join(place)
            problem = _KINDS.get(found["type"]) or found["msg"][:1].lower() + found["msg"][1:]
            if found["type"] not in _KINDS and not isinstance(found["input"], Mapping):
                problem += f" (it is {found['input']!r})"
            lines.append(f"{dotted or 'configuration'}: {problem}")
            if found["type"] == "extra_forbidden":
                near = difflib.get_close_matches(place[-1], known, n=1, cutoff=0.5)
                remedies.append(
                    f"write {near[0]!r} for {place[-1]!r}"
                    if near
                    else f"{'.'.join(place[:-1]) or 'the configuration'} has {', '.join(known)}"
                )
        raise HiveError(
            f"{self._source}: {'; '.join(lines)}",
            "; ".join(remedies) or "see hive-bench train --fields",
        ) from error


def _place(model: type[BaseModel], loc: Sequence[int | str]) -> tuple[list[str], list[str]]:
    """Return the keys of a place, without the names of union members, and what could stand there.

    Args:
        model: Class of the whole.
        loc: Place as pydantic tells it: the member of a union that was tried is part of it.
    """
    place: list[str] = []
    candidates: list[type[BaseModel]] = [model]
    known: list[str] = []
    for key in map(str, loc):
        if len(candidates) > 1 and (chosen := [one for one in candidates if _is(one, key)]):
            candidates = chosen
            continue
        known = sorted({name for one in candidates for name in one.model_fields})
        place.append(key)
        candidates = [
            inner
            for one in candidates
            if key in one.model_fields
            for inner in _models(one.model_fields[key].annotation)
        ]
    return place, known


def _is(model: type[BaseModel], tag: str) -> bool:
    """Return whether a member of a union is the one that a tag names."""
    literals = (field.annotation for field in model.model_fields.values())
    return model.__name__ == tag or any(
        tag in typing.get_args(one) for one in literals if typing.get_origin(one) is Literal
    )


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the classes of sections in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (typing.Union, UnionType, typing.Annotated, list, tuple):
        for inner in typing.get_args(annotation):
            yield from _models(inner)


def fields(model: type[BaseModel] = TrainingConfig, prefix: str = "") -> Iterator[tuple[str, ...]]:
    """Yield dotted name, default and description of every field, sections in order.

    Fields of a section of one of several kinds have the kind in brackets.
    """
    for name, field in model.model_fields.items():
        dotted = f"{prefix}{name}"
        parts = list(_models(field.annotation))
        if not parts:
            needed = field.is_required()
            default = "" if needed else str(field.get_default(call_default_factory=True))
            yield dotted, default, field.description or ""
        elif len(parts) == 1:
            yield from fields(parts[0], f"{dotted}.")
        else:
            kinds = {
                str(typing.get_args(one.model_fields["kind"].annotation)[0]): one for one in parts
            }
            told = [f"{kind}: {one.__doc__}" for kind, one in kinds.items()]
            yield f"{dotted}.kind", "", " ".join(told)
            for kind, one in kinds.items():
                inner = fields(one, f"{dotted}.[{kind}].")
                yield from (row for row in inner if not row[0].endswith(".kind"))
