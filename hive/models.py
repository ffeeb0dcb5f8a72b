"""Finding separation models by a specification, without importing any of them first.

A specification is one of

- a name from the entry-point group `hive_bench.models` ("irm"), or
- `scheme:argument`, where the scheme comes from the group `hive_bench.model_schemes`: `process:`
  (a command in another environment), `files:` (estimates on disk), and
  `python:package.module:Class` for a class of one's own, also of the current folder.

An entry names a factory, mostly a class. It is called with the options given by the user, with
`device` if it has such a parameter (otherwise the result's `to(device)` is called, if there is
one), and returns a `Separator` or `OracleSeparator`. Beyond that protocol a model may have

- `takes_negatives` (False): whether it uses `Query.negatives`;
- `deterministic` (not `generative`): whether equal inputs give equal outputs whatever the state of
  torch's generator; other models are run one item at a time, each with its own seed;
- `max_batch` (None): the most items that it takes at once;
- an `items` parameter of `separate`, which then gets one `hive.inference.Item` a row;
- `name`, `checkpoint_sha256`, `details` (a dictionary for the record) and `close()`;
- on the factory, a static method `missing()`: the `HiveError`s that stand in the way of using it
  on this machine, each with its remedy; what it has of the factory's options among its parameters
  (`weights`) it is told.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import UnionType
from typing import Any

from hive.errors import HiveError
from hive.separator import OracleSeparator, Separator

MODELS = "hive_bench.models"
SCHEMES = "hive_bench.model_schemes"

AnySeparator = Separator | OracleSeparator
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Listing:
    """What is known of a registered model without building it.

    Attributes:
        name: What `--model` takes.
        summary: First line of the factory's docstring.
        sample_rate: Rate in Hz, 0 for any, None if only the built model knows.
        generative: Whether the output is synthesised.
        uses_reference: Whether it is shown the true source (an upper bound, no contender).
        takes_negatives: Whether it uses negative queries.
        missing: What stands in the way on this machine; empty when it can be used.
    """

    name: str
    summary: str
    sample_rate: int | None
    generative: bool
    uses_reference: bool
    takes_negatives: bool
    missing: tuple[HiveError, ...]


def names() -> list[str]:
    """Return the registered model names, sorted."""
    return sorted(entry_points(group=MODELS).names)


def schemes() -> list[str]:
    """Return the registered schemes, sorted."""
    return sorted(entry_points(group=SCHEMES).names)


def listings() -> list[Listing]:
    """Describe every registered model; one that cannot be imported is listed as missing."""
    return [_describe(entry) for entry in sorted(entry_points(group=MODELS), key=lambda e: e.name)]


def load(
    spec: str, *, device: str = "cpu", options: Mapping[str, str] | None = None
) -> AnySeparator:
    """Build the model that a specification names.

    Args:
        spec: A registered name or `scheme:argument`.
        device: Torch device, such as "cpu" or "cuda:0".
        options: Keyword arguments for the factory, as text; they are converted to the types of
            its annotations (str, int, float, bool, Path).

    Returns:
        The model, in evaluation mode.

    Raises:
        HiveError: If there is no such model, an option is unknown or ill-formed, something that the
            model needs is missing, or what the factory returns is no separator.
    """
    factory, arguments = _resolve(spec)
    missing = _missing(factory, options)
    if missing:
        raise HiveError(f"model {spec}: {missing[0].problem}", missing[0].remedy)
    parameters = _parameters(factory)
    keywords = _convert(spec, factory, parameters, options or {})
    takes_device = "device" in parameters
    if takes_device:
        keywords["device"] = device
    model = factory(*arguments, **keywords)
    if not takes_device and hasattr(model, "to"):
        model = model.to(device)
    if getattr(model, "training", False):
        model.eval()
    _check(spec, model)
    return typing.cast(AnySeparator, model)


def parse_options(texts: Iterable[str]) -> dict[str, str]:
    """Split options of the form NAME=VALUE.

    Raises:
        HiveError: If one has no equals sign or is given twice.
    """
    options: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or name in options:
            problem = "is there twice" if name in options else "is not of the form NAME=VALUE"
            raise HiveError(f"--option {text}: {problem}", "give each option once, as NAME=VALUE")
        options[name] = value
    return options


def from_python(target: str) -> Callable[..., Any]:
    """Return the factory that `package.module:Class` names.

    Raises:
        HiveError: If the text is no such name, or the module or the attribute is not there.
    """
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise HiveError(
            f"model python:{target}: not of the form python:package.module:Class",
            "name a module and a class in it, such as python:my_models:MyModel",
        )
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise HiveError(
            f"model python:{target}: module {module_name} cannot be imported ({error})",
            "install it, or run in the folder that holds it",
        ) from error
    try:
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError as error:
        raise HiveError(
            f"model python:{target}: module {module_name} has no {attribute}",
            _suggestion(attribute, [name for name in vars(found) if not name.startswith("_")]),
        ) from error
    if not callable(found):
        raise HiveError(
            f"model python:{target}: {attribute} is not a class or function", "name a class"
        )
    return typing.cast(Callable[..., Any], found)


def _resolve(spec: str) -> tuple[Callable[..., Any], tuple[str, ...]]:
    scheme, colon, argument = spec.partition(":")
    if colon:
        if scheme == "python":
            return from_python(argument), ()
        found = entry_points(group=SCHEMES, name=scheme)
        if not found:
            raise HiveError(
                f"model {spec}: there is no scheme {scheme!r}",
                f"use one of {', '.join([*schemes(), 'python'])}",
            )
        if not argument:
            raise HiveError(f"model {spec}: nothing follows the colon", "see hive-bench models")
        return _load_entry(next(iter(found))), (argument,)
    found = entry_points(group=MODELS, name=spec)
    if not found:
        raise HiveError(f"there is no model {spec!r}", _suggestion(spec, names()))
    return _load_entry(next(iter(found))), ()


def _load_entry(entry: EntryPoint) -> Callable[..., Any]:
    try:
        return typing.cast(Callable[..., Any], entry.load())
    except (ImportError, AttributeError) as error:
        raise HiveError(
            f"model {entry.name}: {entry.value} cannot be imported ({error})",
            "install what is missing, see hive-bench doctor",
        ) from error


def _suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    listed = f"choose from {', '.join(sorted(known))}"
    return f"did you mean {close[0]!r}? Otherwise {listed}" if close else listed


def _describe(entry: EntryPoint) -> Listing:
    try:
        factory = _load_entry(entry)
    except HiveError as error:
        return Listing(entry.name, "", None, False, False, False, (error,))
    rate = getattr(factory, "sample_rate", None)
    return Listing(
        name=entry.name,
        summary=(inspect.getdoc(factory) or "").partition("\n")[0],
        sample_rate=rate if isinstance(rate, int) else None,
        generative=getattr(factory, "generative", False) is True,
        uses_reference=getattr(factory, "uses_reference", False) is True,
        takes_negatives=getattr(factory, "takes_negatives", False) is True,
        missing=tuple(_missing(factory)),
    )


def _missing(
    factory: Callable[..., Any], options: Mapping[str, str] | None = None
) -> list[HiveError]:
    check = getattr(factory, "missing", None)
    if check is None:
        return []
    known = _parameters(check)
    return list(check(**{name: text for name, text in (options or {}).items() if name in known}))


def _parameters(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return {}
    keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: each for name, each in signature.parameters.items() if each.kind in keyword}


def _convert(
    spec: str,
    factory: Callable[..., Any],
    parameters: Mapping[str, inspect.Parameter],
    options: Mapping[str, str],
) -> dict[str, Any]:
    known = [name for name, each in parameters.items() if each.default is not each.empty]
    known = [name for name in known if name != "device"]
    try:
        hints = typing.get_type_hints(factory.__init__ if inspect.isclass(factory) else factory)
    except (NameError, TypeError, AttributeError):
        hints = {}
    converted = {}
    for name, text in options.items():
        if name not in known:
            remedy = f"it takes {', '.join(known)}" if known else "it takes no options"
            raise HiveError(f"model {spec}: unknown option {name!r}", remedy)
        wanted = _plain_type(hints.get(name, str))
        try:
            converted[name] = _TRUTH[text.lower()] if wanted is bool else wanted(text)
        except (ValueError, KeyError) as error:
            raise HiveError(
                f"model {spec}: option {name}={text!r} is not of type {wanted.__name__}",
                "give a value of that type",
            ) from error
    return converted


def _plain_type(hint: Any) -> type:
    """Return the type to convert text to; unions lose their None, anything unusual stays text."""
    if typing.get_origin(hint) in (typing.Union, UnionType):
        members = [each for each in typing.get_args(hint) if each is not type(None)]
        hint = Path if Path in members else members[0]
    return hint if hint in (int, float, bool, Path) else str


def _check(spec: str, model: object) -> None:
    remedy = "see the Separator protocol in hive/separator.py"
    if not callable(getattr(model, "separate", None)):
        raise HiveError(f"model {spec}: it has no method separate", remedy)
    rate = getattr(model, "sample_rate", None)
    if not isinstance(rate, int) or isinstance(rate, bool) or rate < 0:
        raise HiveError(f"model {spec}: sample_rate is {rate!r}, not a rate in Hz or 0", remedy)
    if not isinstance(getattr(model, "generative", None), bool):
        raise HiveError(f"model {spec}: generative is not True or False", remedy)
