from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from hive.errors import HiveError
from hive.mixing.plan import Planner
from hive.mixing.stream import Drawn, MixtureStream, Planned, StreamLoader, open_reader

COUNT = 41


def loader(plan: Path, pack: Path, num_workers: int = 0, **options: Any) -> StreamLoader:
    keys = ("persistent_workers", "multiprocessing_context")
    more = {name: options.pop(name) for name in keys if name in options}
    stream = MixtureStream(Planned(plan), open_reader(pack), **{"batch_size": 4, **options})
    return StreamLoader(stream, num_workers, **more)


def seen(batches: Any) -> list[list[int]]:
    return [batch["index"].tolist() for batch in batches]


def flat(batches: list[list[int]]) -> list[int]:
    return [index for batch in batches for index in batch]


def test_two_ranks_with_two_workers_see_every_mixture_once(pack: Path, plan: Path) -> None:
    ranks = [loader(plan, pack, 2, rank=rank, world_size=2, targets="one") for rank in range(2)]
    epochs = []
    for _ in range(2):
        parts = [seen(one) for one in ranks]
        assert sorted(flat(parts[0]) + flat(parts[1])) == list(range(COUNT))
        assert [len(part) for part in parts] == [len(one) for one in ranks]
        epochs.append(parts)
    assert epochs[0] != epochs[1]
    assert abs(len(flat(epochs[0][0])) - len(flat(epochs[0][1]))) == 1


def test_the_order_does_not_depend_on_workers(pack: Path, plan: Path) -> None:
    alone, two = loader(plan, pack, 0), loader(plan, pack, 2)
    for first, second in zip(alone, two, strict=True):
        assert first.keys() == second.keys()
        for name, value in first.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, second[name]), name
            else:
                assert value == second[name]


def test_workers_that_are_spawned_or_stay_follow_the_epochs(pack: Path, plan: Path) -> None:
    spawned = loader(plan, pack, 1, multiprocessing_context="spawn", persistent_workers=True)
    alone = loader(plan, pack)
    for _ in range(2):
        assert seen(spawned) == seen(alone)
    spawned.set_epoch(7)
    alone.set_epoch(7)
    assert spawned.epoch == 7
    assert seen(spawned) == seen(alone)


@pytest.mark.parametrize("done", [1, 6, 10])
def test_resuming_gives_the_rest(pack: Path, plan: Path, done: int) -> None:
    """Stopped after some batches, with others made ahead: exactly what remains, in its order."""
    whole = seen(loader(plan, pack))
    first = loader(plan, pack, 2)
    iterator = iter(first)
    assert [next(iterator)["index"].tolist() for _ in range(done)] == whole[:done]
    state = json.loads(json.dumps(first.state_dict()))
    del iterator
    for workers in (0, 1):
        second = loader(plan, pack, workers)
        second.load_state_dict(state)
        assert seen(second) == whole[done:]
        # The epoch after it is the next one, whole.
        third = loader(plan, pack)
        third.set_epoch(1)
        assert seen(second) == seen(third)


def test_resuming_with_other_ranks_gives_the_rest(pack: Path, plan: Path) -> None:
    ranks = [loader(plan, pack, rank=rank, world_size=2) for rank in range(2)]
    taken = []
    for one in ranks:
        iterator = iter(one)
        taken += [next(iterator)["index"].tolist() for _ in range(3)]
    state = ranks[0].state_dict()
    assert state == ranks[1].state_dict()
    for world in (1, 3):
        rest = []
        for rank in range(world):
            one = loader(plan, pack, rank=rank, world_size=world)
            one.load_state_dict(state)
            rest += seen(one)
        assert sorted(flat(taken) + flat(rest)) == list(range(COUNT))


def test_equal_numbers_of_equal_batches_for_ddp(pack: Path, plan: Path) -> None:
    for world in (2, 3):
        parts = []
        for rank in range(world):
            one = loader(plan, pack, rank=rank, world_size=world, drop_last=True)
            part = seen(one)
            assert len(part) == len(one) == COUNT // (4 * world)
            assert all(len(batch) == 4 for batch in part)
            parts += flat(part)
        assert len(set(parts)) == len(parts)


def test_an_epoch_that_is_over_leaves_the_next_one(pack: Path, plan: Path) -> None:
    one = loader(plan, pack, drop_last=True)
    states = [one.state_dict() for _ in one]
    assert (states[-2]["epoch"], states[-2]["place"]) == (0, 36)
    assert (states[-1]["epoch"], states[-1]["place"]) == (1, 0)
    assert one.state_dict() == states[-1]
    other = loader(plan, pack, drop_last=True)
    other.load_state_dict(states[-1])
    assert len(seen(other)) == len(one)


def test_a_pass_that_was_left_begins_again(pack: Path, plan: Path) -> None:
    one = loader(plan, pack)
    first = next(iter(one))
    assert seen(one)[0] == first["index"].tolist()


