"""CLAP-A and CLAP-T against torch's cosine_similarity."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.embedding import standins
from hive.embedding.extract import Extractor, Features
from hive.errors import HiveError
from hive.metrics.clap import clap_a, clap_t, clap_t_win, clap_t_win_value, cosine


def in_torch(a, b):
    a, b = (torch.from_numpy(np.asarray(x)).double() for x in (a, b))
    return torch.nn.functional.cosine_similarity(a, b, dim=-1, eps=1e-8).item()


@settings(max_examples=60)
@given(st.integers(0, 999), st.sampled_from([1e-20, 1e-9, 1e-3, 1.0, 1e6]))
def test_cosine_is_that_of_torch(seed, scale):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 512)).astype(np.float32)
    a = (scale * a).astype(np.float32)
    assert cosine(a, b) == pytest.approx(in_torch(a, b), abs=1e-12)


def test_cosine_of_equal_opposite_and_no_vectors():
    a = np.random.default_rng(0).standard_normal(512).astype(np.float32)
    assert cosine(a, a) == pytest.approx(1, abs=1e-15)
    assert cosine(a, -a) == pytest.approx(-1, abs=1e-15)
    assert cosine(a, 0 * a) == in_torch(a, 0 * a) == 0


@pytest.fixture(scope="module")
def extractor():
    return Extractor(standins.make("standin:logmel512"))


@pytest.fixture(scope="module")
def signals():
    rng = np.random.default_rng(5)
    reference = 0.1 * rng.standard_normal((2, 3, 44_100))
    reference[1] *= np.sin(np.arange(44_100) / 44_100 * 30) ** 2
    return reference + 0.3 * rng.standard_normal(reference.shape), reference


def test_values_are_cosines_of_the_vectors(extractor, signals):
    estimate, reference = signals
    values = clap_a(estimate=estimate, reference=reference, sample_rate=44_100, embedding=extractor)
    assert values.shape == (2, 3)
    assert values.dtype == np.float64
    e, r = (extractor.features(x[1, 2], 44_100).vector for x in (estimate, reference))
    assert values[1, 2] == pytest.approx(in_torch(e, r), abs=1e-12)


def test_each_item_has_its_text(extractor, signals):
    estimate, _ = signals
    given = {"estimate": estimate[0], "sample_rate": 44_100, "embedding": extractor}
    texts = ["Rain", "Engine", "nothing known"]
    values = clap_t(text=texts, **given)
    for index, text in enumerate(texts):
        vector = extractor.features(estimate[0, index], 44_100).vector
        expected = in_torch(vector, extractor.text(text))
        assert values[index] == pytest.approx(expected, abs=1e-12)
    one = clap_t(text="Engine", **given)
    assert one[1] == values[1]
    assert one.shape == (3,)


def test_the_windowed_variant_is_the_mean_of_two(extractor, signals):
    sound = signals[0][0, 0].repeat(10)
    value = clap_t_win(estimate=sound, text="Rain", sample_rate=44_100, embedding=extractor)
    features = extractor.features(sound, 44_100, frozenset({"tail"}))
    text = extractor.text("Rain")
    expected = (in_torch(features.vector, text) + in_torch(features.tail_vector, text)) / 2
    assert float(value) == pytest.approx(expected, abs=1e-12)
    assert features.tail_vector @ features.vector < 0.9999
    short = {"estimate": sound[: 9 * 44_100], "text": "Rain", "sample_rate": 44_100}
    assert clap_t_win(**short, embedding=extractor) == clap_t(**short, embedding=extractor)


def test_odd_cases(extractor, signals):
    estimate, reference = signals[0][0, 0], signals[1][0, 0]
    silence = np.zeros_like(reference)
    given = {"sample_rate": 44_100, "embedding": extractor}
    same = clap_a(estimate=reference, reference=reference, **given)
    assert same.shape == ()
    assert float(same) == pytest.approx(1, abs=1e-12)
    assert np.isnan(clap_a(estimate=estimate, reference=silence, **given))
    assert np.isfinite(clap_a(estimate=silence, reference=reference, **given))
    assert np.isfinite(clap_t(estimate=silence, text="Rain", **given))
    with pytest.raises(ValueError, match="2 texts for 1 estimates"):
        clap_t(estimate=estimate, text=["Rain", "Wind"], **given)
    with pytest.raises(ValueError, match="sample_rate"):
        clap_a(estimate=estimate, reference=reference, sample_rate=0, embedding=extractor)
    with pytest.raises(ValueError, match="leading shape"):
        clap_a(estimate=signals[0], reference=reference, **given)


def test_an_embedding_without_texts_says_so(signals):
    mute = Extractor(standins.make("standin:htsat-random"))
    with pytest.raises(HiveError, match="know no texts"):
        clap_t(estimate=signals[0][0, 0], text="Rain", sample_rate=44_100, embedding=mute)


def test_an_embedding_may_be_named(signals):
    given = {"estimate": signals[0][0], "reference": signals[1][0], "sample_rate": 44_100}
    named = clap_a(embedding="standin:logmel512", **given)
    at_hand = Extractor(standins.make("standin:logmel512"))
    np.testing.assert_array_equal(named, clap_a(embedding=at_hand, **given))
    with pytest.raises(HiveError, match="standin:none"):
        clap_a(embedding="standin:none", **given)


def test_features_without_a_tail_are_refused():
    bare = Features(silent=False, vector=np.ones(512, np.float32))
    with pytest.raises(ValueError, match="no tail"):
        clap_t_win_value(bare, bare.vector)
