"""What is asked of a mixture, and which of its sources are the answer.

The answer to a question about a mixture with labels l_1 ... l_S follows from the labels alone
(`answer`): with a positive text, all sources that it covers; without, all sources; less those that
a negative text covers. A text covers a label that is the same, or lies below it in the ontology. So
if a mixture holds "Dog" and a source that is only labelled "Animal", "Animal" asks for both, and
"Dog" for the one that certainly is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from baselines.data.config import QueryConfig
from baselines.data.ontology import Vocabulary, covers, nodes_above
from baselines.queries.encoder import Query
from hive.seeding import Stream


@dataclass(frozen=True)
class Question:
    """What is asked of a mixture.

    Attributes:
        positive: What to keep: one text or none.
        negative: What to drop, in the order of the sources.
        sources: Numbers of the sources, from 0, whose sum is the target; () for silence.
    """

    positive: Query
    negative: Query
    sources: tuple[int, ...]


def answer(labels: Sequence[str], positive: Query, negative: Query) -> tuple[int, ...]:
    """Return the numbers of the sources that a question asks for."""
    return tuple(
        number
        for number, label in enumerate(labels)
        if (not positive or any(covers(text, label) for text in positive))
        and not any(covers(text, label) for text in negative)
    )


def draw_question(
    labels: Sequence[str], config: QueryConfig, vocabulary: Vocabulary, stream: Stream
) -> Question:
    """Draw a question about a mixture.

    A question about one source (all sources are equally likely) names its class, or with
    probability `ancestors` a node above it that does not cover the whole mixture. What is to be
    dropped are other sources' labels that do not cover the source asked for. Where no text is left
    to be named as negative, the question names what to keep.

    Args:
        labels: Labels of the mixture's sources.
        config: Proportions.
        vocabulary: Classes that an absent one is drawn from.
        stream: Random numbers, of which this takes as many as it needs.
    """
    if stream.uniform() < config.silence and (
        absent := vocabulary.absent(labels, stream.uniform() < config.plausible)
    ):
        positive: Query = (absent[stream.integer(len(absent))],)
        keeps = config.positive_only + config.both
        with_negatives = stream.uniform(0.0, keeps) >= config.positive_only
        negative = _negatives(labels, range(len(labels)), config, stream) if with_negatives else ()
        return Question(positive, negative, ())
    kind = stream.uniform()
    chosen = stream.integer(len(labels))
    text = labels[chosen]
    if config.ancestors and stream.uniform() < config.ancestors:
        nodes = [
            node for node in nodes_above(text) if not all(covers(node, label) for label in labels)
        ]
        text = nodes[stream.integer(len(nodes))] if nodes else text
    kept = answer(labels, (text,), ())
    negative = ()
    if kind >= config.positive_only:
        others = [
            number
            for number, label in enumerate(labels)
            if not any(covers(label, labels[one]) for one in kept)
        ]
        negative = _negatives(labels, others, config, stream)
    only_negative = negative and kind < config.positive_only + config.negative_only
    positive = () if only_negative else (text,)
    return Question(positive, negative, answer(labels, positive, negative))


def ask_own(labels: Sequence[str], stream: Stream) -> Question:
    """Ask for one track of a natural recording, with the others as what to drop.

    Self-separate training (ClearSep, section 3.3.2). The rest of the recording, whose label is "",
    is neither asked for nor named.
    """
    numbers = [number for number, label in enumerate(labels) if label]
    chosen = numbers[stream.integer(len(numbers))]
    others = tuple(labels[number] for number in numbers if number != chosen)
    return Question((labels[chosen],), others, (chosen,))


def ask_one(
    labels: Sequence[str], vocabulary: Vocabulary, stream: Stream, closed: bool = False
) -> Question | None:
    """Ask for one source by its class: the question of validation.

    Where the source that is drawn is of no class of the vocabulary, so that no network was trained
    to know its name, the next one that is stands in for it. If there is none, the one that was
    drawn is asked for all the same; or nothing, by a network that is `closed` to unknown names.
    """
    first = stream.integer(len(labels))
    turned = (*labels[first:], *labels[:first])
    text = next((label for label in turned if label in vocabulary.names), None)
    if text is None and closed:
        return None
    text = text or labels[first]
    return Question((text,), (), answer(labels, (text,), ()))


def ask_absent(labels: Sequence[str], vocabulary: Vocabulary, stream: Stream) -> Question | None:
    """Ask for a class that a mixture does not hold, a plausible one; None if there is none."""
    absent = vocabulary.absent(labels, plausible=True)
    return Question((absent[stream.integer(len(absent))],), (), ()) if absent else None


def _negatives(
    labels: Sequence[str], numbers: Sequence[int], config: QueryConfig, stream: Stream
) -> Query:
    """Return the labels of some sources, each once, or of a random part of them."""
    texts = list(dict.fromkeys(labels[number] for number in numbers))
    if config.negatives == "some" and len(texts) > 1:
        count = 1 + stream.integer(len(texts))
        order = stream.uniforms(len(texts)).argsort()
        texts = [texts[number] for number in sorted(order[:count].tolist())]
    return tuple(texts)
