"""The interface of query encoders.

A query is a tuple of texts: one for what is to be kept, any number for what is to be dropped, none
where nothing is asked. Encoding has two halves: `prepare` turns texts into a tensor on the host,
once a text and remembered, and `forward` turns that tensor into embeddings on the device, with
gradients where there is something to learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

Query = tuple[str, ...]


class QueryEncoder(nn.Module):
    """Turns queries into embeddings.

    Attributes:
        kind: Name of the kind of encoder, as configurations write it.
        dim: Size of an embedding, E.
    """

    kind: str
    dim: int

    def prepare(self, queries: Sequence[Query]) -> Tensor:
        """Turn queries into a tensor that `forward` takes, on the CPU.

        Args:
            queries: B tuples of texts; an empty tuple asks nothing.

        Returns:
            A tensor whose first dimension is B. Tensors of several calls can differ in the others.

        Raises:
            HiveError: If a text has no embedding, naming it, with the nearest that have.
        """
        raise NotImplementedError

    def forward(self, prepared: Tensor) -> Tensor:
        """Return embeddings, shape (B, E), rows of zeros where nothing is asked."""
        raise NotImplementedError

    def meaning(self, text: str) -> str:
        """Return what a text is taken for: itself, or the class that it is matched to."""
        return text

    def mark_trained(self, names: Iterable[str]) -> None:
        """Note which classes training asks for; of no use to an encoder that learns nothing."""

    def config(self) -> dict[str, Any]:
        """Return what `make_encoder` needs to build it again, as JSON values."""
        raise NotImplementedError
