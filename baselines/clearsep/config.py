"""Sizes of ClearSep: of the published weights, and of a network small enough for one CPU."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

STAGES = 4
LOW_HZ, HIGH_HZ = 50.0, 14_000.0
"""Edges of the mel bands that CLAP's audio encoder takes."""

CLAP_QUERIES: dict[str, Any] = {
    "kind": "clap",
    "checkpoint": "clap-music-audioset",
    "template": "The sound of {}",
    "several": "sentence",
}
"""Text queries, worded as CLAPSep's lists for evaluation word classes of AudioSet: "The sound of
Siren", "The sounds of Music and Speech"."""

Four = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]


class ClearSepConfig(BaseModel):
    """What a ClearSep is made of; the defaults are those of the published weights (CLAPSep).

    The encoder sees an image: the log-mel spectrogram, cut in time into `chunks` pieces of
    `chunk_frames` frames which lie one above the other. Of the tuples of four, the first belongs
    to the finest resolution.

    Attributes:
        sample_rate: Rate of mixtures and estimates, Hz.
        n_fft: Length of the window of both transforms, samples.
        hop: Samples between the frames that are masked.
        encoder_rate: Rate at which the encoder hears the mixture, Hz.
        encoder_hop: Samples between the frames that the encoder sees. Both transforms have the
            same frames a second, so that frame i of one is frame i of the other.
        mels: Number of mel bands.
        chunks: Pieces that the image is folded from.
        chunk_frames: Frames of a piece.
        patch: Edge of a patch, frames and bands; a patch is one token.
        embed_dim: Size of a token of the finest resolution; it doubles from stage to stage.
        depths: Blocks of each stage of the encoder.
        heads: Attention heads of the encoder's blocks.
        decoder_heads: Attention heads of the decoder's blocks.
        window_size: Edge of an attention window, tokens.
        drop_path: Largest probability of leaving out a residual branch in training; it grows
            linearly from 0 with the depth.
        lora: How a pretrained encoder is adapted: "fused" has one pair of low-rank matrices for
            queries, keys and values, as CLAPSep's code has it, "separate" has three, as ClearSep's
            paper says. None trains the whole encoder.
        rank: Rank of these matrices.
        mask_bands: Mel-spaced bands that the mask network sees and masks in place of bins, which
            leaves a small network less to learn by heart; None for bins, as published.
        compression: What the mask network sees of the mixture: its magnitudes, as published, or
            their logarithms, which suit a small network better.
        mask_width: Size of a frame's vector in the mask network.
        mask_heads: Attention heads there.
        mask_ff: Size of the hidden layers there.
        mask_layers: Number of layers there.
        mask_query: Whether the query scales and shifts the frames before each of these layers, too.
            The published network does without; one whose audio encoder was never trained before
            stays deaf to the query for long if it does.
        normalise_query: "concat" brings the joined embeddings of positive and negative query to
            length 1; "none" leaves them, so that two queries make a longer vector than one. CLAPSep
            trains its weights with the first; of what its authors published for use, the class for
            inference does the same, and validation and test of the training code do not. The two
            differ only where there are queries of both kinds.
        window_seconds: Longest sound that is separated at once.
        encoder: Configuration of the query encoder, for `baselines.queries.make_encoder`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: PositiveInt = 32_000
    n_fft: PositiveInt = 1024
    hop: PositiveInt = 320
    encoder_rate: PositiveInt = 48_000
    encoder_hop: PositiveInt = 480
    mels: PositiveInt = 64
    chunks: PositiveInt = 4
    chunk_frames: PositiveInt = 256
    patch: PositiveInt = 4
    embed_dim: PositiveInt = 128
    depths: Four = (2, 2, 12, 2)
    heads: Four = (4, 8, 16, 32)
    decoder_heads: Four = (4, 8, 16, 32)
    window_size: PositiveInt = 8
    drop_path: float = Field(default=0.1, ge=0.0, lt=1.0)
    lora: Literal["fused", "separate"] | None = "fused"
    rank: PositiveInt = 16
    mask_bands: PositiveInt | None = None
    compression: Literal["none", "log"] = "none"
    mask_width: PositiveInt = 640
    mask_heads: PositiveInt = 8
    mask_ff: PositiveInt = 2560
    mask_layers: PositiveInt = 3
    mask_query: bool = False
    normalise_query: Literal["concat", "none"] = "concat"
    window_seconds: PositiveFloat = 10.0
    encoder: dict[str, Any] = Field(default_factory=CLAP_QUERIES.copy)

    @classmethod
    def published(cls) -> ClearSepConfig:
        """Return the configuration of CLAPSep's published weights, 44.4 million of them trained.

        Joined queries are normalised, as they were whenever these weights were trained.
        """
        return cls()

    @classmethod
    def mini(cls) -> ClearSepConfig:
        """Return a network of 5.6 million weights for windows of 4 s, all of them trained."""
        return cls(
            n_fft=2048,
            hop=1024,
            encoder_rate=32_000,
            encoder_hop=1024,
            chunks=1,
            chunk_frames=128,
            embed_dim=32,
            depths=(1, 1, 2, 1),
            heads=(2, 4, 8, 16),
            decoder_heads=(2, 4, 8, 16),
            window_size=8,
            lora=None,
            mask_bands=64,
            compression="log",
            mask_width=256,
            mask_heads=4,
            mask_ff=768,
            mask_query=True,
            window_seconds=4.0,
            encoder={"kind": "labels", "dim": 128},
        )

    @property
    def bins(self) -> int:
        """Frequencies of the masked spectrum."""
        return self.n_fft // 2 + 1

    @property
    def mask_rows(self) -> int:
        """Rows of the mask: bands, or bins."""
        return self.mask_bands or self.bins

    @property
    def window_samples(self) -> int:
        """Samples of the longest sound that is separated at once."""
        return round(self.window_seconds * self.sample_rate)

    @property
    def image_frames(self) -> int:
        """Frames that fit into the encoder's image."""
        return self.chunks * self.chunk_frames

    def dim(self, stage: int) -> int:
        """Return the size of a token of a stage."""
        return int(self.embed_dim * 2**stage)

    def grid(self, stage: int) -> tuple[int, int]:
        """Return the number of tokens of a stage, along frequency and along time."""
        token = self.patch * 2**stage
        return self.chunks * self.mels // token, self.chunk_frames // token

    @model_validator(mode="after")
    def _check(self) -> ClearSepConfig:
        if self.sample_rate * self.encoder_hop != self.encoder_rate * self.hop:
            raise ValueError(
                f"hop {self.hop} at {self.sample_rate} Hz and encoder_hop {self.encoder_hop} at "
                f"{self.encoder_rate} Hz give different frames a second; both must give the same"
            )
        if self.encoder_rate < 2 * HIGH_HZ:
            raise ValueError(f"encoder_rate is under {2 * HIGH_HZ:.0f}, the mel bands do not fit")
        if self.n_fft % 2 or self.hop > self.n_fft // 2:
            raise ValueError(f"n_fft {self.n_fft} must be even and at least twice hop {self.hop}")
        frames = 1 + self.window_samples // self.hop
        if frames > self.image_frames:
            longest = (self.image_frames * self.hop - 1) / self.sample_rate
            raise ValueError(
                f"window_seconds {self.window_seconds} makes {frames} frames, the image holds "
                f"chunks * chunk_frames = {self.image_frames}: at most {longest:.4f} s"
            )
        self._check_image()
        for name in ("heads", "decoder_heads"):
            for stage, heads in enumerate(getattr(self, name)):
                if self.dim(stage) % heads:
                    raise ValueError(f"{name}[{stage}]: {heads} does not divide {self.dim(stage)}")
        if not 2 <= self.mask_rows <= self.bins:
            raise ValueError(f"mask_bands {self.mask_bands} must be 2 to {self.bins}, the bins")
        if self.mask_width % self.mask_heads:
            raise ValueError(f"mask_heads {self.mask_heads} does not divide {self.mask_width}")
        return self

    def _check_image(self) -> None:
        """Raise an error if the image cannot be cut into patches, or a stage into windows."""
        coarsest = self.patch * 2 ** (STAGES - 1)
        sides = {"chunks * mels": self.chunks * self.mels, "chunk_frames": self.chunk_frames}
        for name, size in sides.items():
            if size % coarsest:
                raise ValueError(
                    f"{name} is {size}; it must be a multiple of {coarsest}, the edge of a token "
                    f"of the last stage (8 * patch)"
                )
        for stage in range(STAGES):
            grid = self.grid(stage)
            window = min(self.window_size, *grid)
            if grid[0] % window or grid[1] % window:
                raise ValueError(
                    f"window_size: stage {stage + 1} has {grid[0]} x {grid[1]} tokens, which "
                    f"windows of {window} x {window} do not fill"
                )
        if self.mels % self.patch:
            raise ValueError(f"mels {self.mels} must be a multiple of patch {self.patch}")
