"""FAD of sets and of pairs: values, intervals, extrapolation, odd cases."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from hive.embedding import standins
from hive.embedding.extract import Extractor, Features
from hive.metrics import setvalue
from hive.metrics.fad import (
    fad,
    fad_file,
    fad_inf,
    fad_onewin,
    fad_pair,
    fad_pair_sq,
    set_metric,
    set_vectors,
)
from hive.metrics.frechet import distance_of_vectors
from hive.metrics.setvalue import (
    PairedSets,
    SetValue,
    extrapolate,
    paired_distance,
    unpaired_distance,
)


def sounds(count, dimensions=12, windows=5, seed=0, shift=0.0):
    """Windows of sounds: each sound has a place of its own, its windows scatter around it."""
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((count, 1, dimensions))
    scatter = 0.5 * rng.standard_normal((count, windows, dimensions))
    return list((places + scatter + shift).astype(np.float32))


def by_sqrtm(x, y):
    x, y = (np.concatenate(one).astype(np.float64) for one in (x, y))
    c1, c2 = np.cov(x.T), np.cov(y.T)
    step = x.mean(0) - y.mean(0)
    return step @ step + np.trace(c1 + c2 - 2 * scipy.linalg.sqrtm(c1 @ c2).real)


def names(count):
    return [f"recording {index}" for index in range(count)]


def test_the_value_is_that_of_all_windows():
    x, y = sounds(60), sounds(60, seed=1, shift=0.3)
    result = paired_distance(x, y, names(60))
    assert result.value == pytest.approx(by_sqrtm(x, y), abs=1e-9)
    assert float(result) == result.value
    assert (result.n_files, result.n_windows, result.low_rank) == (60, 300, False)
    assert unpaired_distance(x, y).value == pytest.approx(result.value, abs=1e-12)
    order = np.random.default_rng(0).permutation(60)
    shuffled = paired_distance([x[i] for i in order], [y[i] for i in order], names(60))
    assert shuffled.value == pytest.approx(result.value, abs=1e-12)


def test_the_interval_is_the_jackknife_over_recordings():
    """Five recordings of unlike size: the formula of Busing et al., each set computed anew."""
    x, y = sounds(12), sounds(12, seed=1, shift=0.3)
    recordings = list("aaaabbbccdde")
    result = paired_distance(x, y, recordings)
    left, sizes = [], []
    for name in "abcde":
        kept = [i for i in range(12) if recordings[i] != name]
        left.append(by_sqrtm([x[i] for i in kept], [y[i] for i in kept]))
        sizes.append(5 * recordings.count(name))
    whole, n, g = by_sqrtm(x, y), 60, 5
    h = n / np.array(sizes)
    left = np.array(left)
    centre = g * whole - np.sum((1 - np.array(sizes) / n) * left)
    variance = np.mean((h * whole - (h - 1) * left - centre) ** 2 / (h - 1))
    half = scipy.stats.t.ppf(0.975, 4) * math.sqrt(variance)
    assert result.high - result.value == pytest.approx(half, rel=1e-6)
    assert result.low == pytest.approx(max(0, whole - half), abs=1e-7)


def test_equal_groups_have_the_plain_jackknife():
    x, y = sounds(20), sounds(20, seed=1, shift=0.3)
    result = paired_distance(x, y, names(20))
    left = np.array([by_sqrtm(x[:i] + x[i + 1 :], y[:i] + y[i + 1 :]) for i in range(20)])
    error = math.sqrt(19 / 20 * np.sum((left - left.mean()) ** 2))
    half = scipy.stats.t.ppf(0.975, 19) * error
    assert result.high - result.value == pytest.approx(half, rel=1e-6)


def test_unpaired_sets_add_their_variances():
    x, y = sounds(10), sounds(14, seed=1, shift=0.3)
    result = unpaired_distance(x, y)
    variance = 0.0
    for count, leave in (
        (10, lambda i: (x[:i] + x[i + 1 :], y)),
        (14, lambda i: (x, y[:i] + y[i + 1 :])),
    ):
        left = np.array([by_sqrtm(*leave(i)) for i in range(count)])
        variance += (count - 1) / count * np.sum((left - left.mean()) ** 2)
    half = scipy.stats.t.ppf(0.975, 9) * math.sqrt(variance)
    assert result.high - result.value == pytest.approx(half, rel=1e-6)


def test_the_interval_is_as_wide_as_values_scatter():
    results = [
        paired_distance(sounds(80, 6, seed=s), sounds(80, 6, seed=s + 500, shift=0.4), names(80))
        for s in range(40)
    ]
    values = np.array([result.value for result in results])
    errors = [(result.high - result.value) / scipy.stats.t.ppf(0.975, 19) for result in results]
    assert np.mean(errors) == pytest.approx(values.std(ddof=1), rel=0.35)


def test_groups_are_whole_recordings_of_nearly_equal_size():
    windows = [5] * 100
    recordings = [f"r{index % 37}" for index in range(100)]
    group_of = setvalue._grouped(recordings, windows)
    assert len(set(group_of)) == setvalue.GROUPS
    for name in set(recordings):
        assert len({int(g) for g, r in zip(group_of, recordings, strict=True) if r == name}) == 1
    counts = np.bincount(group_of)
    assert counts.max() - counts.min() <= 3
    backwards = setvalue._grouped(recordings[::-1], windows)
    np.testing.assert_array_equal(backwards[::-1], group_of)


def test_sets_that_come_item_by_item_have_the_values_of_whole_ones():
    """Items in any order, of unlike length, in more blocks than one: each set computed anew."""
    rng = np.random.default_rng(3)
    windows = rng.integers(1, 12, 600)
    recordings = [f"r{index % 23}" for index in range(600)]
    x, y = (
        [rng.standard_normal((count, 6)).astype(np.float32) + 30 + 0.2 * side for count in windows]
        for side in (0, 1)
    )
    sets = PairedSets(recordings, windows.tolist())
    for item in rng.permutation(600):
        sets.add(int(item), x[item].copy(), y[item].copy())
    result = sets.value()
    assert result.value == pytest.approx(by_sqrtm(x, y), abs=1e-10)
    assert (result.n_files, result.n_windows) == (600, int(windows.sum()))
    whole = paired_distance(x, y, recordings)
    assert result.value == pytest.approx(whole.value, abs=1e-12)
    assert result.half == pytest.approx(whole.half, abs=1e-12)
    group_of = setvalue._grouped(recordings, windows.tolist())
    left = np.array(
        [
            by_sqrtm(*([side[i] for i in np.flatnonzero(group_of != g)] for side in (x, y)))
            for g in range(20)
        ]
    )
    sizes = np.bincount(group_of, windows)
    h = sizes.sum() / sizes
    centre = 20 * result.value - np.sum((1 - 1 / h) * left)
    variance = np.mean((h * result.value - (h - 1) * left - centre) ** 2 / (h - 1))
    assert result.half == pytest.approx(
        scipy.stats.t.ppf(0.975, 19) * math.sqrt(variance), rel=1e-5
    )
    assert sets.value() == result


def test_without_an_interval_there_is_one_group():
    x, y = sounds(30), sounds(30, seed=1)
    plain = paired_distance(x, y, names(30), interval=False)
    assert plain.value == pytest.approx(paired_distance(x, y, names(30)).value, abs=1e-12)
    assert np.isnan([plain.half, plain.low, plain.high]).all()


def test_the_lower_end_is_clipped_and_the_half_width_is_not():
    x = sounds(30)
    near = paired_distance(x, sounds(30, seed=1), names(30))
    assert near.low == max(0, near.value - near.half)
    assert near.high == near.value + near.half
    wide = SetValue(value=1.0, half=3.0, n_files=2, n_windows=20, low_rank=True)
    assert (wide.low, wide.high) == (0, 4)


def test_items_that_are_missing_twice_there_or_of_another_length_are_refused():
    x = sounds(3)
    sets = PairedSets(names(3), [5, 5, 5])
    sets.add(0, x[0], x[0])
    with pytest.raises(ValueError, match="no item 0, or it was added before"):
        sets.add(0, x[0], x[0])
    with pytest.raises(ValueError, match="no item -1"):
        sets.add(-1, x[0], x[0])
    with pytest.raises(ValueError, match="which was to have 5"):
        sets.add(1, x[1], x[1][:4])
    with pytest.raises(ValueError, match="0 windows of its reference"):
        sets.add(1, x[1][:0], x[1])
    with pytest.raises(ValueError, match="2 of 3 items are missing"):
        sets.value()
    with pytest.raises(ValueError, match="3 recordings, and numbers of windows for 2"):
        PairedSets(names(3), [5, 5])
    with pytest.raises(ValueError, match="no window"):
        PairedSets(names(2), [5, 0])
    with pytest.raises(ValueError, match="reference set has 0 windows"):
        PairedSets([], []).value()
    bad = PairedSets(["one"], [5])
    bad.add(0, np.full((5, 3), np.nan, np.float32), np.ones((5, 3), np.float32))
    with pytest.raises(ValueError, match="NaN"):
        bad.value()


def test_identical_sets_and_single_recordings():
    x = sounds(30)
    result = paired_distance(x, x, names(30))
    assert result.value == pytest.approx(0, abs=1e-10)
    assert result.low == 0
    alone = paired_distance(x, sounds(30, seed=1), ["one"] * 30)
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)
    assert alone.value > 0


def test_few_windows_are_flagged_and_one_is_refused():
    few = paired_distance(sounds(2, 12), sounds(2, 12, seed=1), names(2))
    assert few.low_rank
    one = sounds(1, windows=1)
    with pytest.raises(ValueError, match="evaluated set has 1 window;"):
        paired_distance(sounds(1), one, names(1))
    with pytest.raises(ValueError, match="reference set has 0 windows"):
        unpaired_distance([], sounds(3))
    with pytest.raises(ValueError, match="3 references, 2 estimates"):
        paired_distance(sounds(3), sounds(2), names(3))


def test_two_sounds_that_cannot_lose_one_have_no_interval():
    x, y = sounds(2, windows=1), sounds(2, windows=1, seed=1)
    assert math.isnan(paired_distance(x, y, names(2)).high)


def test_extrapolation_removes_the_bias_of_the_evaluated_set():
    """Two sets of one distribution: the distance falls like 1/n, and its limit is nearly zero."""
    rng = np.random.default_rng(0)
    big = [rng.standard_normal((20_000, 24)).astype(np.float32)]
    small = [rng.standard_normal((2000, 24)).astype(np.float32)]
    plain = unpaired_distance(big, np.split(small[0], 20)).value
    result = extrapolate(big, small)
    assert abs(result.value) < plain / 3
    assert result.slope > 0
    assert result.r2 > 0.8
    sizes = [size for size, _ in result.points]
    assert sizes == [int(n) for n in np.linspace(500, 2000, 25)]  # fadtk's
    assert result.points[-1][1] == pytest.approx(plain, abs=1e-12)
    slope, intercept = np.polyfit(1 / np.array(sizes), [value for _, value in result.points], 1)
    assert (result.value, result.slope) == pytest.approx((intercept, slope))


def test_extrapolation_of_a_small_set_starts_at_half_and_is_seeded():
    x, y = sounds(40), sounds(40, seed=1)
    first, again, other = extrapolate(x, y), extrapolate(x, y), extrapolate(x, y, seed=1)
    assert first == again
    assert first.points[0][0] == 100
    assert first.points[0][1] != other.points[0][1]
    assert first.points[-1] == other.points[-1]
    assert (first.n_files, first.n_windows) == (40, 200)
    with pytest.raises(ValueError, match="four windows or more"):
        extrapolate(x, sounds(3, windows=1))


@pytest.fixture(scope="module")
def extractor():
    return Extractor(standins.make("standin:logmel512"))


@pytest.fixture(scope="module")
def signals():
    rng = np.random.default_rng(6)
    time = np.arange(3 * 16_000) / 16_000
    reference = np.stack([np.sin(2 * np.pi * 300 * (k + 1) * time) for k in range(4)])
    reference = 0.1 * (reference + 0.3 * rng.standard_normal(reference.shape))
    return reference + 0.1 * rng.standard_normal(reference.shape), reference


def test_sets_of_signals(extractor, signals):
    estimate, reference = signals
    given = {"estimate": estimate, "reference": reference, "sample_rate": 16_000}
    given["embedding"] = extractor
    wanted = frozenset({"windows"})
    e = [extractor.features(signal, 16_000, wanted) for signal in estimate]
    r = [extractor.features(signal, 16_000, wanted) for signal in reference]
    windows = [np.concatenate([one.windows for one in side]) for side in (r, e)]
    result = fad(**given)
    assert result.value == pytest.approx(distance_of_vectors(*windows), abs=1e-10)
    assert (result.n_files, result.n_windows, result.low_rank) == (4, 12, True)
    single = [np.stack([one.vector for one in side]) for side in (r, e)]
    assert fad_onewin(**given).value == pytest.approx(distance_of_vectors(*single), abs=1e-10)
    extrapolated = fad_inf(**given)
    assert extrapolated.points[-1][1] == pytest.approx(result.value, abs=1e-12)
    windows = [[set_vectors("fad", one) for one in side] for side in (r, e)]
    assert set_metric("fad", *windows, list("0123")) == result
    assert set_metric("fad_inf", *windows, list("0123")) == extrapolated
    together = fad(recordings=["a", "a", "b", "b"], **given)
    assert together.value == pytest.approx(result.value, abs=1e-12)
    assert together.high != result.high
    with pytest.raises(ValueError, match="no metric of sets"):
        set_metric("fad_pair", [], [], [])
    with pytest.raises(ValueError, match="1 recordings for 4 items"):
        fad(recordings=["a"], **given)


def test_pairs_of_signals(extractor, signals):
    estimate, reference = signals
    given = {"estimate": estimate, "reference": reference, "sample_rate": 16_000}
    given["embedding"] = extractor
    wanted = frozenset({"windows"})
    e, r = (extractor.features(side[2], 16_000, wanted) for side in (estimate, reference))
    cosine = float(e.vector.astype(float) @ r.vector.astype(float))
    assert fad_pair(**given)[2] == pytest.approx(math.sqrt(2 - 2 * cosine), abs=1e-6)
    assert fad_pair_sq(**given)[2] == pytest.approx(2 - 2 * cosine, abs=1e-6)
    np.testing.assert_allclose(fad_pair_sq(**given), fad_pair(**given) ** 2, rtol=1e-12)
    expected = by_sqrtm([e.windows], [r.windows])
    assert fad_file(**given)[2] == pytest.approx(expected, abs=1e-5)
    assert fad_file(**given).shape == (4,)


def test_odd_signals(extractor, signals):
    estimate, reference = (side.copy() for side in signals)
    reference[1] = 0
    given = {"sample_rate": 16_000, "embedding": extractor}
    values = fad_pair(estimate=estimate, reference=reference, **given)
    assert np.isnan(values).tolist() == [False, True, False, False]
    kept = [0, 2, 3]
    of_kept = fad(estimate=estimate[kept], reference=reference[kept], **given)
    result = fad(estimate=estimate, reference=reference, recordings=list("0x12"), **given)
    assert result.n_files == 3
    assert result.value == pytest.approx(of_kept.value, abs=1e-12)
    assert result.high == pytest.approx(of_kept.high, abs=1e-9)
    silent = np.zeros_like(estimate[0])
    assert 0 < fad_pair(estimate=silent, reference=reference[0], **given) <= 2
    same = fad_pair(estimate=reference[0], reference=reference[0], **given)
    assert same.shape == ()
    assert float(same) == 0
    second = reference[0, :16_000]
    with pytest.raises(ValueError, match="two vectors"):
        fad_file(estimate=second, reference=second, **given)
    with pytest.raises(ValueError, match="has 1 window;"):
        fad(estimate=second[None], reference=second[None], **given)
    estimate[3, 5] = np.nan
    assert fad(estimate=estimate, reference=reference, on_bad="nan", **given).n_files == 2


def test_features_without_windows_are_refused():
    bare = Features(silent=False, vector=np.ones(512, np.float32))
    with pytest.raises(ValueError, match="no windows"):
        set_vectors("fad", bare)
    assert set_vectors("fad_onewin", bare).shape == (1, 512)
