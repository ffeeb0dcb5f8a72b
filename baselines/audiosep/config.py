"""Sizes of an AudioSep network, checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

#: Stages of the encoder. The first five halve time and frequency, the last one frequency only.
STAGES = 6
TIME_FACTOR = 2 ** (STAGES - 1)
FREQUENCY_FACTOR = 2**STAGES


class AudioSepConfig(BaseModel):
    """What an `AudioSep` is built from; the default is the published network.

    Attributes:
        sample_rate: Rate the network works at, Hz.
        n_fft: Length of window and transform, samples.
        hop: Distance of frames, samples; at most half a window.
        channels: Channels of the six encoder stages. The convolution before them has as many as the
            first, the stage between encoder and decoder as many as the last.
        bands: Mel-spaced bands that the network sees in place of the n_fft / 2 bins; None for bins.
        compression: What the network sees of a magnitude: itself, or its logarithm.
        phase_bias: Bias, at the start of training, of the map that keeps the phase of the mixture.
            At 0 the first estimates have random phases, as the published training has them.
        window_seconds: Length of the mixtures that it is trained on.
        encoder: Configuration of the query encoder, for `baselines.queries.make_encoder`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sample_rate: PositiveInt = 32_000
    n_fft: PositiveInt = 2048
    hop: PositiveInt = 320
    channels: tuple[
        PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt
    ] = (32, 64, 128, 256, 384, 384)
    bands: PositiveInt | None = None
    compression: Literal["none", "log"] = "none"
    phase_bias: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    window_seconds: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 5.0
    encoder: dict[str, Any] = Field(
        default_factory=lambda: {"kind": "clap", "checkpoint": "clap-music-speech-audioset"}
    )

    @model_validator(mode="after")
    def _check(self) -> AudioSepConfig:
        if self.n_fft % 2:
            raise ValueError(f"n_fft: {self.n_fft} is odd; take an even number, such as 2048")
        if self.hop > self.n_fft // 2:
            raise ValueError(
                f"hop: {self.hop} is more than half a window; take at most {self.n_fft // 2}"
            )
        if self.bands is not None and self.bands > self.n_fft // 2:
            raise ValueError(
                f"bands: {self.bands} is more than the {self.n_fft // 2} bins of n_fft {self.n_fft}"
            )
        field = "n_fft / 2" if self.bands is None else "bands"
        if self.heights % FREQUENCY_FACTOR:
            raise ValueError(
                f"{field}: {self.heights} is no multiple of {FREQUENCY_FACTOR}, by which six "
                "poolings divide it"
            )
        return self

    @property
    def bins(self) -> int:
        """Frequency bins that can sound in an estimate: all but the one at the Nyquist rate."""
        return self.n_fft // 2

    @property
    def heights(self) -> int:
        """Rows of the picture that the network sees: bands, or bins."""
        return self.bands or self.bins

    @classmethod
    def published(cls) -> AudioSepConfig:
        """The network of Liu et al. (2023), "Separate anything you describe": ResUNet30, CLAP."""
        return cls()

    @classmethod
    def mini(cls) -> AudioSepConfig:
        """A small one that trains and runs on a processor, without any download."""
        return cls(
            hop=1024,
            channels=(16, 32, 64, 96, 128, 128),
            bands=64,
            compression="log",
            phase_bias=1.0,
            encoder={"kind": "labels", "dim": 128},
        )
