"""FlowSep: a text query, a flow in the latent space of log-mel spectrograms, and a vocoder.

Yuan et al. (2024), "FlowSep: Language-queried sound separation with rectified flow matching". The
estimate is drawn, not computed: noise is led to what the query asks for, beside the mixture, by a
network that gives velocities. With BigVGAN its phase has nothing to do with that of the source, so
metrics that compare waveforms say little of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from baselines.adapter import normal
from baselines.flowsep.config import AutoencoderConfig, FlowSepConfig
from baselines.flowsep.flow import follow, interpolate
from baselines.flowsep.latents import make_latents
from baselines.flowsep.mel import SILENCE, LogMel
from baselines.flowsep.pairs import LEVEL, NOTHING, bring_to_level, draw
from baselines.flowsep.render import make_renderer
from baselines.flowsep.unet import make_unet, velocity
from baselines.levels import Level, to_level
from baselines.model import SeparationModel
from baselines.queries.encoder import QueryEncoder


class FlowSep(SeparationModel):
    """FlowSep at any size.

    Args:
        config: Sizes.
        encoder: Query encoder; None to make the one that the configuration names.

    Attributes:
        config: The sizes that it was built with.
        mel: Front end.
        latents: Autoencoder, frozen, or fixed patches.
        unet: What is trained.
        vocoder: BigVGAN, frozen, or the mixture's phase.
    """

    name: ClassVar[str] = "flowsep"
    takes_negatives: ClassVar[bool] = False
    generative: ClassVar[bool] = True
    level: ClassVar[Level] = LEVEL
    removes_dc: ClassVar[bool] = True
    fade_seconds: ClassVar[float | None] = 1.0
    config: FlowSepConfig

    def __init__(self, config: FlowSepConfig, encoder: QueryEncoder | None = None) -> None:
        super().__init__(config, encoder)
        self.mel = LogMel(config)
        self.latents = make_latents(config.latent)
        self.unet = make_unet(config.unet, config.latent.latent_channels, self.encoder.dim)
        self.vocoder = make_renderer(config)

    def condition(self, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the tokens of the positive queries: this network is not told what to drop.

        Args:
            positive: Shape (B, L, E + 1), states of tokens with a last value of 1 where there is
                one; or (B, E), a query of one token.
            negative: Not used.

        Returns:
            Shape (B, L, E + 1).
        """
        if positive.ndim == 3:
            return positive
        return torch.cat([positive, torch.ones_like(positive[:, :1])], dim=1).unsqueeze(1)

    def forward(self, mixture: Tensor, condition: Tensor) -> Tensor:
        """Separate, with the same noise for every row and whenever it is called.

        Level and mean are brought to what the network expects, and back.

        Args:
            mixture: Shape (B, T) at `sample_rate`, at most one window.
            condition: Tokens of the queries, shape (B, L, E + 1).

        Returns:
            Estimates, float32, shape (B, T); zeros of silence.
        """
        ready = to_level(mixture.float(), self.level, removes_dc=self.removes_dc)
        rows = [torch.Generator().manual_seed(0) for _ in range(len(mixture))]
        steps = self.config.validation_steps
        estimate = self.generate(ready.samples, condition, rows, steps=steps)
        return ready.undo(estimate)

    @torch.no_grad()
    def generate(
        self,
        mixture: Tensor,
        condition: Tensor,
        generators: Sequence[Generator],
        *,
        steps: int | None = None,
        posterior: str | None = None,
    ) -> Tensor:
        """Separate windows.

        The network runs in the precision of the surrounding autocast, all else in float32.

        Args:
            mixture: Shape (B, T), at most one window, at the level that the network expects.
            condition: Tokens of the queries, shape (B, L, E + 1).
            generators: One a row, on the CPU: first for the posterior, if it is sampled, then for
                the noise that the flow begins with.
            steps: Euler steps; None for what the configuration says.
            posterior: "sample" or "mode"; None for what the configuration says.

        Returns:
            Estimates, float32, shape (B, T).

        Raises:
            ValueError: If the mixture is longer than a window.
        """
        config, device = self.config, mixture.device
        length = mixture.shape[-1]
        if length > config.window_samples:
            raise ValueError(f"{length} samples are more than a window of {config.window_samples}")
        sampled = self._sampled(posterior or config.posterior)
        drawn = normal(generators, config.latent_shape, device) if sampled else None
        start = normal(generators, config.latent_shape, device)
        padded = torch.nn.functional.pad(mixture, (0, config.window_samples - length))
        with torch.autocast(device.type, enabled=False):
            heard = self.latents.encode(self.mel(padded), drawn)
        latent = follow(self._velocity(heard, condition), start, steps or config.steps)
        with torch.autocast(device.type, enabled=False):
            sound: Tensor = self.vocoder(self.latents.decode(latent), padded)
        return sound[:, :length]

    def flow_loss(
        self,
        mixture: Tensor,
        target: Tensor,
        positive: Tensor,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return the mean squared error of the velocities at random points of the flow.

        Args:
            mixture: Shape (B, T), at most one window, at any level.
            target: What is asked for of it, shape (B, T); zeros for silence.
            positive: Queries, from the encoder's `prepare`.
            generator: Source of all that is drawn, on the device of the mixture; None for torch's
                own.

        Returns:
            A scalar with a gradient for the network, and for a query encoder that learns.
        """
        config, legacy = self.config, self.config.legacy
        drawn = draw(
            (len(mixture), *config.latent_shape),
            sampled=self._sampled(config.posterior),
            text_dropout=config.text_dropout,
            empty=config.empty,
            legacy=legacy,
            device=mixture.device,
            generator=generator,
        )
        condition = self._asked(positive, drawn.no_text, drawn.nothing)
        with torch.no_grad():
            pair = bring_to_level(mixture.float(), target.float(), legacy=legacy)
            heard, wanted = (self.mel(each, pads_last=legacy) for each in pair)
            silence = 0.0 if legacy else SILENCE
            wanted = wanted.masked_fill((drawn.nothing >= 0).view(-1, 1, 1), silence)
            noises = (None, None) if drawn.posterior is None else drawn.posterior
            heard, wanted = (
                self.latents.encode(mel, noise)
                for mel, noise in zip((heard, wanted), noises, strict=True)
            )
            noisy, direction = interpolate(wanted, drawn.noise, drawn.time, config.sigma)
        found = velocity(self.unet, noisy, heard, drawn.time, condition)
        with torch.autocast(mixture.device.type, enabled=False):
            return torch.nn.functional.mse_loss(found, direction)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the part that is called again and again."""
        self.unet.compile(*args, **kwargs)

    def _velocity(self, heard: Tensor, condition: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda noisy, time: velocity(self.unet, noisy, heard, time, condition)

    def _sampled(self, posterior: str) -> bool:
        return posterior == "sample" and isinstance(self.config.latent, AutoencoderConfig)

    def _asked(self, positive: Tensor, no_text: Tensor, nothing: Tensor) -> Tensor:
        """Return the tokens of the queries, some of them replaced by other texts or by none."""
        condition = self.condition(self.encoder(positive), positive)
        changed = no_text | (nothing >= 0)
        other = torch.where(no_text, -1, nothing)
        for number in sorted(set(other[changed].tolist())):
            query = () if number < 0 else (NOTHING[number],)
            prepared = self.encoder.prepare([query]).to(positive.device)
            told = self.condition(self.encoder(prepared), prepared)
            here = (changed & (other == number)).view(-1, 1, 1)
            condition = torch.where(here, told, condition)
        return condition
