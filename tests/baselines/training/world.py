"""A small pool and a small run, for tests in this process and in others; run by path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from hive.labels import find
from hive.pool.store import Origin, merge_corpus, write_clip
from hive.tables import CLIP_SCHEMA

#: Labels of which any two may be mixed.
LABELS = ("Typing", "Air conditioning", "Male speech, man speaking", "Printer", "Cough")

#: Overrides that make the networks small.
SMALL = {
    "audiosep": "model.config={n_fft: 128, hop: 64, bands: 64, channels: [2, 2, 2, 2, 2, 2], "
    "encoder: {kind: labels, dim: 4}}",
    "clearsep": "model.config={n_fft: 1024, hop: 320, encoder_rate: 32000, encoder_hop: 320, "
    "chunks: 2, chunk_frames: 32, embed_dim: 8, depths: [1, 1, 1, 1], heads: [1, 1, 2, 2], "
    "decoder_heads: [1, 1, 2, 2], "
    "window_size: 4, rank: 2, mask_width: 16, mask_heads: 2, mask_ff: 16, mask_layers: 1, "
    "encoder: {kind: labels, dim: 4}}",
    "flowsep": "model.config={n_fft: 256, hop: 100, mels: 16, latent: {kind: patches, stride: 2}, "
    "unet: {channels: [8, 16], layers: 1, head_channels: 8, groups: 4}, validation_steps: 2, "
    "vocoder: {kind: mixture-phase}, empty: 0, encoder: {kind: labels, dim: 4}}",
}

#: Overrides that make a run of audiosep-mini short.
TINY = (
    SMALL["audiosep"],
    "data.seconds=0.25",
    "data.batch_size=2",
    "data.workers=0",
    "data.augment=null",
    "data.mixtures_per_epoch=10",
    "data.validation={mixtures: 1, sizes: [2, 3]}",
    "trainer.precision=fp32",
    "trainer.accelerator=cpu",
    "trainer.max_steps=4",
    "trainer.validate_every_steps=3",
    "trainer.log_every_steps=1",
)


def make_pool(pool: Path, per_split: int = 2, seconds: float = 1.2) -> Path:
    """Fill a pool with noises at a pitch of their class, for training and validation."""
    rows = []
    for number, label in enumerate(LABELS):
        for take in range(2 * per_split):
            rng = np.random.default_rng(100 * number + take)
            count = round(seconds * 44100)
            hum = np.sin(2 * np.pi * 300 * (number + 1) * np.arange(count) / 44100)
            samples = 0.1 * hum * (1 + 0.2 * rng.standard_normal(count))
            origin = Origin(
                clip_id=f"c{number}-{take}",
                corpus="corpus",
                label=find(label),
                recording_id=f"r{number}-{take}",
                split="train" if take < per_split else "validation",
                licence="CC0-1.0",
                attribution="A",
                bandwidth_hz=22050.0,
                channels=1,
                provenance=(),
            )
            rows.append(write_clip(pool, samples.astype(np.float32), origin))
    merge_corpus(pool, "corpus", pa.Table.from_pylist(rows, schema=CLIP_SCHEMA), [], {"seed": 0})
    return pool
