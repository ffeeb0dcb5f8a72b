"""Query encoders by kind. To add one, write its class and add a line to `_KINDS`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hive.errors import HiveError

if TYPE_CHECKING:
    from baselines.queries.encoder import QueryEncoder

#: Kind -> module and class, imported when asked for.
_KINDS = {
    "labels": ("baselines.queries.labels", "LabelEncoder"),
    "clap": ("baselines.queries.clap", "ClapTextEncoder"),
    "t5": ("baselines.queries.t5", "T5TextEncoder"),
}


def kinds() -> tuple[str, ...]:
    """Return the names of all kinds of query encoders."""
    return tuple(_KINDS)


def make_encoder(config: Mapping[str, Any]) -> QueryEncoder:
    """Build a query encoder.

    Args:
        config: `kind` and the options of that kind, as `QueryEncoder.config` returns them.

    Returns:
        The encoder, with untrained weights if it has any.

    Raises:
        HiveError: If the kind or an option is not known, or an option has a wrong value.
    """
    options = dict(config)
    kind = options.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        problem = f"query encoder: kind {kind!r} is not known" if kind else "query encoder: no kind"
        raise HiveError(problem, _suggestion(str(kind), kinds()))
    module, name = _KINDS[kind]
    encoder: type[QueryEncoder] = getattr(import_module(module), name)
    known = tuple(inspect.signature(encoder).parameters)
    for option in options:
        if option not in known:
            problem = f"query encoder {kind}: option {option!r} is not known"
            raise HiveError(problem, _suggestion(str(option), known))
    return encoder(**options)


def _suggestion(text: str, choices: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(text, choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(choices)}"
