"""One pass for all features of a signal: calls made, values, independence of everything else."""

import numpy as np
import pytest
import soxr

from hive.embedding import windows
from hive.embedding.base import RATE, WINDOW, Embedded, EmbeddingInfo
from hive.embedding.cache import FeatureCache
from hive.embedding.extract import Extractor

ALL = frozenset({"vector", "windows", "layers", "tail"})


class Toy:
    """Projects windows; vectors depend on how many windows come in a call, as rounding does."""

    info = EmbeddingInfo("toy", "toy", True, True, True, checkpoint_sha256="ab")
    device = "cpu"

    def __init__(self):
        self.calls = []
        self.texts = []

    def audio(self, batch, *, layers=False):
        self.calls.append((len(batch), layers))
        parts = batch[:, : 512 * 937].reshape(len(batch), 512, 937)
        vectors = parts.mean(axis=2) + parts.std(axis=2) + 1e-3 + 1e-6 * len(batch)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        taps = (batch[:, :600].reshape(-1, 20, 30), batch[:, :60].reshape(-1, 12, 5))
        return Embedded(vectors.astype(np.float32), taps if layers else None)

    def text(self, texts):
        self.texts += texts
        return np.full((len(texts), 512), 1 / np.sqrt(512), np.float32)


def sound(seconds=10.0, rate=RATE, seed=0):
    samples = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return samples.astype(np.float32)


def same(first, second):
    for name in ("vector", "windows", "tail_vector"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for name in ("layers", "tail_layers"):
        for a, b in zip(getattr(first, name), getattr(second, name), strict=True):
            np.testing.assert_array_equal(a, b)


def test_ten_seconds_take_three_calls_and_no_window_twice():
    toy = Toy()
    features = Extractor(toy).features(sound(), RATE, ALL)
    assert toy.calls == [(1, True), (9, False), (1, True)]
    assert features.windows.shape == (10, 512)
    np.testing.assert_array_equal(features.windows[0], features.vector)
    assert [layer.shape for layer in features.layers] == [(20, 30), (12, 5)]


def test_values_are_those_of_the_windows():
    samples, toy = sound(), Toy()
    features = Extractor(toy).features(samples, RATE, ALL)
    whole = toy.audio(windows.full(samples)[None], layers=True)
    np.testing.assert_array_equal(features.vector, whole.vectors[0])
    np.testing.assert_array_equal(features.layers[0], whole.layers[0][0])
    others = toy.audio(windows.sliding(samples)[1:]).vectors
    np.testing.assert_array_equal(features.windows[1:], others)
    tail = toy.audio(windows.tail(samples)[None], layers=True)
    np.testing.assert_array_equal(features.tail_vector, tail.vectors[0])
    np.testing.assert_array_equal(features.tail_layers[1], tail.layers[1][0])


@pytest.mark.parametrize("wanted", [{"vector"}, {"windows"}, {"layers"}, {"tail"}, set()])
def test_only_what_is_asked_for_is_there(wanted):
    features = Extractor(Toy()).features(sound(), RATE, frozenset(wanted))
    assert features.vector.shape == (512,)
    assert (features.windows is not None) == ("windows" in wanted)
    assert (features.layers is not None) == ("layers" in wanted)
    assert (features.tail_vector is not None) == ("tail" in wanted)
    assert features.tail_layers is None


def test_a_value_does_not_depend_on_what_else_is_wanted():
    samples = sound(seconds=7.3)
    whole = Extractor(Toy()).features(samples, RATE, ALL)
    for wanted in ({"vector"}, {"windows"}, {"layers"}, {"tail"}, {"layers", "tail"}):
        some = Extractor(Toy()).features(samples, RATE, frozenset(wanted))
        for name in ("vector", "windows", "tail_vector"):
            if getattr(some, name) is not None:
                np.testing.assert_array_equal(getattr(some, name), getattr(whole, name))


def test_short_sounds_are_repeated_in_the_vector_and_padded_in_the_windows():
    samples, toy = sound(seconds=3), Toy()
    features = Extractor(toy).features(samples, RATE, frozenset({"windows"}))
    assert features.windows.shape == (3, 512)
    assert toy.calls == [(1, False), (3, False)]
    np.testing.assert_array_equal(features.windows, toy.audio(windows.sliding(samples)).vectors)


def test_silence_is_embedded_once_and_named():
    toy = Toy()
    features = Extractor(toy).features(np.zeros(WINDOW), RATE, ALL)
    assert features.silent
    assert toy.calls == [(1, True)]
    assert np.all(features.windows == features.vector)
    same(features, features)
    assert not Extractor(toy).features(sound(), RATE).silent


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 32_000, 44_100, 44_056, 96_000])
def test_ten_seconds_of_any_rate_are_ten_windows(rate):
    samples = sound(rate=rate)
    toy = Toy()
    features = Extractor(toy).features(samples, rate, frozenset({"windows"}))
    resampled = soxr.resample(samples, rate, RATE, "HQ")[:WINDOW]
    assert features.windows.shape == (10, 512)
    expected = toy.audio(windows.full(resampled)[None]).vectors[0]
    np.testing.assert_array_equal(features.vector, expected)


