"""Validation scores are those of `hive.metrics`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.training.scores import LIMIT_DB, NAMES, ScoreSums, score_items
from hive.metrics.sdr import sdr_plain_i, si_sdr_i
from hive.metrics.silence import silence_sdr

T = 3000


def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Estimates, targets and mixtures: good, bad, exact, silent, absent, nothing at all."""
    rng = np.random.default_rng(0)
    y, n, d = (0.1 * rng.standard_normal((11, T)) for _ in range(3))
    x = y + n
    e = y + 0.3 * n + 0.01 * d
    e[1] = 1e-4 * d[1]
    e[2] = 0.25 * y[2]  # exact up to its level
    e[3] = 0.0
    y[4], e[4] = 0.0, 0.05 * x[4]  # an absent class
    y[5], e[5] = 0.0, 0.0
    y[6], e[6] = 0.0, x[6]
    x[7], y[7], e[7] = 0.0, 0.0, d[7]  # nothing at all
    x[8] = y[8]  # no other source: no improvement is defined
    e[9] = y[9] + 1e-4 * n[9]
    y[10] = 1e-8 * d[10]  # counts as silent
    e, y, x = (torch.from_numpy(one.astype(np.float32)) for one in (e, y, x))
    return e, y, x


def test_items_score_as_in_the_metrics() -> None:
    e, y, x = batch()
    found = score_items(e, y, x)
    gain = si_sdr_i(estimate=e.numpy(), reference=y.numpy(), mixture=x.numpy())
    np.testing.assert_allclose(found.si_sdr_i.numpy(), gain, rtol=1e-9, atol=1e-7)
    gain = sdr_plain_i(estimate=e.numpy(), reference=y.numpy(), mixture=x.numpy())
    np.testing.assert_allclose(found.sdr_plain_i.numpy(), gain, rtol=1e-9, atol=1e-7)
    absent = [4, 5, 6, 10]
    silence = silence_sdr(estimate=e.numpy(), mixture=x.numpy())
    np.testing.assert_allclose(found.silence_sdr[absent].numpy(), silence[absent], rtol=1e-9)
    others = [row for row in range(11) if row not in absent]
    assert found.silence_sdr[others].isnan().all()
    assert found.si_sdr_i[[4, 5, 6, 7, 8, 10]].isnan().all()
    assert found.si_sdr_i[2] == torch.inf
    assert found.si_sdr_i[3] == -torch.inf
    # Silence for a source has an SDR of 0 dB.
    before = 10 * (y[3].double().square().sum() / (y[3] - x[3]).double().square().sum()).log10()
    assert float(found.sdr_plain_i[3]) == pytest.approx(-float(before), abs=1e-5)
    assert found.silence_sdr[5] == torch.inf


def test_half_precision_is_taken_as_it_is() -> None:
    e, y, x = batch()
    rounded = e.bfloat16()
    found = score_items(rounded, y, x).si_sdr_i[0]
    gain = si_sdr_i(
        estimate=rounded.float().numpy()[0], reference=y.numpy()[0], mixture=x.numpy()[0]
    )
    assert float(found) == pytest.approx(float(gain), abs=1e-9)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_estimate_that_is_no_signal_counts_as_the_worst(bad: float) -> None:
    e, y, x = batch()
    e[0, 5] = e[4, 5] = bad
    found = score_items(e, y, x)
    assert found.si_sdr_i[0] == found.sdr_plain_i[0] == -torch.inf
    assert found.silence_sdr[4] == -torch.inf
    sums = ScoreSums()
    sums.add(e[:5], y[:5], x[:5], torch.full((5,), 2))
    counts = sums.sums[:, :, 1].sum(1)
    assert counts.tolist() == [4.0, 4.0, 1.0]


def test_means_by_number_of_sources() -> None:
    e, y, x = batch()
    sizes = torch.tensor([2, 3, 2, 3, 2, 3, 3, 2, 2, 3, 2])
    items = score_items(e, y, x)
    gains = items.si_sdr_i.clamp(-LIMIT_DB, LIMIT_DB)
    sums = ScoreSums()
    for rows in (slice(0, 4), slice(4, 11)):
        sums.add(e[rows], y[rows], x[rows], sizes[rows])
    means = sums.means()
    assert means["si_sdr_i"] == pytest.approx(float(gains.nanmean()))
    for size in (2, 3):
        assert means[f"si_sdr_i_{size}mix"] == pytest.approx(float(gains[sizes == size].nanmean()))
    silence = items.silence_sdr.clamp(-LIMIT_DB, LIMIT_DB)
    assert means["silence_sdr"] == pytest.approx(float(silence.nanmean()))
    assert set(means) == {f"{name}{size}" for name in NAMES for size in ("", "_2mix", "_3mix")}


def test_ranks_add_up() -> None:
    e, y, x = batch()
    sizes = torch.full((11,), 4)
    whole, first, second = ScoreSums(), ScoreSums(), ScoreSums()
    whole.add(e, y, x, sizes)
    first.add(e[:2], y[:2], x[:2], sizes[:2])
    second.add(e[2:], y[2:], x[2:], sizes[2:])
    first.sums += second.sums
    assert first.means() == pytest.approx(whole.means())
    whole.reduce()  # alone: nothing to add
    assert first.means() == pytest.approx(whole.means())


def _rank(rank: int, file: str, out: str) -> None:
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    e, y, x = batch()
    rows = slice(0, 3) if rank == 0 else slice(3, 11)
    sums = ScoreSums()
    sums.add(e[rows], y[rows], x[rows], torch.full((11,), 2)[rows])
    sums.reduce()
    torch.save(sums.sums, f"{out}{rank}")
    dist.destroy_process_group()


def test_two_processes_reduce_to_the_same_sums(tmp_path: Path) -> None:
    import multiprocessing

    context = multiprocessing.get_context("fork")
    ranks = [
        context.Process(target=_rank, args=(rank, str(tmp_path / "meet"), str(tmp_path / "sums")))
        for rank in range(2)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(60)
    assert [rank.exitcode for rank in ranks] == [0, 0]
    whole = ScoreSums()
    whole.add(*batch(), torch.full((11,), 2))
    for rank in range(2):
        found = torch.load(tmp_path / f"sums{rank}", weights_only=True)
        torch.testing.assert_close(found, whole.sums)


def test_no_examples_no_means() -> None:
    assert ScoreSums().means() == {}
