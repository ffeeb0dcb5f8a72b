"""The head of a model card, by which the hub lists and filters models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from baselines.cards.facts import CardFacts, NetworkFacts
from baselines.storage import CARD
from hive.licences import normalise

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

TASK = "audio-to-audio"
_LIBRARY = "hive-bench"
_TAGS = (
    *("audio", "sound-separation", "universal-sound-separation", "query-based-separation"),
    *("hive-bench", "pytorch_model_hub_mixin", "model_hub_mixin"),
)
#: SPDX identifiers that the hub knows, in lower case there.
_HUB_LICENCES = frozenset(
    (
        *("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unlicense", "Zlib"),
        *("CC0-1.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0"),
        *("CC-BY-SA-4.0", "CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0"),
        *("CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0"),
        "CC-BY-NC-SA-4.0",
    )
)


def metadata(network: NetworkFacts, facts: CardFacts) -> ModelCardData:
    """Return the metadata of a card.

    Args:
        network: What the network is.
        facts: What is known of its training.
    """
    from huggingface_hub import EvalResult, ModelCardData

    data = facts.training.data if facts.training else ()
    results = [
        EvalResult(
            task_type=TASK,
            dataset_type=_slug(result.data),
            dataset_name=result.data,
            dataset_config=result.group or None,
            metric_type=result.metric,
            metric_name=f"{result.metric} ({result.unit})" if result.unit else result.metric,
            metric_value=result.value,
        )
        for result in facts.results
    ]
    return ModelCardData(
        language="en",
        **_licence(facts.licence),
        library_name=_LIBRARY,
        pipeline_tag=TASK,
        tags=[*_TAGS, network.architecture],
        datasets=sorted({each.hub_id for each in data if each.hub_id}) or None,
        metrics=sorted({result.metric for result in facts.results}) or None,
        model_name=facts.name if results else None,
        eval_results=results or None,
    )


def _licence(licence: str | None) -> dict[str, Any]:
    if licence is None:
        return {"license": "unknown"}
    name = normalise(licence)
    if name in _HUB_LICENCES:
        return {"license": name.lower()}
    return {"license": "other", "license_name": name.lower(), "license_link": CARD}


def _slug(text: str) -> str:
    """Return a text as the hub's names of datasets are: letters, digits, dashes, one slash."""
    return "".join(letter if letter.isalnum() or letter in "-_./" else "-" for letter in text)
