"""FAD against fadtk: its arithmetic on the same vectors, and its whole way from files."""

import logging
import sys

import numpy as np
import pytest
import soundfile
import torch

from hive.embedding import standins
from hive.embedding.base import RATE
from hive.errors import HiveError
from hive.metrics import setvalue
from hive.metrics.fad_fadtk import fad_by_fadtk, model_loader
from hive.metrics.frechet import distance, distance_of_vectors, moments
from hive.seeding import Stream

pytest.importorskip("fadtk")
# fadtk calls scipy's sqrtm in a way that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:The `disp` argument:DeprecationWarning")


@pytest.fixture(scope="module")
def fadtk():
    from hive.metrics.fad_fadtk import load_fadtk

    return load_fadtk()


def unit_vectors(count, seed, shift=0.0):
    """Unit vectors in 512 dimensions around a common direction, with a falling spectrum."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((count, 512)) * np.geomspace(1, 0.02, 512)
    vectors[:, 0] += 1 + shift
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_fadtk(fadtk, first, second):
    means = [fadtk.calc_embd_statistics(one) for one in (first, second)]
    return float(fadtk.calc_frechet_distance(*means[0], *means[1]))


@pytest.mark.parametrize("count", [600, 1000, 3000])
def test_the_arithmetic_of_full_rank(fadtk, count):
    first, second = unit_vectors(count, 0), unit_vectors(count, 1, 0.3)
    expected = by_fadtk(fadtk, first, second)
    assert distance(moments(first), moments(second)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("count", [10, 100, 300, 500])
def test_the_arithmetic_of_low_rank(fadtk, count):
    first, second = unit_vectors(count, 0), unit_vectors(count, 1, 0.3)
    expected = by_fadtk(fadtk, first, second)
    assert distance(moments(first), moments(second)) == pytest.approx(expected, abs=2e-7)
    assert distance_of_vectors(first, second) == pytest.approx(expected, abs=2e-7)


def test_files_merged_one_by_one_are_the_same_moments(fadtk, tmp_path):
    parts = np.split(unit_vectors(200, 2), 20)
    files = []
    for index, part in enumerate(parts):
        files.append(tmp_path / f"{index}.npy")
        np.save(files[-1], part)
    mean, covariance = fadtk.calculate_embd_statistics_online(files)
    merged = sum(map(moments, parts[1:]), moments(parts[0]))
    np.testing.assert_allclose(merged.mean, mean, atol=1e-14)
    np.testing.assert_allclose(merged.covariance, covariance, atol=1e-14)


def test_the_extrapolation_of_the_same_draws(fadtk, tmp_path, monkeypatch):
    """fadtk draws with replacement from numpy's state; given our draws, it finds our line."""
    first, second = unit_vectors(800, 3), unit_vectors(1000, 4, 0.3)
    np.save(tmp_path / "evaluated.npy", second)
    mean, covariance = fadtk.calc_embd_statistics(first)
    np.savez(tmp_path / "reference.npz", **{"toy.mu": mean, "toy.cov": covariance})
    scorer = object.__new__(fadtk.FrechetAudioDistance)
    scorer.ml = type("Toy", (), {"name": "toy"})()
    steps = iter(range(3))

    def choice(count, size, replace):
        drawn = Stream(0, "fad_inf", next(steps), "windows").uniforms(count)
        return np.argsort(drawn)[:size]

    monkeypatch.setattr(np.random, "choice", choice)
    monkeypatch.setattr(setvalue, "STEPS", 3)
    theirs = scorer.score_inf(
        tmp_path / "reference.npz", [tmp_path / "evaluated.npy"], steps=3, min_n=500
    )
    ours = setvalue.extrapolate([first], [second])
    assert ours.value == pytest.approx(theirs.score, abs=1e-7)
    assert ours.slope == pytest.approx(theirs.slope, rel=1e-6)
    assert ours.r2 == pytest.approx(theirs.r2, abs=1e-6)
    np.testing.assert_allclose(ours.points, theirs.points, atol=1e-7)


@pytest.fixture
def folders(tmp_path):
    """Two folders of short sounds: of several rates, one in stereo, two of one name."""
    rng = np.random.default_rng(5)
    for side, level in (("reference", 0.02), ("evaluated", 0.1)):
        folder = tmp_path / side
        folder.mkdir()
        for index, rate in enumerate((44_100, 48_000, 16_000)):
            time = np.arange(round(2.5 * rate)) / rate
            tone = 0.2 * np.sin(2 * np.pi * 220 * (index + 1) * time)
            samples = tone + level * rng.standard_normal(tone.shape)
            if index == 1:
                samples = np.stack([samples, 0.5 * samples], axis=1)
            soundfile.write(folder / f"{index}.wav", samples, rate)
        soundfile.write(folder / "0.flac", 0.9 * samples, rate)
    return tmp_path / "reference", tmp_path / "evaluated"