def test_windows_of_a_long_sound_come_in_pieces():
    samples, toy = sound(seconds=25.5), Toy()
    vectors = Extractor(toy).windows(samples, RATE)
    assert vectors.shape == (26, 512)
    assert [size for size, _ in toy.calls] == [10, 10, 6]
    with pytest.raises(ValueError, match=r"lasts 25\.500 s"):
        Extractor(toy).features(samples, RATE)


def test_the_windows_alone_are_those_of_the_features():
    samples = sound()
    features = Extractor(Toy()).features(samples, RATE, ALL)
    np.testing.assert_array_equal(Extractor(Toy()).windows(samples, RATE), features.windows)


@pytest.mark.parametrize("first", [{"vector"}, {"windows"}, {"layers"}, {"tail"}, ALL])
def test_a_warm_cache_changes_no_bit(tmp_path, first):
    samples = sound(seconds=8)
    cold = Extractor(Toy()).features(samples, RATE, ALL)
    cache = FeatureCache(tmp_path)
    Extractor(Toy(), cache).features(samples, RATE, frozenset(first), keep=True)
    toy = Toy()
    same(Extractor(toy, cache).features(samples, RATE, ALL, keep=True), cold)
    assert (toy.calls == []) == (first == ALL)
    again = Toy()
    same(Extractor(again, FeatureCache(tmp_path)).features(samples, RATE, ALL, keep=True), cold)
    assert again.calls == []


def test_estimates_leave_nothing_on_disk(tmp_path):
    Extractor(Toy(), FeatureCache(tmp_path)).features(sound(), RATE, ALL)
    assert list(tmp_path.iterdir()) == []


def test_another_embedding_or_rate_is_another_entry(tmp_path):
    samples, cache = sound(seconds=2), FeatureCache(tmp_path)
    Extractor(Toy(), cache).features(samples, RATE, keep=True)
    other = Toy()
    other.info = EmbeddingInfo("toy", "toy", True, True, True, checkpoint_sha256="cd")
    Extractor(other, cache).features(samples, RATE, keep=True)
    slower = Toy()
    Extractor(slower, cache).features(samples, 44_100, keep=True)
    assert len(other.calls) == len(slower.calls) == 1


def test_not_a_number_from_the_network_is_an_error():
    class Broken(Toy):
        def audio(self, batch, *, layers=False):
            embedded = super().audio(batch, layers=layers)
            embedded.vectors[0, 3] = np.nan
            return embedded

        def text(self, texts):
            return np.full((1, 512), np.nan, np.float32)

    with pytest.raises(ValueError, match="toy gave values that are not finite"):
        Extractor(Broken()).features(sound(), RATE)
    with pytest.raises(ValueError, match="toy gave values that are not finite"):
        Extractor(Broken()).text("rain")


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (np.zeros(0), RATE),
        (np.zeros((2, 100)), RATE),
        (np.zeros(100, np.int16), RATE),
        (np.full(100, np.nan), RATE),
        (np.full(100, np.inf), RATE),
        (np.zeros(100), 0),
    ],
)
def test_what_is_no_signal_is_refused(samples, rate):
    with pytest.raises(ValueError, match=r"signal|rate"):
        Extractor(Toy()).features(samples, rate)


def test_layers_of_an_embedding_without_layers_are_refused():
    toy = Toy()
    toy.info = EmbeddingInfo("flat", "flat", True, False, False)
    with pytest.raises(ValueError, match="flat has no layers"):
        Extractor(toy).features(sound(), RATE, frozenset({"layers"}))


def test_a_text_is_embedded_once():
    toy = Toy()
    extractor = Extractor(toy)
    for text in ("rain", "wind", "rain"):
        assert extractor.text(text).shape == (512,)
    assert toy.texts == ["rain", "wind"]