def test_evaluation_in_order(pack: Path, plan: Path) -> None:
    assert flat(seen(loader(plan, pack, 2, shuffle=False))) == list(range(COUNT))


def test_the_epoch_of_a_loaded_state_goes_on(pack: Path, plan: Path) -> None:
    """What a training loop does: it loads a state, and then sets the epoch that it is in."""
    one = loader(plan, pack)
    one.set_epoch(2)
    iterator = iter(one)
    next(iterator), next(iterator)
    state = one.state_dict()
    other = loader(plan, pack)
    other.load_state_dict(state)
    other.sampler.set_epoch(2)
    one.set_epoch(3)
    one.set_epoch(2)
    assert seen(other) == seen(one)[2:]


def test_what_is_set_during_a_pass_does_not_make_its_state_lie(pack: Path, plan: Path) -> None:
    one = loader(plan, pack)
    iterator = iter(one)
    next(iterator)
    one.set_epoch(5)
    next(iterator)
    assert (one.state_dict()["epoch"], one.state_dict()["place"]) == (0, 8)
    one.set_epoch(5)
    assert (one.state_dict()["epoch"], one.state_dict()["place"]) == (5, 0)
    other = loader(plan, pack)
    other.set_epoch(5)
    assert seen(one) == seen(other)


def test_fewer_mixtures_than_ranks(pack: Path, plan: Path) -> None:
    parts = []
    for rank in range(4):
        stream = MixtureStream(
            Planned(plan, num=3), open_reader(pack), batch_size=2, rank=rank, world_size=4
        )
        one = StreamLoader(stream, 2)
        part = seen(one)
        assert len(part) == len(one)
        assert one.epoch == 1
        parts += flat(part)
    assert sorted(parts) == [0, 1, 2]


def test_batches_out_of_order_are_refused(pack: Path, plan: Path) -> None:
    stream = MixtureStream(Planned(plan), open_reader(pack), batch_size=4)
    with pytest.raises(HiveError, match="in_order"):
        StreamLoader(stream, 2, in_order=False)


def test_another_stream_is_refused_with_both_shown(
    pack: Path, plan: Path, planner: Planner
) -> None:
    state = loader(plan, pack, seed=1).state_dict()
    with pytest.raises(HiveError, match="seed: 1 there -> 2 asked for"):
        loader(plan, pack, seed=2).load_state_dict(state)
    with pytest.raises(HiveError, match="batch_size: 4 there -> 5 asked for"):
        loader(plan, pack, seed=1, batch_size=5).load_state_dict(state)
    drawn = MixtureStream(Drawn(planner, COUNT), open_reader(pack), batch_size=4, seed=1)
    with pytest.raises(HiveError, match=r"plan: .* there -> None asked for"):
        StreamLoader(drawn).load_state_dict(state)
    for broken in ({}, state | {"place": "x"}, state | {"stream": None}):
        with pytest.raises(HiveError, match="no state of a stream"):
            loader(plan, pack, seed=1).load_state_dict(broken)
    with pytest.raises(HiveError, match="sample 42 of epoch 0"):
        loader(plan, pack, seed=1).load_state_dict(state | {"place": 42})
    with pytest.raises(HiveError, match="no state of a stream"):
        loader(plan, pack, seed=1).load_state_dict(state | {"epoch": float("inf")})
    with pytest.raises(HiveError, match=f"of epoch {10**20}"):
        loader(plan, pack, seed=1).load_state_dict(state | {"epoch": 10**20})
    with pytest.raises(HiveError, match="version 9"):
        loader(plan, pack, seed=1).load_state_dict(state | {"version": 9})


def test_an_error_in_a_worker_reaches_the_user(pack: Path, plan: Path, tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="no such file"):
        list(loader(plan, tmp_path, 1))


_RANK = """
import json, sys
from pathlib import Path
import torch.distributed as dist
from hive.mixing.stream import MixtureStream, Planned, StreamLoader, open_reader

store, rank, plan, pack = sys.argv[1:]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=int(rank), world_size=2)
stream = MixtureStream(Planned(Path(plan)), open_reader(Path(pack)), batch_size=4)
mine = [i for batch in StreamLoader(stream, 1) for i in batch["index"].tolist()]
gathered = [None, None]
dist.all_gather_object(gathered, mine)
print(json.dumps(gathered))
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_ranks_of_torch_distributed(pack: Path, plan: Path, tmp_path: Path) -> None:
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", _RANK, str(tmp_path / "store"), str(rank), plan, pack],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    told = [json.loads(one.communicate(timeout=300)[0]) for one in ranks]
    assert told[0] == told[1]
    assert sorted(told[0][0] + told[0][1]) == list(range(COUNT))
    assert abs(len(told[0][0]) - len(told[0][1])) == 1
