"""What metrics accept and refuse, the same for all."""

import math

import numpy as np
import pytest

from hive.metrics.sdr import sdr_plain, sdr_plain_i, si_sdr
from hive.metrics.validate import load

RNG = np.random.default_rng(0)
E, R, M = RNG.standard_normal((3, 2, 3, 50))


def test_one_value_for_each_leading_index_in_float64():
    values = si_sdr(estimate=E.astype(np.float32), reference=R.astype(np.float32))
    assert values.shape == (2, 3)
    assert values.dtype == np.float64
    for i, j in np.ndindex(2, 3):
        single = si_sdr(estimate=E[i, j], reference=R[i, j])
        assert single.shape == ()
        assert values[i, j] == pytest.approx(float(single), abs=1e-5)


def test_torch_tensors_of_any_float_type():
    torch = pytest.importorskip("torch")
    expected = si_sdr(estimate=E, reference=R)
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-4), (torch.bfloat16, 1)):
        tensors = {"estimate": torch.tensor(E, dtype=dtype), "reference": torch.tensor(R)}
        tensors["estimate"].requires_grad_()
        np.testing.assert_allclose(si_sdr(**tensors), expected, atol=tolerance)


def test_a_mixture_is_shared_by_the_sources():
    expected = sdr_plain_i(
        estimate=E, reference=R, mixture=np.broadcast_to(M[:, :1], E.shape).copy()
    )
    values = sdr_plain_i(estimate=E, reference=R, mixture=M[:, :1])
    np.testing.assert_array_equal(values, expected)
    batch = load(
        estimate=E, reference=R, mixture=M[:, :1], needs=("estimate", "reference", "mixture")
    )
    assert len({id(signal) for signal in batch.mixtures}) == 2
    repeated = load(estimate=E[0], reference=np.broadcast_to(R[0, 0], (3, 50)))
    assert len({id(signal) for signal in repeated.references}) == 1


def test_lengths_must_agree_unless_told_otherwise():
    with pytest.raises(ValueError, match=r"estimate has 40 samples and reference 50"):
        sdr_plain(estimate=E[..., :40], reference=R)
    with pytest.raises(ValueError, match=r"mixture has 40 samples"):
        sdr_plain_i(estimate=E, reference=R, mixture=M[..., :40], length="match")
    padded = np.pad(E[..., :40], ((0, 0), (0, 0), (0, 10)))
    np.testing.assert_array_equal(
        sdr_plain(estimate=E[..., :40], reference=R, length="match"),
        sdr_plain(estimate=padded, reference=R),
    )
    np.testing.assert_array_equal(
        sdr_plain(estimate=np.concatenate([E, E], -1), reference=R, length="match"),
        sdr_plain(estimate=E, reference=R),
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e200])
def test_what_is_not_finite_is_named_or_scored_nan(value):
    estimate = E.copy()
    estimate[1, 2, 7] = value
    with pytest.raises(ValueError, match=r"estimate of item \(1, 2\) has NaN"):
        sdr_plain(estimate=estimate, reference=R)
    values = sdr_plain(estimate=estimate, reference=R, on_bad="nan")
    assert np.isnan(values[1, 2])
    assert np.isfinite(values).sum() == 5
    with pytest.raises(ValueError, match=r"^mixture has NaN"):
        sdr_plain_i(estimate=E[0, 0], reference=R[0, 0], mixture=estimate[1, 2])


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        ({"estimate": E, "reference": R[0]}, "leading shape"),
        ({"estimate": E, "reference": None}, "reference= is missing"),
        ({"estimate": E, "reference": np.ones(E.shape, np.int16)}, "int16"),
        ({"estimate": np.float64(1.0), "reference": R}, "last axis"),
        ({"estimate": E[..., :0], "reference": R}, "last axis"),
        ({"estimate": E, "reference": R, "length": "pad"}, "length is 'pad'"),
        ({"estimate": E, "reference": R, "on_bad": "skip"}, "on_bad is 'skip'"),
    ],
)
def test_misuse_is_refused(signals, message):
    with pytest.raises(ValueError, match=message):
        sdr_plain(**signals)


def test_a_mixture_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="does not broadcast"):
        sdr_plain_i(estimate=E, reference=R, mixture=M[:, :2])


def test_inputs_are_not_changed():
    before = E.copy(), R.copy()
    si_sdr(estimate=E, reference=R, zero_mean=True)
    np.testing.assert_array_equal(E, before[0])
    np.testing.assert_array_equal(R, before[1])
