"""Sizes of a FlowSep network, checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]

#: FLAN-T5-large, whose encoder FlowSep is conditioned by, at the commit with its safetensors.
T5_QUERIES: dict[str, Any] = {
    "kind": "t5",
    "checkpoint": "google/flan-t5-large",
    "revision": "0613663d0d48ea86ba8cb3d7a44f0f65dc596a2a",
    "tokens": 50,
    "dim": 1024,
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AutoencoderConfig(_Part):
    """A variational autoencoder of log-mel spectrograms, trained before and frozen.

    Attributes:
        channels: Channels of its levels, the finest first; between two of them, time and frequency
            are halved.
        layers: Residual blocks of a level.
        latent_channels: Channels of a latent.
        groups: Groups of its normalisations.
    """

    kind: Literal["autoencoder"] = "autoencoder"
    channels: tuple[PositiveInt, ...] = Field(default=(128, 256, 512), min_length=1)
    layers: PositiveInt = 2
    latent_channels: PositiveInt = 8
    groups: PositiveInt = 32

    @model_validator(mode="after")
    def _check(self) -> AutoencoderConfig:
        _groups("latent.channels", self.channels, self.groups)
        return self

    @property
    def stride(self) -> int:
        """Frames, and mel bands, of one value of a latent."""
        return int(2 ** (len(self.channels) - 1))


class PatchesConfig(_Part):
    """A fixed latent that loses nothing: patches of the log-mel spectrogram, one channel a value.

    Attributes:
        stride: Edge of a patch, frames and bands.
        mean: Log-mel value that becomes 0.
        std: Difference of log-mel values that becomes 1.
    """

    kind: Literal["patches"] = "patches"
    stride: PositiveInt = 4
    mean: float = Field(default=-7.0, allow_inf_nan=False)
    std: PositiveFloat = 3.0

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return self.stride**2


class UNetConfig(_Part):
    """The network that gives velocities.

    Attributes:
        channels: Channels of its levels, the finest first. All but the first have attention: at
            each place, over the latent, then over the query.
        layers: Residual blocks of a level.
        head_channels: Channels of an attention head.
        groups: Groups of its normalisations.
    """

    channels: tuple[PositiveInt, ...] = Field(default=(128, 256, 384, 640), min_length=2)
    layers: PositiveInt = 2
    head_channels: PositiveInt = 32
    groups: PositiveInt = 32

    @model_validator(mode="after")
    def _check(self) -> UNetConfig:
        _groups("unet.channels", self.channels, self.groups)
        for width in self.channels:
            if width % self.head_channels:
                raise ValueError(
                    f"unet.channels: {width} is no multiple of head_channels {self.head_channels}"
                )
        return self

    @property
    def heads(self) -> tuple[int, ...]:
        """Attention heads of the levels."""
        return tuple(width // self.head_channels for width in self.channels)

    @property
    def stride(self) -> int:
        """Values of a latent, in time or frequency, of one value of the coarsest level."""
        return int(2 ** (len(self.channels) - 1))


class BigVGANConfig(_Part):
    """A BigVGAN (Lee et al., ICLR 2023), trained before and frozen.

    Attributes:
        rates: Factors by which it raises the rate, one after the other; the product is the hop.
        kernels: Lengths of the transposed convolutions that do it.
        channels: Channels before the first of them; each halves their number.
        block_kernels: Lengths of the kernels of the residual blocks, which work side by side.
        dilations: Dilations within each residual block.
    """

    kind: Literal["bigvgan"] = "bigvgan"
    rates: tuple[PositiveInt, ...] = Field(default=(5, 4, 2, 2, 2), min_length=1)
    kernels: tuple[PositiveInt, ...] = (16, 16, 8, 4, 4)
    channels: PositiveInt = 512
    block_kernels: tuple[PositiveInt, ...] = Field(default=(3, 7, 11), min_length=1)
    dilations: tuple[PositiveInt, ...] = Field(default=(1, 3, 5), min_length=1)

    @model_validator(mode="after")
    def _check(self) -> BigVGANConfig:
        if len(self.rates) != len(self.kernels):
            raise ValueError("vocoder: rates and kernels have different lengths")
        if any(kernel < rate for rate, kernel in zip(self.rates, self.kernels, strict=True)):
            raise ValueError("vocoder.kernels: one is shorter than its rate, which leaves gaps")
        if self.channels % 2 ** len(self.rates):
            raise ValueError(f"vocoder.channels: {self.channels} cannot be halved so often")
        if any(kernel % 2 == 0 for kernel in self.block_kernels):
            raise ValueError("vocoder.block_kernels: take odd lengths")
        return self


class MixturePhaseConfig(_Part):
    """No vocoder: what is left of each mel band is left of the mixture, with the mixture's phase.

    There is nothing to train, and the estimate is a part of the mixture.
    """

    kind: Literal["mixture-phase"] = "mixture-phase"


class FlowSepConfig(_Part):
    """What a `FlowSep` is built from; the default is the published network.

    Attributes:
        sample_rate: Rate the network works at, Hz.
        n_fft: Length of window and transform, samples.
        hop: Distance of frames, samples.
        mels: Number of mel bands.
        low_hz: Lower edge of the lowest band, Hz.
        high_hz: Upper edge of the highest band, Hz.
        latent: What a log-mel spectrogram becomes before noise is added to it.
        unet: The network.
        vocoder: What makes sound of a log-mel spectrogram.
        steps: Euler steps of an estimate. The published command line takes 20, the published
            configuration evaluates with 10.
        validation_steps: Euler steps of an estimate in training.
        posterior: What the autoencoder says of the mixture: "sample", a value drawn from its
            distribution, as published; or its "mode".
        sigma: Standard deviation of the noise that is left at the end of the flow.
        text_dropout: Share of the training examples that are asked without a text.
        empty: Share of the training examples whose text says that nothing is wanted, and whose
            target is silence.
        legacy: Whether training data have the faults of the published code; see
            `baselines.flowsep.pairs`.
        window_seconds: Length of a mixture; shorter ones are padded with zeros.
        encoder: Configuration of the query encoder, for `baselines.queries.make_encoder`.
    """

    sample_rate: PositiveInt = 16_000
    n_fft: PositiveInt = 1024
    hop: PositiveInt = 160
    mels: PositiveInt = 64
    low_hz: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    high_hz: PositiveFloat = 8000.0
    latent: AutoencoderConfig | PatchesConfig = Field(
        default_factory=AutoencoderConfig, discriminator="kind"
    )
    unet: UNetConfig = Field(default_factory=UNetConfig)
    vocoder: BigVGANConfig | MixturePhaseConfig = Field(
        default_factory=BigVGANConfig, discriminator="kind"
    )
    steps: PositiveInt = 20
    validation_steps: PositiveInt = 10
    posterior: Literal["sample", "mode"] = "sample"
    sigma: float = Field(default=1e-4, ge=0.0, lt=1.0)
    text_dropout: Share = 0.1
    empty: Share = 1e-4
    legacy: bool = False
    window_seconds: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 10.24
    encoder: dict[str, Any] = Field(default_factory=T5_QUERIES.copy)

    @model_validator(mode="after")
    def _check(self) -> FlowSepConfig:
        if self.n_fft % 2 or self.hop > self.n_fft // 2:
            raise ValueError("n_fft must be even, and hop at most half of it")
        if not self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise ValueError(
                f"high_hz: {self.high_hz:g} is not between low_hz and half the sample rate"
            )
        if isinstance(self.vocoder, BigVGANConfig):
            product = 1
            for rate in self.vocoder.rates:
                product *= rate
            if product != self.hop:
                raise ValueError(f"vocoder.rates: their product is {product}, hop is {self.hop}")
        if self.empty and self.encoder.get("kind") == "labels":
            raise ValueError("empty: no label says that nothing is wanted; set 0")
        if self.mels % self.latent.stride:
            raise ValueError(f"mels: {self.mels} is no multiple of {self.latent.stride}")
        whole = self.latent.stride * self.unet.stride
        if self.window_samples % (whole * self.hop):
            unit = whole * self.hop / self.sample_rate
            raise ValueError(
                f"window_seconds: {self.window_seconds:g} s is no multiple of {unit:g} s, the time "
                "of one value of the network's coarsest level"
            )
        return self

    @property
    def window_samples(self) -> int:
        """Samples of a window."""
        return round(self.window_seconds * self.sample_rate)

    @property
    def frames(self) -> int:
        """Frames of the log-mel spectrogram of a window."""
        return self.window_samples // self.hop

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, times and frequencies of a latent."""
        stride = self.latent.stride
        return (self.latent.latent_channels, self.frames // stride, self.mels // stride)

    @classmethod
    def published(cls) -> FlowSepConfig:
        """The network of Yuan et al. (2024), "FlowSep: language-queried sound separation"."""
        return cls()

    @classmethod
    def mini(cls) -> FlowSepConfig:
        """A small one that trains and runs on a processor, without any download.

        The latent is fixed and the phase is the mixture's, so that nothing has to be trained
        before; labels are the queries.
        """
        return cls(
            latent=PatchesConfig(),
            unet=UNetConfig(channels=(32, 64, 128), layers=1),
            vocoder=MixturePhaseConfig(),
            steps=10,
            posterior="mode",
            text_dropout=0.0,
            empty=0.0,
            window_seconds=2.56,
            encoder={"kind": "labels", "dim": 128},
        )


def _groups(name: str, channels: tuple[int, ...], groups: int) -> None:
    for width in channels:
        if width % groups:
            raise ValueError(f"{name}: {width} is no multiple of groups {groups}")
