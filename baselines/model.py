"""What a separation network of this repository offers to the trainer and to the separator.

A network takes mixtures and one condition vector a mixture, and gives estimates. What the vector is
made of, positive and negative query embeddings, is the network's affair (`condition`); where the
embeddings come from is that of its query encoder (`baselines.queries`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Generator, Tensor, nn

from baselines.levels import Level
from baselines.pretrained import Pretrained

if TYPE_CHECKING:
    from baselines.queries.encoder import QueryEncoder


class SeparationModel(nn.Module, Pretrained):
    """A network that extracts what a condition names, at one rate, mono.

    Attributes:
        name: Name of the architecture, as configurations write it.
        sample_rate: Rate it works at, Hz.
        takes_negatives: Whether `condition` uses negative embeddings.
        window_seconds: Length it was trained at: longer sound is cut into such windows.
        context_seconds: What to discard of a window at each end that touches a neighbour, for a
            network that only knows what lies near, and so takes windows of any length. None for one
            that looks at its window as a whole, takes no longer one, and is cross-faded.
        fade_seconds: Length of that cross-fade, at most a quarter of a window; None for a tenth.
        level: Level that it expects of a window.
        removes_dc: Whether the mean of a window is to be taken away before, and given back.
        generative: Whether estimates are drawn, by `generate`, and it is trained by `flow_loss`.
        encoder: Makes embeddings of queries; its parameters, if any, train with the network.
        config: What it was built from, a pydantic model with a field `encoder`.
    """

    name: ClassVar[str]
    takes_negatives: ClassVar[bool]
    context_seconds: ClassVar[float | None] = None
    fade_seconds: ClassVar[float | None] = None
    level: ClassVar[Level] = Level()
    removes_dc: ClassVar[bool] = False
    generative: ClassVar[bool] = False
    sample_rate: int
    window_seconds: float
    encoder: QueryEncoder
    config: Any

    def __init__(self, config: Any, encoder: QueryEncoder | None = None) -> None:
        """Keep the configuration, and make the query encoder that it names if none is given."""
        super().__init__()
        if encoder is None:
            from baselines.queries import make_encoder

            encoder = make_encoder(config.encoder)
        self.config = config
        self.sample_rate = config.sample_rate
        self.window_seconds = config.window_seconds
        self.encoder = encoder

    def condition(self, positive: Tensor, negative: Tensor) -> Tensor:
        """Join the embeddings of what to keep and what to drop.

        Args:
            positive: Shape (B, E); zeros in a row without a positive query.
            negative: Shape (B, E); zeros in a row without negative queries.

        Returns:
            Condition vectors, shape (B, D).
        """
        raise NotImplementedError

    def forward(self, mixture: Tensor, condition: Tensor) -> Tensor:
        """Separate.

        Args:
            mixture: Shape (B, T) at `sample_rate`, full scale 1.0.
            condition: Shape (B, D), from `condition`.

        Returns:
            Estimates, shape (B, T).
        """
        raise NotImplementedError

    def separate(self, mixture: Tensor, positive: Any, negative: Any) -> Tensor:
        """Encode prepared queries and separate; see `QueryEncoder.prepare`."""
        estimate: Tensor = self(
            mixture, self.condition(self.encoder(positive), self.encoder(negative))
        )
        return estimate

    def generate(
        self,
        mixture: Tensor,
        condition: Tensor,
        generators: Sequence[Generator],
        *,
        steps: int | None = None,
        posterior: str | None = None,
    ) -> Tensor:
        """Draw estimates of windows at the network's level; generative networks only.

        Args:
            mixture: Shape (B, T).
            condition: From `condition`.
            generators: One a row, on the CPU; the only source of random numbers.
            steps: Steps in which an estimate is drawn; None for the network's own.
            posterior: What is taken of the distribution of what it hears, "sample" or "mode"; None
                for the network's own.

        Returns:
            Estimates, shape (B, T).
        """
        raise NotImplementedError

    def flow_loss(self, mixture: Tensor, target: Tensor, positive: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar; generative networks only.

        Args:
            mixture: Shape (B, T).
            target: Shape (B, T).
            positive: Prepared queries.
        """
        raise NotImplementedError
