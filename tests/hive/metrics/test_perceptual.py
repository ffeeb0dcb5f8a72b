"""The joint pass gives the values of the single functions; what metrics need; odd cases."""

import numpy as np
import pytest

from hive.embedding import standins
from hive.embedding.extract import Extractor, Features
from hive.metrics import clap, fad, lpaps
from hive.metrics.perceptual import ITEM_METRICS, METRICS, perceptual_metrics, wanted

RATE = 16_000


class Both:
    """Layers of the one stand-in, texts of the other."""

    def __init__(self):
        self._audio = standins.make("standin:htsat-random")
        self.info = self._audio.info
        self.audio = self._audio.audio
        self.text = standins.make("standin:logmel512").text


@pytest.fixture(scope="module")
def extractor():
    return Extractor(Both())


@pytest.fixture(scope="module")
def signals():
    rng = np.random.default_rng(8)
    time = np.arange(2 * RATE) / RATE
    references = np.stack([np.sin(2 * np.pi * 400 * (k + 1) * time) for k in range(3)])
    references = 0.1 * (references + 0.2 * rng.standard_normal(references.shape))
    references[2] = 0
    estimates = references + 0.05 * rng.standard_normal(references.shape)
    estimates[1] = 0
    return estimates, references


@pytest.fixture(scope="module")
def inputs(extractor, signals):
    need = wanted(METRICS)
    estimates, references = signals
    return {
        "estimates": [extractor.features(signal, RATE, need) for signal in estimates],
        "references": [extractor.features(signal, RATE, need) for signal in references],
        "texts": [extractor.text(text) for text in ("Rain", "Engine", "Wind")],
    }


def single(name):
    for module in (fad, lpaps, clap):
        if hasattr(module, name):
            return getattr(module, name)
    raise AssertionError(name)


@pytest.mark.parametrize("name", ITEM_METRICS)
def test_values_are_those_of_the_single_functions(name, extractor, signals, inputs):
    estimates, references = signals
    given = {"sample_rate": RATE, "embedding": extractor}
    if name.startswith("clap_t"):
        given["text"] = ["Rain", "Engine", "Wind"]
    else:
        given["reference"] = references
    values = perceptual_metrics(**inputs, names=[name])
    np.testing.assert_array_equal(values[name], single(name)(estimate=estimates, **given))


def test_a_silent_reference_is_undefined_and_a_silent_estimate_is_not(inputs):
    values = perceptual_metrics(**inputs, names=ITEM_METRICS)
    for name in ITEM_METRICS:
        undefined = not name.startswith("clap_t")
        assert np.isnan(values[name]).tolist() == [False, False, undefined]


def test_all_come_in_the_order_asked_for(inputs):
    names = list(ITEM_METRICS)[::-1]
    assert list(perceptual_metrics(**inputs, names=names)) == names
    assert perceptual_metrics(**inputs, names=[]) == {}


def test_the_reference_itself_is_perfect(inputs):
    references = inputs["references"][:2]
    values = perceptual_metrics(
        estimates=references,
        references=references,
        names=["fad_pair", "fad_file", "lpaps", "lpaps_channel", "lpaps_win", "clap_a"],
    )
    assert values["clap_a"] == pytest.approx(1, abs=1e-12)
    for name in set(values) - {"clap_a"}:
        assert values[name] == pytest.approx(0, abs=1e-10)


def test_the_distance_of_pairs_is_bounded_by_the_cosine(inputs):
    values = perceptual_metrics(**inputs, names=["fad_pair", "clap_a"])
    bound = np.sqrt(2 - 2 * values["clap_a"][:2])
    np.testing.assert_allclose(values["fad_pair"][:2], bound, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "features"),
    [
        (["clap_a", "fad_pair", "fad_onewin"], {"vector"}),
        (["clap_t"], {"vector"}),
        (["fad"], {"windows"}),
        (["lpaps", "clap_a"], {"vector", "layers"}),
        (["lpaps_win"], {"layers", "tail"}),
        (["clap_t_win"], {"vector", "tail"}),
        ([], set()),
    ],
)
def test_what_names_need(names, features):
    assert wanted(info for info in METRICS if info.name in names) == features


def test_every_metric_says_where_it_is():
    for info in METRICS:
        module, attribute = info.target.split(":")
        assert module in ("hive.metrics.fad", "hive.metrics.lpaps", "hive.metrics.clap")
        assert callable(single(attribute))
        assert info.features
        assert "sample_rate" in info.requires
        assert (info.scope == "set") == (info.name in fad.SET_METRICS)
        assert (info.name in ITEM_METRICS) == (info.scope == "item")
    assert len({info.name for info in METRICS}) == len(METRICS)


def test_what_is_missing_is_named(inputs):
    estimates = inputs["estimates"]
    with pytest.raises(ValueError, match="references= is missing"):
        perceptual_metrics(estimates=estimates, names=["clap_a"])
    with pytest.raises(ValueError, match="texts= is missing"):
        perceptual_metrics(estimates=estimates, names=["clap_t"])
    with pytest.raises(ValueError, match="1 references for 3 estimates"):
        perceptual_metrics(
            estimates=estimates, references=inputs["references"][:1], names=["clap_a"]
        )
    with pytest.raises(ValueError, match="not computed from features of items: fad, si_sdr"):
        perceptual_metrics(estimates=estimates, names=["fad", "si_sdr"])
    bare = Features(silent=False, vector=np.ones(512, np.float32))
    with pytest.raises(ValueError, match="no layers"):
        perceptual_metrics(estimates=[bare], references=[bare], names=["lpaps"])
