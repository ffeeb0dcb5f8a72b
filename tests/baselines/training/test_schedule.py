"""Learning rates against torch's own schedulers and against the published tables."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.training.schedule import LearningRate
from baselines.training.sections import (
    ConstantSchedule,
    CosineSchedule,
    PlateauSchedule,
    SteppedSchedule,
)


def optimiser(lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


@given(
    scores=st.lists(st.integers(-3, 3).map(float), max_size=30),
    patience=st.integers(0, 3),
    floor=st.sampled_from([0.0, 0.004, 1.0]),
)
def test_plateau_is_that_of_torch(scores: list[float], patience: int, floor: float) -> None:
    ours = LearningRate(
        PlateauSchedule(kind="plateau", factor=0.3, patience=patience, floor=floor), 0.1, 100
    )
    reference = optimiser(0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        reference, "max", factor=0.3, patience=patience, threshold=0.0, min_lr=floor, eps=0.0
    )
    for score in scores:
        ours.observe(score)
        theirs.step(score)
        if floor <= 0.1:
            assert ours.at(7) == pytest.approx(reference.param_groups[0]["lr"], rel=1e-12)
        else:  # ours never raises a rate that is below the floor
            assert ours.at(7) == 0.1


def test_plateau_goes_on_from_its_state() -> None:
    schedule = PlateauSchedule(kind="plateau", factor=0.5, patience=1)
    whole, first, second = (LearningRate(schedule, 1.0, 10) for _ in range(3))
    scores = [1.0, 0.5, 0.4, 2.0, 1.0, 1.0]
    for score in scores:
        whole.observe(score)
    for score in scores[:2]:
        first.observe(score)
    second.load_state_dict(first.state_dict())
    for score in scores[2:]:
        second.observe(score)
    assert whole.at(0) == second.at(0) == 0.25


def test_stepped_is_the_warm_up_of_audiosep() -> None:
    rate = LearningRate(SteppedSchedule(kind="stepped"), 1e-3, 4_000_000)
    told = {0: 1e-6, 9_999: 1e-6, 10_000: 1e-5, 19_999: 1e-5, 20_000: 1e-4, 30_000: 1e-3}
    assert {step: rate.at(step) for step in told} == pytest.approx(told)
    assert rate.at(3_999_999) == 1e-3


def test_cosine_is_that_of_torch_after_its_warm_up() -> None:
    rate = LearningRate(CosineSchedule(kind="cosine", warmup_steps=4, final=0.1), 2.0, 24)
    assert [rate.at(step) for step in range(4)] == pytest.approx([0.4, 0.8, 1.2, 1.6])
    reference = optimiser(2.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(reference, T_max=20, eta_min=0.2)
    for step in range(4, 25):
        assert rate.at(step) == pytest.approx(reference.param_groups[0]["lr"])
        reference.step()
        theirs.step()
    assert rate.at(1000) == pytest.approx(0.2)


def test_cosine_ends_where_it_is_told_to() -> None:
    rate = LearningRate(CosineSchedule(kind="cosine", steps=10), 1.0, 1000)
    assert rate.at(5) == pytest.approx(0.5)
    assert math.isclose(rate.at(10), 0.0, abs_tol=1e-12)


def test_constant() -> None:
    rate = LearningRate(ConstantSchedule(kind="constant"), 0.3, 10)
    rate.observe(1.0)
    rate.observe(0.0)
    assert {rate.at(step) for step in range(10)} == {0.3}
