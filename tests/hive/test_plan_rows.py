"""The rows of plans: those of the plain planner, and those that earlier versions drew."""

from __future__ import annotations

import hashlib
import pickle
import runpy
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.errors import HiveError
from hive.files import sha256_json
from hive.mixing.crops import _POWER
from hive.mixing.plan import Planner, PlanSettings

PLAIN = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("plan_reference.py"))))
SHARES = {2: 0.15, 3: 0.20, 4: 0.30, 5: 0.35}
COMPUTED = {"global_normalization_factor", "final_max_amplitude", "pcm_sha256", "settings_hash"}
COMPUTED_OF_SOURCES = {"rms_gain", "applied_weight", "pcm_sha256"}


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null until the mixture is rendered."""
    assert all(row[name] is None for name in COMPUTED - {"settings_hash"})
    assert all(source[name] is None for source in row["sources"] for name in COMPUTED_OF_SOURCES)
    sources = [
        {name: value for name, value in source.items() if name not in COMPUTED_OF_SOURCES}
        for source in row["sources"]
    ]
    return {
        **{name: value for name, value in row.items() if name not in COMPUTED},
        "sources": sources,
    }


#: Rows of the first planner, which drew one mixture at a time.
GOLDEN = {
    "even": (
        PLAIN.even_pool,
        ("train", 0, 4.0, SHARES),
        range(2000),
        "c487b0ddf1ca67a9410c27ad1e45f815b5323b98a13593970ea280d1bfc92d6c",
        "3cbdd27228cb0e8130f51dcc3a858b998c456e05860addd00b6c52d82af85a32",
    ),
    "far on": (
        PLAIN.even_pool,
        ("train", 0, 4.0, SHARES),
        range(17_000_000, 17_000_500),
        "55f1fc2bdefa7849d0fee86d1da5a9a70d75e317f844c0e55eeb6d1de174de00",
        "3cbdd27228cb0e8130f51dcc3a858b998c456e05860addd00b6c52d82af85a32",
    ),
    "crops of the clips' length": (
        lambda: PLAIN.even_pool(3),
        ("test", 7, 10.0, {5: 1.0}),
        range(500),
        "525ed22a048d60d7315048fe1808e2ec2915bd0a95231ff8ce7b4344ad41c3bd",
        "8046894dfbbd348262df49f5039f79a1ce7093972292d0900d98098099965de2",
    ),
    "awkward": (
        lambda: PLAIN.awkward_pool(1),
        ("train", 0, 4.0, SHARES),
        range(2000),
        "a882a668f7a76717026c498a68fc80a9002addc382756063c256fcb5b34f17f9",
        "7044026c6ebfcd5cce5f7f00b9a1e1408cc43969615cdf80e5efd9712bd2f776",
    ),
    "awkward, few classes": (
        lambda: PLAIN.awkward_pool(2, 60, 400),
        ("validation", 3, 3.3, {2: 1.0, 4: 3.0}),
        range(2000),
        "e05bfa71873830e631a6aad22a5309b766bf7275f2bdb68a0cabae4a75327157",
        "db155ce5f14b8094f8d19e61128cc2259c1525974b5b7f2a5b4f447ef04578d5",
    ),
    "awkward, a size without a share": (
        lambda: PLAIN.awkward_pool(5, 283, 3000),
        ("test", 2026, 10.0, {3: 0.0, 2: 1.0, 5: 2.0}),
        range(1000),
        "0cefd5f964f95a62aee459aa1a0e4d1b70b0e86b9ff6009feb2af61e9a704813",
        "e16261f4b18f53a860b66ecf28ce8f2b5dd8c841d415b992b24a6a3cdb688bd2",
    ),
    "many tries": (
        PLAIN.scarce_pool,
        ("train", 1, 4.0, {2: 0.1, 5: 0.9}),
        range(500),
        "1236a726ac92a8a4af1c5828b6d334825c6307c40630388c794f3af1732609a7",
        "28382a52bef1e60d8da18b9aa1989f18c04331311ac1cab544af8e4905c75fa0",
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_rows_are_those_of_earlier_versions(case: str) -> None:
    """A plan of a seed stays what it is: these hashes must never change."""
    make, arguments, indices, rows_sha256, settings_hash = GOLDEN[case]
    rows = Planner(make(), PlanSettings(*arguments)).rows(indices)
    assert {row["settings_hash"] for row in rows} == {settings_hash}
    assert sha256_json([plain(row) for row in rows]) == rows_sha256


@settings(max_examples=12)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(40, 283),
    st.integers(200, 500),
    st.sampled_from([4.0, 10.0, 2.7]),
    st.dictionaries(st.sampled_from([2, 3]), st.floats(0.01, 5.0), min_size=1),
    st.sets(st.integers(0, 10**8), min_size=1, max_size=40),
)
def test_rows_are_those_of_the_plain_planner(
    seed: int, labels: int, clips: int, seconds: float, shares: dict[int, float], chosen: set[int]
) -> None:
    pool = PLAIN.awkward_pool(seed, labels, clips)
    indices = sorted(chosen, reverse=True)
    try:
        rows = Planner(pool, PlanSettings("train", seed, seconds, shares)).rows(indices)
    except HiveError:
        one = PLAIN.PlainPlanner(pool, "train", seed, seconds, shares)
        enough = all((one.graph.largest >= size).any() for size in shares)
        if enough:
            with pytest.raises(LookupError):
                [one.draw(index) for index in indices]
        return
    one = PLAIN.PlainPlanner(pool, "train", seed, seconds, shares)
    assert [plain(row) for row in rows] == [one.draw(index) for index in indices]


@pytest.fixture(scope="module")
def even() -> Planner:
    return Planner(PLAIN.even_pool(1), PlanSettings("train", 0, 4.0))


@settings(max_examples=8)
@given(st.lists(st.integers(1, 299), max_size=4, unique=True))
def test_any_division_into_blocks_gives_the_same_draws(even: Planner, cuts: list[int]) -> None:
    whole = even.drawer.draw(range(300))
    edges = [0, *sorted(cuts), 300]
    parts = [even.drawer.draw(range(a, b)) for a, b in pairwise(edges)]
    for name, values in vars(whole).items():
        assert np.array_equal(np.concatenate([getattr(part, name) for part in parts]), values)


def test_a_planner_can_be_sent_to_another_process() -> None:
    planner = Planner(PLAIN.even_pool(), PlanSettings("train", 0, 4.0))
    planner.draw(0)
    assert pickle.loads(pickle.dumps(planner)).draw(7) == planner.draw(7)


def test_clips_without_any_level_start_at_zero() -> None:
    """Neither an empty list of levels nor none at all says where there is sound."""
    rows = [
        PLAIN.clip_row(0, "Typing", activity=[]),
        PLAIN.clip_row(1, "Printer", activity=None),
    ]
    planner = Planner(PLAIN.clip_table(rows), PlanSettings("train", 0, 4.0, {2: 1.0}))
    sources = [source for row in planner.rows(range(20)) for source in row["sources"]]
    assert {source["crop_start_second"] for source in sources} == {0.0}


def test_recordings_that_are_too_few_are_told() -> None:
    rows = [
        PLAIN.clip_row(number, label, recording_id="r")
        for number, label in enumerate(["Typing", "Printer"])
    ]
    planner = Planner(PLAIN.clip_table(rows), PlanSettings("train", 0, 4.0, {2: 1.0}))
    with pytest.raises(HiveError, match="128 tries found no 2 clips of different recordings"):
        planner.draw(0)


def test_powers_of_levels_are_the_same_on_every_processor() -> None:
    """Which of many crops over an even background is loudest hangs on their last digits."""
    known = "a38460f963aa5f7e4fed6b63ed1c2d8efffb86f7f0bb802ccc0f366c931d2d9f"
    assert hashlib.sha256(_POWER.astype("<f8").tobytes()).hexdigest() == known
    plain = 10.0 ** ((np.arange(256) - 128.0) / 10.0)
    assert np.allclose(_POWER, [0.0, *plain[1:]], rtol=1e-14)
