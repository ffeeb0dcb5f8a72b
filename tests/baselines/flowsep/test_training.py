"""That the network learns: the loss falls, and the query says what comes out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from baselines.flowsep.config import FlowSepConfig, PatchesConfig, UNetConfig
from baselines.flowsep.model import FlowSep

LABELS = ("Whistle", "Rain")
SAMPLES = 2560


def _config() -> FlowSepConfig:
    return FlowSepConfig(
        n_fft=512,
        mels=16,
        latent=PatchesConfig(stride=2),
        unet=UNetConfig(channels=(16, 32), layers=1, head_channels=16, groups=8),
        vocoder={"kind": "mixture-phase"},
        steps=8,
        empty=0.0,
        text_dropout=0.0,
        window_seconds=SAMPLES / 16000,
        encoder={"kind": "labels", "dim": 16},
    )


def _sounds(count: int, drawn: torch.Generator) -> Tensor:
    """Whistles at a random pitch above 1 kHz, and rumbling below, shape (2, B, T)."""
    time = torch.arange(SAMPLES) / 16000
    pitch = 1500 + 2500 * torch.rand(count, 1, generator=drawn)
    phase = 6.28 * torch.rand(count, 1, generator=drawn)
    whistle = 0.3 * torch.sin(6.2832 * pitch * time + phase)
    noise = torch.randn(count, SAMPLES // 16, generator=drawn)
    rumble = torch.nn.functional.interpolate(noise[:, None], size=SAMPLES, mode="linear")[:, 0]
    return torch.stack([whistle, 0.2 * rumble])


def _si_sdr(estimate: Tensor, target: Tensor) -> Tensor:
    scale = (estimate * target).sum(-1, keepdim=True) / target.square().sum(-1, keepdim=True)
    wanted = scale * target
    error = (estimate - wanted).square().sum(-1)
    return 10 * torch.log10(wanted.square().sum(-1) / error)


def _train(model: FlowSep, steps: int) -> list[float]:
    optimiser = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=3e-3)
    drawn = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(steps):
        sounds = _sounds(8, drawn)
        asked = torch.randint(2, (8,), generator=drawn)
        target = sounds[asked, torch.arange(8)]
        positive = model.encoder.prepare([(LABELS[index],) for index in asked.tolist()])
        loss = model.flow_loss(sounds.sum(0), target, positive)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def _trained(steps: int) -> tuple[FlowSep, float]:
    """Return a network, and its last losses over its first ones."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = FlowSep(_config()).train()
        losses = _train(model, steps)
    return model.eval(), sum(losses[-10:]) / sum(losses[:10])


def test_the_loss_falls() -> None:
    assert _trained(40)[1] < 0.7


@pytest.mark.slow
def test_a_few_hundred_steps_separate_what_the_query_names() -> None:
    model, fall = _trained(150)
    assert fall < 0.3
    sounds = _sounds(6, torch.Generator().manual_seed(2))
    mixture = sounds.sum(0)
    for index, label in enumerate(LABELS):
        prepared = model.encoder.prepare([(label,)] * 6)
        with torch.no_grad():
            estimate = model.separate(mixture, prepared, prepared)
        wanted, other = sounds[index], sounds[1 - index]
        gain = _si_sdr(estimate, wanted) - _si_sdr(mixture, wanted)
        assert float(gain.mean()) > 3.0, label
        assert float((_si_sdr(estimate, wanted) - _si_sdr(estimate, other)).mean()) > 10.0, label
