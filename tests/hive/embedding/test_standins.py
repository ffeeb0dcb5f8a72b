"""The stand-ins: unit vectors, the same everywhere, nearer for sounds of one class."""

import numpy as np
import pytest
import torch

from hive.embedding import standins
from hive.embedding.base import WINDOW
from hive.embedding.extract import Extractor
from hive.errors import HiveError
from hive.sources import synth

FIRST_VALUES = {
    "standin:logmel512": [0.0706819, 0.0376823, -0.0562097, -0.0284501],
    "standin:htsat-random": [-0.0599172, -0.0559954, -0.0752903, 0.0814295],
}
TEXT_VALUES = [0.0661154, -0.010188]


def noise(count=1, seed=3):
    samples = np.random.default_rng(seed).standard_normal((count, WINDOW))
    return 0.1 * samples.astype(np.float32)


@pytest.fixture(scope="module", params=standins.NAMES)
def embedder(request):
    return standins.make(request.param)


def test_infos_say_that_they_are_stand_ins():
    for name in standins.NAMES:
        info = standins.info(name)
        assert info.name == name
        assert info.name.startswith("standin:")
        assert info.standin
        assert info.available
        assert info.checkpoint is None
    with pytest.raises(HiveError, match="no embedding 'standin:other'"):
        standins.make("standin:other")


def test_vectors_are_unit_and_do_not_mix_signals(embedder):
    batch = noise(3)
    batch[2] = 0
    vectors = embedder.audio(batch).vectors
    assert vectors.shape == (3, 512)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(embedder.audio(batch[1:2]).vectors[0], vectors[1], atol=2e-6)


def test_vectors_are_the_same_everywhere():
    """Numbers of another process on another day: weights and projections are drawn alike."""
    for name, expected in FIRST_VALUES.items():
        values = standins.make(name).audio(noise()).vectors[0, :4]
        np.testing.assert_allclose(values, expected, atol=2e-6)
    text = standins.make("standin:logmel512").text(["Rain", "a dog in the rain"])[:, 0]
    np.testing.assert_allclose(text, TEXT_VALUES, atol=2e-6)


def test_making_one_leaves_the_random_numbers_of_torch_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    standins.make("standin:htsat-random")
    assert torch.equal(torch.get_rng_state(), before)


def test_sounds_of_one_class_are_nearer_than_those_of_another():
    extractor = Extractor(standins.make("standin:logmel512"))
    labels = ("Church bell", "Rain", "Car alarm", "Dog", "Engine")
    vectors = np.stack(
        [
            extractor.features(synth.synthesise(label, 11, index, 5.0), 44_100).vector
            for label in labels
            for index in range(2)
        ]
    )
    cosines = vectors @ vectors.T
    same = np.array([cosines[2 * i, 2 * i + 1] for i in range(len(labels))])
    other = cosines[~np.kron(np.eye(len(labels), dtype=bool), np.ones((2, 2), bool))]
    assert same.mean() > 0.75
    assert other.mean() < 0.4
    texts = np.stack([extractor.text(label) for label in labels])
    of_own = np.array([texts[i] @ vectors[2 * i] for i in range(len(labels))])
    assert of_own.mean() > 0.75
    assert abs(extractor.text("no such class") @ vectors[0]) < 0.25


def test_texts_are_unit_and_distinct():
    vectors = standins.make("standin:logmel512").text(["a", "b", "Rain"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert abs(vectors[0] @ vectors[1]) < 0.25


def test_layers_are_those_of_the_network():
    embedder = standins.make("standin:htsat-random")
    embedded = embedder.audio(noise(2), layers=True)
    shapes = [layer.shape for layer in embedded.layers]
    assert shapes == [(2, 1024, 32), (2, 256, 64), (2, 64, 128), (2, 64, 128)]
    # The last stage, normalised, is what transformers pools into the vector.
    encoder = embedder._model.audio_model.audio_encoder
    with torch.inference_mode():
        last = encoder.norm(torch.from_numpy(embedded.layers[3]))
        pooled = embedder._model.audio_projection(last.mean(dim=1))
        expected = torch.nn.functional.normalize(pooled, dim=-1).numpy()
    np.testing.assert_allclose(embedded.vectors, expected, atol=1e-5)


def test_what_a_stand_in_lacks_it_says():
    with pytest.raises(HiveError, match="random weights know no texts"):
        standins.make("standin:htsat-random").text(["Rain"])
    with pytest.raises(HiveError, match="has no layers"):
        standins.make("standin:logmel512").audio(noise(), layers=True)


def test_products_are_full_float32():
    """No autocast: rounded to 16 bits, vectors would differ in the third digit."""
    embedder = standins.make("standin:htsat-random")
    window = noise(1)
    plain = embedder.audio(window).vectors
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(embedder.audio(window).vectors, plain)
