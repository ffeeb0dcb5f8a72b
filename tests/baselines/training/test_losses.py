"""Losses against closed forms, torchmetrics and each other's limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from baselines.training.losses import Loss, LossConfig, make_loss
from hive.metrics.sdr import sdr_plain, si_sdr

T = 4000


def loss_of(**told: Any) -> Loss:
    config: LossConfig = TypeAdapter(LossConfig).validate_python(told)
    return make_loss(config)


def noise(rows: int = 1, seed: int = 0, level: float = 0.1) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy((level * rng.standard_normal((rows, T))).astype(np.float32))


def at_snr(target: Tensor, snr_db: float) -> Tensor:
    """Target plus noise that is orthogonal to it, at an SNR."""
    error = noise(len(target), seed=99)
    error -= (error * target).sum(-1, True) / target.square().sum(-1, True) * target
    scale = target.norm(dim=-1, keepdim=True) / error.norm(dim=-1, keepdim=True)
    return target + scale * 10 ** (-snr_db / 20) * error


def test_l1() -> None:
    value = loss_of(kind="l1")(torch.tensor([[1.0, 2.0], [0.0, 0.5]]), torch.zeros(2, 2), noise())
    assert float(value.loss) == 3.5 / 4
    assert float(value.parts["l1"]) == 3.5 / 4


def check_against(
    sdr: Callable[[Tensor, Tensor], Tensor], si_sdr: Callable[[Tensor, Tensor], Tensor]
) -> None:
    """Compare the loss without a threshold with other definitions of what it is made of."""
    loss = loss_of(kind="sdr", sdr_weight=0.9, threshold=1e-9)
    for snr_db in (-10.0, 0.0, 7.0, 20.0):
        target = noise(3)
        estimate = 0.7 * at_snr(target, snr_db)
        found = loss(estimate, target, target + noise(3, seed=5))
        expected = 0.9 * sdr(estimate, target).mean() + 0.1 * si_sdr(estimate, target).mean()
        assert float(found.loss) == pytest.approx(-float(expected), abs=1e-3)
        assert sum(map(float, found.parts.values())) == pytest.approx(float(found.loss), abs=1e-5)


def test_values_without_a_threshold_are_those_of_the_metrics() -> None:
    check_against(
        lambda e, y: torch.from_numpy(sdr_plain(estimate=e.numpy(), reference=y.numpy())),
        lambda e, y: torch.from_numpy(si_sdr(estimate=e.numpy(), reference=y.numpy())),
    )


@pytest.mark.slow
def test_values_without_a_threshold_are_those_of_torchmetrics() -> None:
    from torchmetrics.functional import audio  # takes twelve seconds

    check_against(audio.signal_noise_ratio, audio.scale_invariant_signal_distortion_ratio)


@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 30.0, 60.0])
def test_soft_threshold_in_closed_form(snr_db: float) -> None:
    target = noise(2)
    estimate = at_snr(target, snr_db)
    error = 10 ** (-snr_db / 10)
    plain = loss_of(kind="sdr", sdr_weight=1.0, threshold=1e-3)
    assert float(plain(estimate, target, target).loss) == pytest.approx(
        10 * math.log10(error + 1e-3), abs=1e-3
    )
    alike = 1 / (1 + error)
    scaled = loss_of(kind="sdr", sdr_weight=0.0, threshold=1e-3)
    for gain in (1.0, 0.01, -3.0):
        assert float(scaled(gain * estimate, target, target).loss) == pytest.approx(
            10 * math.log10((1 - alike + 1e-3) / (alike + 1e-3)), abs=2e-2
        )


@pytest.mark.parametrize(("gain", "expected"), [(0.0, -30.0), (1.0, 0.0), (0.1, -19.59)])
def test_silence_is_worth_its_level_below_the_mixture(gain: float, expected: float) -> None:
    mixture = noise(2)
    loss = loss_of(kind="sdr", threshold=1e-3)
    found = loss(gain * mixture, torch.zeros_like(mixture), mixture)
    assert float(found.loss) == pytest.approx(expected, abs=0.01)
    assert float(found.parts["silence"]) == pytest.approx(expected, abs=0.01)
    louder = loss(50 * gain * mixture, torch.zeros_like(mixture), 50 * mixture)
    assert float(louder.loss) == pytest.approx(float(found.loss), abs=1e-3)


def test_items_are_told_apart_and_averaged() -> None:
    loss = loss_of(kind="sdr", silence_weight=2.0)
    target, mixture = noise(3), noise(3, seed=1) + noise(3)
    target[1] = 0.0
    mixture[2] = 0.0
    target[2] = 0.0
    estimate = 0.5 * mixture
    together = loss(estimate, target, mixture)
    each = [
        float(loss(estimate[row : row + 1], target[row : row + 1], mixture[row : row + 1]).loss)
        for row in range(3)
    ]
    assert each[2] == 0.0
    assert float(together.loss) == pytest.approx(sum(each) / 3, abs=1e-5)
    assert each[1] == pytest.approx(2 * 10 * math.log10(0.25 + 1e-3), abs=1e-3)


KINDS = st.sampled_from(["zeros", "noise", "tiny", "huge", "same", "mixture", "opposite"])


def signal(kind: str, target: Tensor, mixture: Tensor) -> Tensor:
    made = {
        "zeros": torch.zeros_like(mixture),
        "noise": noise(1, seed=3),
        "tiny": 1e-12 * noise(1, seed=3),
        "huge": 1e4 * noise(1, seed=3),
        "same": target.clone(),
        "mixture": mixture.clone(),
        "opposite": -target,
    }
    return made[kind]


ITEMS = st.tuples(KINDS, KINDS, st.sampled_from([0.0, 1e-9, 1e-5, 0.1, 10.0]))


@settings(max_examples=60)
@given(
    st.lists(ITEMS, min_size=1, max_size=4),
    st.sampled_from([0.0, 0.9, 1.0]),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_gradients_are_finite(
    items: list[tuple[str, str, float]], weight: float, dtype: torch.dtype
) -> None:
    rows = []
    for of_target, of_estimate, level in items:
        mixture = level * noise(1, seed=1)
        target = signal(of_target, mixture, mixture)
        rows.append((signal(of_estimate, target, mixture), target, mixture))
    estimate, target, mixture = (torch.cat(list(part)) for part in zip(*rows, strict=True))
    estimate = estimate.to(dtype).nan_to_num().requires_grad_()
    loss = loss_of(kind="sdr", sdr_weight=weight)
    value = loss(estimate, target, mixture).loss
    value.backward()
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert estimate.grad is not None
    if dtype is not torch.float16:  # whose range an honest gradient may leave
        assert estimate.grad.isfinite().all()


def test_an_estimate_of_zeros_learns_and_a_solved_one_rests() -> None:
    target = noise(1)
    loss = loss_of(kind="sdr", sdr_weight=0.9)

    def pull(estimate: Tensor) -> Tensor:
        estimate = estimate.clone().requires_grad_()
        loss(estimate, target, target).loss.backward()
        assert estimate.grad is not None
        return estimate.grad

    towards = -pull(torch.zeros_like(target))
    assert torch.nn.functional.cosine_similarity(towards, target) > 0.99
    assert pull(target).norm() < 1e-3 * towards.norm()


def test_steps_down_the_gradient_solve_it() -> None:
    target, mixture = noise(2), noise(2) + noise(2, seed=8)
    target[1] = 0.0
    loss = loss_of(kind="sdr")
    estimate = mixture.clone()
    for step in range(100):
        estimate.requires_grad_()
        value = loss(estimate, target, mixture).loss
        (gradient,) = torch.autograd.grad(value, estimate)
        down = gradient / gradient.norm(dim=-1, keepdim=True)
        length = 0.2 * 0.93**step * mixture.norm(dim=-1, keepdim=True)
        estimate = (estimate - length * down).detach()
    assert float(value.detach()) < -27.0  # of -30


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "l2"},
        {"kind": "sdr", "sdr_weight": 1.5},
        {"kind": "sdr", "threshold": 0.0},
        {"kind": "l1", "threshold": 0.1},
        {},
    ],
)
def test_unknown_losses_are_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        loss_of(**told)
