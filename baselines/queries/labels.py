"""Query embeddings that need no download: learned vectors over the ontology tree.

Each node of Hive's tree, 283 classes and the 59 nodes above them, has a learned vector. What is
asked for is the sum of the vectors of its node and of all nodes above that, each once however many
ways lead up. A sum and no mean: a node above then adds the same to all below it, so what is learned
of one kind of dog, drum or door serves the others, and the own vector of a class is what tells it
from those, undiluted by how deep it stands or how many parents it has.

Texts are matched to nodes by `baselines.queries.matching`. Of several texts, as of several sounds
that are to be dropped, the mean is taken, each node once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from baselines.queries import vocabulary
from baselines.queries.encoder import Query, QueryEncoder
from baselines.queries.matching import match
from baselines.queries.vocabulary import chains
from hive import labels
from hive.errors import HiveError

_RULES = ("error", "ancestors")
_NEAREST = 3


class LabelEncoder(QueryEncoder):
    """Sums of learned vectors over the ontology.

    Once `mark_trained` has said what the training asked for, only nodes that have learned something
    can be asked for: the marked ones, and those above them, whose vectors are part of theirs. The
    marks are part of the state dict. While nothing is marked, as in a fresh encoder, all can be.

    Args:
        dim: Size of an embedding, E.
        untrained: What happens to a node without a trained vector: "error", or "ancestors" to take
            the sum over those above it that have one, at least one of them below a root.
        vocabulary: Hash of the vocabulary that weights were trained with; None for new weights.

    Attributes:
        vectors: The learned vectors, shape (342, E), rows as in `vocabulary.nodes()`. They start
            from a normal distribution, such that the values of embeddings have a variance near 1.
        trained: Which nodes were asked for in training, bool, shape (342,).

    Raises:
        HiveError: If an argument has a wrong value, or the vocabulary has another hash.
    """

    kind = "labels"
    trained: Tensor

    def __init__(
        self, dim: int = 128, untrained: str = "error", vocabulary: str | None = None
    ) -> None:
        super().__init__()
        _check(dim, untrained, vocabulary)
        self.dim = dim
        self._untrained = untrained
        num_nodes = len(chains())
        self.vectors = nn.Parameter(torch.empty(num_nodes, dim))
        summed = sum(map(len, chains())) / num_nodes
        nn.init.normal_(self.vectors, std=1.0 / math.sqrt(summed))
        self.register_buffer("trained", torch.zeros(num_nodes, dtype=torch.bool))
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]
        self._known: dict[str, int] = {}
        self._table: Tensor | None = None

    @property
    def untrained(self) -> str:
        """What happens to a node without a trained vector."""
        return self._untrained

    @untrained.setter
    def untrained(self, rule: str) -> None:
        _check(self.dim, rule, None)
        self._untrained = rule
        _forget(self)

    def mark_trained(self, names: Iterable[str]) -> None:
        """Note, in addition to what is noted, nodes that the training asks for.

        Call it before training starts; where several processes train, in each of them.

        Args:
            names: Names of classes or internal nodes, or other texts that mean one.

        Raises:
            HiveError: If one means none.
        """
        positions = [vocabulary.position(match(name).mid) for name in names]
        with torch.no_grad():
            self.trained[positions] = True
        _forget(self)

    def prepare(self, queries: Sequence[Query]) -> Tensor:
        """Turn queries into the nodes whose vectors are to be added.

        Args:
            queries: B tuples of texts; an empty tuple asks nothing.

        Returns:
            Positions in `vectors`, -1 for none, int64, shape (B, L, D): L is the most nodes that
            a query names, at least 1; D is the length of the longest way up the tree.

        Raises:
            HiveError: If a text means no node or several, or one without a trained vector.
        """
        table = self._lookup_table()
        # Sorted and each once, so that neither order nor synonyms change a bit of the mean.
        rows = [sorted({self._find(text) for text in query}) for query in queries]
        nothing = len(table) - 1
        width = max((len(row) for row in rows), default=0) or 1
        padded = [row + [nothing] * (width - len(row)) for row in rows]
        return table[torch.tensor(padded, dtype=torch.int64, device="cpu").reshape(-1, width)]

    def forward(self, prepared: Tensor) -> Tensor:
        """Add and average vectors.

        Args:
            prepared: From `prepare`, on the device of `vectors`, shape (B, L, D).

        Returns:
            Embeddings, shape (B, E); rows of zeros where nothing is asked.
        """
        asked = prepared >= 0
        rows = nn.functional.embedding(prepared.clamp(min=0), self.vectors)
        texts = asked.any(dim=2).sum(dim=1).clamp(min=1)
        weights = asked.to(rows.dtype) / texts[:, None, None]
        return (rows * weights.unsqueeze(-1)).sum(dim=(1, 2))

    def meaning(self, text: str) -> str:
        """Return the name of the class or internal node that a text is matched to.

        Raises:
            HiveError: If it means none, or several.
        """
        return match(text).name

    def config(self) -> dict[str, Any]:
        """Return the options and the hash of the vocabulary."""
        return {
            "kind": self.kind,
            "dim": self.dim,
            "untrained": self.untrained,
            "vocabulary": vocabulary.digest(),
        }

    def _find(self, text: str) -> int:
        if text not in self._known:
            position = vocabulary.position(match(text).mid)
            if bool((self._lookup_table()[position] < 0).all()):
                raise self._no_vector(text, position)
            self._known[text] = position
        return self._known[text]

    def _lookup_table(self) -> Tensor:
        """What to add for each node, and a last row for nothing, int64, shape (343, D)."""
        if self._table is None:
            learned = self._learned()
            added = [self._added(chain, learned) for chain in chains()]
            depth = max(map(len, chains()))
            padded = [[*chain, *[-1] * (depth - len(chain))] for chain in [*added, ()]]
            self._table = torch.tensor(padded, dtype=torch.int64, device="cpu")
        return self._table

    def _learned(self) -> frozenset[int]:
        """Positions of the vectors that have learned something; all while nothing is marked."""
        marked = self.trained.nonzero().flatten().tolist()
        every = range(len(chains()))
        return frozenset(at for position in marked or every for at in chains()[position])

    def _added(self, chain: tuple[int, ...], learned: frozenset[int]) -> tuple[int, ...]:
        """Return what is added of a chain; nothing if its node cannot be asked for."""
        if chain[0] in learned:
            return chain
        return _wider(chain, learned) if self._untrained == "ancestors" else ()

    def _no_vector(self, text: str, position: int) -> HiveError:
        name = labels.name_of(vocabulary.nodes()[position])
        asked = repr(text) if text == name else f"{text!r}, that is {name!r},"
        near = ", ".join(repr(other) for other in self._nearest_trained(position))
        remedy = f"ask for one of the nearest that it has learned: {near}"
        if wider := _wider(chains()[position], self._learned()):
            nearest = labels.name_of(vocabulary.nodes()[wider[0]])
            remedy += (
                "; or set the option untrained of the query encoder to 'ancestors', which takes "
                f"what it has learned of wider classes, such as {nearest!r}"
            )
        return HiveError(
            f"query {asked} has no embedding: this model was trained without that class", remedy
        )

    def _nearest_trained(self, position: int) -> list[str]:
        """Names of the trained nodes that share the most of the way up, of all if none shares."""
        own = set(chains()[position][1:])

        def shared(other: int) -> float:
            its = set(chains()[other][1:])
            return len(own & its) / max(len(own | its), 1)

        trained = self.trained.nonzero().flatten().tolist()
        near = [other for other in trained if shared(other)] or trained
        near = sorted(near, key=shared, reverse=True)[:_NEAREST]
        return [labels.name_of(vocabulary.nodes()[at]) for at in near]


def _wider(chain: tuple[int, ...], learned: frozenset[int]) -> tuple[int, ...]:
    """Return what has learned something of a chain, the lowest first; nothing if roots alone have.

    A root alone ("Sounds of things") says next to nothing of what is meant.
    """
    known = sorted((at for at in chain if at in learned), key=lambda at: -len(chains()[at]))
    return tuple(known) if known and len(chains()[known[0]]) > 1 else ()


def _forget(encoder: nn.Module, _: object = None) -> None:
    """Drop what was worked out from marks that have changed; also called when weights load."""
    encoder._known, encoder._table = {}, None  # type: ignore[assignment]


def _check(dim: int, untrained: str, given: str | None) -> None:
    if type(dim) is not int or dim < 1:
        raise HiveError(f"query encoder labels: dim is {dim!r}", "give a whole number above 0")
    if untrained not in _RULES:
        raise HiveError(
            f"query encoder labels: untrained is {untrained!r}",
            f"give one of {', '.join(_RULES)}",
        )
    if given not in (None, vocabulary.digest()):
        raise HiveError(
            f"query encoder labels: the weights belong to a vocabulary with hash {given!r:.20}, "
            f"this version of hive-bench has {vocabulary.digest()[:16]!r}: its classes, their "
            "order or the tree above them changed",
            "use the version that the model was trained with, or train it again",
        )
