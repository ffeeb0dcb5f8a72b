"""ClearSep: separation by a mask, from the features of CLAP's audio encoder.

The network is CLAPSep (Ma et al., 2024, arXiv 2402.17455), which ClearSep keeps; what ClearSep adds
are its data and how it trains. A pretrained HTSAT encodes the mixture and is adapted with few
weights (`baselines.clearsep.lora`), a decoder under the query's control turns its maps into
features of frames, a mask network turns these and the magnitudes into a mask. The estimate is the
masked spectrum with the mixture's phase.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.decoder import Decoder
from baselines.clearsep.frontend import LogMel
from baselines.clearsep.htsat import Htsat
from baselines.clearsep.lora import adapt, merge
from baselines.clearsep.masknet import MaskNet
from baselines.model import SeparationModel
from baselines.queries.encoder import QueryEncoder
from baselines.spectra import count_frames, istft, stft


class ClearSep(SeparationModel):
    """The network.

    Args:
        config: Its sizes.
        encoder: A query encoder to use instead of the one that the configuration describes.
    """

    name: ClassVar[str] = "clearsep"
    takes_negatives: ClassVar[bool] = True

    def __init__(self, config: ClearSepConfig, encoder: QueryEncoder | None = None) -> None:
        super().__init__(config, encoder)
        self.front_end = LogMel(config)
        self.htsat = Htsat(config)
        if config.lora is not None:
            adapt(self.htsat, config.lora, config.rank)
        self.decoder = Decoder(config, 2 * self.encoder.dim)
        self.mask_net = MaskNet(config, 2 * self.encoder.dim)
        self.train()

    def train(self, mode: bool = True) -> ClearSep:
        """Set the mode; a pretrained audio encoder always stays in evaluation mode."""
        super().train(mode)
        if self.config.lora is not None:
            self.htsat.eval()
        return self

    def merge(self) -> ClearSep:
        """Fold the adaptation into the encoder's weights, for inference only; returns itself."""
        merge(self.htsat)
        return self

    def condition(self, positive: Tensor, negative: Tensor) -> Tensor:
        """Join embeddings of positive and negative queries, both (B, E), to (B, 2 E)."""
        joined = torch.cat([positive, negative], dim=-1)
        if self.config.normalise_query == "concat":
            joined = functional.normalize(joined, dim=-1)
        return joined

    def forward(self, mixture: Tensor, condition: Tensor) -> Tensor:
        """Separate sound of at most one window; what is shorter is followed by silence inside.

        Args:
            mixture: Shape (B, T) at `sample_rate`, full scale 1.0.
            condition: Shape (B, 2 E), from `condition`.

        Returns:
            Estimates, shape (B, T), float32.

        Raises:
            ValueError: If the sound is longer than the window.
        """
        length, window = mixture.shape[-1], self.config.window_samples
        if length > window:
            raise ValueError(
                f"{length} samples are longer than the window of {window} "
                f"({self.window_seconds} s); cut the mixture into windows"
            )
        with torch.autocast(mixture.device.type, enabled=False):
            padded = functional.pad(mixture.float(), (0, window - length))
            spectrum = stft(padded, self.config.n_fft, self.config.hop)
            magnitude = spectrum.abs()
            mel = self.front_end(padded, spectrum)
        features = self.decoder(self.htsat(mel), condition)
        frames = count_frames(window, self.config.n_fft, self.config.hop)
        logits = self.mask_net(magnitude, features[:, :frames], condition)
        with torch.autocast(mixture.device.type, enabled=False):
            return istft(torch.sigmoid(logits.float()) * spectrum, self.config.hop, length)
