from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hive import cooccurrence
from hive.errors import HiveError
from hive.labels import all_labels
from hive.mixing.balance import balanced_weights
from hive.mixing.cliques import Compatibility
from hive.mixing.plan import Planner, PlanSettings, parse_sizes, write_plan
from hive.tables import CLIP_SCHEMA, MIXTURE_SCHEMA, read_table


def clip(number: int, label: str, activity: list[int] | None = None) -> dict[str, Any]:
    return {
        "clip_id": f"clip{number:05d}",
        "source": "c",
        "path": f"c/{number}.flac",
        "start_second": 0.0,
        "end_second": 10.0,
        "label": label,
        "split": "",
        "recording_id": f"r{number}",
        "activity": activity or [108] * 100,
        "licence": "CC0-1.0" if number % 2 else "CC-BY-4.0",
        "attribution": "A",
        "pcm_sha256": f"{number}",
    }


def pool(counts: dict[str, int]) -> pa.Table:
    labels = [label for label, count in counts.items() for _ in range(count)]
    rows = [clip(number, label) for number, label in enumerate(labels)]
    return pa.Table.from_pylist(rows, schema=CLIP_SCHEMA)


EVERY = {label.name: 2 for label in all_labels()}


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(pool(EVERY), PlanSettings("train", 0, 4.0))


@settings(max_examples=100)
@given(st.integers(0, 10**8))
def test_every_mixture_makes_sense(planner: Planner, index: int) -> None:
    row = planner.draw(index)
    sources = row["sources"]
    labels = [source["label"] for source in sources]
    assert 2 <= len(sources) == row["num_sources"] <= 5
    assert [source["source_id"] for source in sources] == [f"s{i + 1}" for i in range(len(sources))]
    for first, second in combinations(labels, 2):
        assert first != second
        assert cooccurrence.allowed(first, second)
    assert sources[0]["snr_db"] == 0.0
    assert all(-5 <= source["snr_db"] < 5 for source in sources)
    for source in sources:
        assert 0 <= source["crop_start_second"] <= 6
        assert source["crop_end_second"] - source["crop_start_second"] == 4.0
        assert (source["crop_start_second"] * 1024).is_integer()
    assert len({source["recording_id"] for source in sources}) == len(sources)
    assert row["mix_id"] == f"train-{index:08d}"
    assert row["licence"] in {"CC-BY-4.0", "CC0-1.0", "CC-BY-4.0 AND CC0-1.0"}
    assert planner.draw(index) == row


def test_sizes_keep_their_shares_in_every_prefix(planner: Planner) -> None:
    rows = planner.rows(range(1000))
    for count in (20, 100, 1000):
        sizes = Counter(row["num_sources"] for row in rows[:count])
        for size, share in {2: 0.15, 3: 0.20, 4: 0.30, 5: 0.35}.items():
            assert abs(sizes[size] - share * count) <= 3


def test_snr_is_uniform(planner: Planner) -> None:
    values = [source["snr_db"] for row in planner.rows(range(600)) for source in row["sources"][1:]]
    assert abs(np.mean(values)) < 0.3
    assert np.std(values) == pytest.approx(10 / np.sqrt(12), rel=0.05)


def test_label_frequencies_keep_their_long_tail() -> None:
    """The first source is drawn by how often its label occurs."""
    counts = {"Male speech, man speaking": 60, "Typing": 30, "Printer": 10}
    planner = Planner(pool(counts), PlanSettings("test", 0, 10.0, {2: 1.0}))
    first = Counter(row["sources"][0]["label"] for row in planner.rows(range(2000)))
    for label, count in counts.items():
        assert abs(first[label] - 20 * count) < 100  # over four standard deviations


def test_labels_that_go_with_everything_are_not_drawn_too_often() -> None:
    """Two-source mixtures hold every label as often as the pool does."""
    rng = np.random.default_rng(1)
    counts = {label: int(rng.integers(1, 12)) for label in EVERY}
    counts["Male speech, man speaking"] = 150
    planner = Planner(pool(counts), PlanSettings("test", 0, 10.0, {2: 1.0}))
    total = sum(counts.values())
    draws = 6000
    found = Counter(
        source["label"] for row in planner.rows(range(draws)) for source in row["sources"]
    )
    for label in ("Male speech, man speaking", "Female speech, woman speaking", "Walk, footsteps"):
        want = counts[label] / total * 2 * draws
        assert abs(found[label] - want) < 5 * np.sqrt(want)
    error = sum((found[label] - n / total * 2 * draws) ** 2 for label, n in counts.items())
    expected = 2 * draws  # of a multinomial: the sum of its variances, at most
    assert error < 1.5 * expected


