"""Writing a model card. What strangers wrote, such as attributions, stays text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baselines.cards.citations import citations
from baselines.cards.facts import CardFacts, NetworkFacts
from baselines.cards.metadata import metadata
from hive.pages import template
from hive.shards.markdown import plain

if TYPE_CHECKING:
    from markupsafe import Markup

_STEP = 60.0


def card_text(network: NetworkFacts, facts: CardFacts | None = None) -> str:
    """Return the README.md of a network.

    Args:
        network: What the network is.
        facts: What is known of its training; None if nothing is.
    """
    facts = facts or CardFacts(name=network.architecture)
    body = template("baselines.cards", "model_card.md.j2").render(
        network=network,
        facts=facts,
        source=facts.repo or "FOLDER",
        text=_text,
        duration=_duration,
        span=_span,
        citations=[_safe(entry) for entry in citations(network.architecture)],
    )
    return f"---\n{metadata(network, facts).to_yaml().strip()}\n---\n\n{body.strip()}\n"


def _text(value: object) -> Markup:
    """Return text of strangers for Markdown, which escapes more than HTML asks for."""
    return _safe(plain(value))


def _safe(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - escaped by `plain`, or a text of this package


def _duration(seconds: float) -> str:
    if seconds < 2 * _STEP:
        return f"{seconds:.0f} s"
    if seconds < 2 * _STEP**2:
        return f"{seconds / _STEP:.0f} min"
    return f"{seconds / _STEP**2:.1f} h"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{low:.2f}, {high:.2f}]"