def test_from_files_to_the_distance(folders, tmp_path):
    embedder = standins.make("standin:logmel512")
    hook, handlers = sys.excepthook, list(logging.getLogger().handlers)
    work = tmp_path / "work"
    value = fad_by_fadtk(*folders, embedder, work)
    assert sys.excepthook is hook
    assert logging.getLogger().handlers == handlers
    assert torch.is_grad_enabled()
    for folder in folders:  # nothing is left beside the user's files
        assert sorted(path.name for path in folder.iterdir()) == [
            "0.flac",
            "0.wav",
            "1.wav",
            "2.wav",
        ]

    stored, exact = {}, {}
    loader = model_loader(embedder)
    for side in ("reference", "evaluated"):
        files = sorted((work / side / "embeddings").rglob("*.npy"))
        stored[side] = np.concatenate([np.load(path) for path in files])
        converted = sorted((work / side / "convert").rglob("*.wav"))
        assert len(files) == len(converted) == 4
        exact[side] = np.concatenate(
            [loader._get_embedding(loader.load_wav(path)).numpy() for path in converted]
        )
        assert stored[side].dtype == np.float16
        assert stored[side].shape == exact[side].shape == (4 * 3, 512)
        np.testing.assert_array_equal(stored[side], exact[side].astype(np.float16))
    sides = [moments(stored[side].astype(np.float64)) for side in ("reference", "evaluated")]
    assert value == pytest.approx(distance(*sides), abs=2e-5)  # means in float16, file by file
    sides = [moments(exact[side]) for side in ("reference", "evaluated")]
    assert value == pytest.approx(distance(*sides), abs=5e-5)

    with pytest.raises(HiveError, match="is not empty"):
        fad_by_fadtk(*folders, embedder, work)


def test_the_conversion_is_that_of_fadtk(folders):
    """Resampled by torchaudio with fadtk's filter, to a step of 16 bits."""
    import io

    from torchaudio.functional import resample

    from hive.metrics.fad_fadtk import _converted

    samples, rate = soundfile.read(folders[0] / "0.wav", dtype="float32")
    expected = resample(
        torch.from_numpy(samples),
        rate,
        RATE,
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        resampling_method="sinc_interp_kaiser",
        beta=14.769656459379492,
    ).numpy()
    converted, new_rate = soundfile.read(io.BytesIO(_converted(folders[0] / "0.wav")))
    assert new_rate == RATE
    np.testing.assert_allclose(converted, expected, atol=0.6 * 2**-15)


def test_a_file_of_a_second_is_refused_by_name(folders, tmp_path):
    soundfile.write(folders[1] / "short.wav", np.zeros(8000), 8000)
    with pytest.raises(HiveError, match=r"short\.wav: lasts 1\.000 s"):
        fad_by_fadtk(*folders, standins.make("standin:logmel512"), tmp_path / "work")


@pytest.mark.shared
@pytest.mark.slow
def test_recordings(shared, fadtk, tmp_path):
    """Real recordings: two filters, and 16 bits in between or not, leave the second digit."""
    from hive.embedding.extract import Extractor
    from hive.metrics.folders import embed_files
    from hive.metrics.setvalue import unpaired_distance

    files = sorted((shared / "data" / "pool").rglob("*.flac"))
    files += sorted((shared / "data" / "pool").rglob("*.wav"))
    files = [path for path in files if soundfile.info(path).duration > 2][:24]
    if len(files) < 24:
        pytest.skip("there are not enough recordings")
    folders = tmp_path / "a", tmp_path / "b"
    for index, path in enumerate(files):
        folder = folders[index % 2]
        folder.mkdir(exist_ok=True)
        (folder / f"{index}{path.suffix}").symlink_to(path.resolve())
    embedder = standins.make("standin:htsat-random")
    value = fad_by_fadtk(*folders, embedder, tmp_path / "work")
    sets = [
        embed_files(sorted(folder.iterdir()), Extractor(embedder), False, lambda: None)
        for folder in folders
    ]
    assert unpaired_distance(*sets).value == pytest.approx(value, rel=0.02)