@settings(max_examples=50)
@given(st.integers(2, 12), st.floats(0.2, 1.0), st.integers(0, 10**6))
def test_weights_are_positive_whatever_the_graph(n: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((n, n)) < density, 1)
    weights = balanced_weights(rng.integers(1, 10**6, n), upper | upper.T)
    assert weights.shape == (n,)
    assert weights.min() >= 1


def test_weights_of_a_case_that_can_be_solved_by_hand() -> None:
    """Three labels, all compatible, with 5, 4 and 3 clips.

    The sums of the joint table are met by P12 = 3/12, P13 = 2/12 and P23 = 1/12 alone, so
    a1 a2 : a1 a3 : a2 a3 = 3 : 2 : 1 and a = 6 : 3 : 2.
    """
    weights = balanced_weights(np.array([5, 4, 3]), ~np.eye(3, dtype=bool))
    assert weights / weights.sum() == pytest.approx(np.array([6, 3, 2]) / 11, rel=1e-6)


def test_a_shorter_plan_is_a_prefix_and_the_clip_order_is_nothing(tmp_path: Path) -> None:
    table = pool(EVERY)
    shuffled = table.take(np.random.default_rng(0).permutation(table.num_rows))
    setting = PlanSettings("validation", 3, 4.0)
    write_plan(Planner(table, setting), 40, tmp_path / "long")
    write_plan(Planner(shuffled, setting), 15, tmp_path / "short")
    long, described = read_table(tmp_path / "long", MIXTURE_SCHEMA)
    short, _ = read_table(tmp_path / "short", MIXTURE_SCHEMA)
    assert long.slice(0, 15).to_pylist() == short.to_pylist()
    assert described["count"] == 40
    assert described["seed"] == 3


def test_other_seeds_and_splits_give_other_mixtures() -> None:
    draws = [
        Planner(pool(EVERY), PlanSettings(split, seed, 4.0)).draw(0)["sources"]
        for split, seed in (("train", 0), ("train", 1), ("validation", 0))
    ]
    assert draws[0] != draws[1] != draws[2] != draws[0]


def test_crops_are_not_silent() -> None:
    """Sound in one second of ten: every 4-s crop reaches it."""
    activity = [0] * 70 + [108] * 10 + [0] * 20
    table = pa.Table.from_pylist(
        [clip(0, "Typing", activity), clip(1, "Printer", activity)], schema=CLIP_SCHEMA
    )
    planner = Planner(table, PlanSettings("train", 0, 4.0, {2: 1.0}))
    for row in planner.rows(range(100)):
        for source in row["sources"]:
            assert source["crop_start_second"] < 8.0
            assert source["crop_end_second"] > 7.0


def test_a_pool_that_allows_no_mixture_is_told() -> None:
    with pytest.raises(HiveError, match=r"its 2 classes \(.*\) there are no 3 that"):
        Planner(pool({"Printer": 3, "Typing": 2}), PlanSettings("train", 0, 4.0))
    with pytest.raises(HiveError, match="split 'test' has no clips"):
        Planner(pool({}), PlanSettings("test", 0, 4.0))


def test_a_label_without_a_partner_is_named_and_not_drawn() -> None:
    counts = {"Typing": 2, "Printer": 2, "Waves, surf": 5}
    planner = Planner(pool(counts), PlanSettings("train", 0, 4.0, {2: 1.0}))
    assert planner.lonely() == ["Waves, surf"]
    labels = {s["label"] for row in planner.rows(range(50)) for s in row["sources"]}
    assert labels == {"Typing", "Printer"}


def test_sizes_are_read_and_checked() -> None:
    assert parse_sizes("2-5") == {2: 0.15, 3: 0.20, 4: 0.30, 5: 0.35}
    assert parse_sizes("2,4", "1/3") == {2: 1.0, 4: 3.0}
    for text in ("1-3", "6", "x", "3-2", "2,2"):
        with pytest.raises(HiveError, match="cannot be read"):
            parse_sizes(text)
    for shares in ("1", "1/x", "0/0", "1/-1"):
        with pytest.raises(HiveError, match="does not give a share"):
            parse_sizes("2,3", shares)


def brute_force(neighbours: np.ndarray, label: int) -> int:
    best = 1
    for size in range(2, 6):
        for others in combinations([n for n in range(len(neighbours)) if n != label], size - 1):
            if all(neighbours[a, b] for a, b in combinations((label, *others), 2)):
                best = size
                break
    return best


@settings(max_examples=40)
@given(st.integers(2, 9), st.floats(0.1, 0.95), st.integers(0, 10**6))
def test_largest_mixtures_are_those_of_an_exhaustive_search(n: int, p: float, seed: int) -> None:
    upper = np.triu(np.random.default_rng(seed).random((n, n)) < p, 1)
    graph = Compatibility(upper | upper.T)
    assert graph.largest.tolist() == [brute_force(graph.neighbours, k) for k in range(n)]
    for size in range(2, 6):
        assert graph.completing([], size).tolist() == (graph.largest >= size).tolist()
