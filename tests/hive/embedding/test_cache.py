"""Features on disk: bits, damage, limits, several processes."""

import dataclasses
import multiprocessing
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hive.embedding.base import EmbeddingInfo
from hive.embedding.cache import FeatureCache, default_folder, feature_key

KEY = "0" * 64
INFO = EmbeddingInfo("toy", "toy", True, True, True, checkpoint_sha256="ab")
FLOATS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=1, max_dims=2, max_side=6),
    elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
)


def layers(megabytes=1.0, seed=0):
    count = round(megabytes * 2**20 / 4)
    return (np.random.default_rng(seed).random(count, dtype=np.float32),)


@settings(max_examples=40)
@given(st.lists(FLOATS, min_size=1, max_size=4))
def test_bits_come_back(tmp_path_factory, values):
    cache = FeatureCache(tmp_path_factory.mktemp("cache"))
    cache.write(KEY, "layers", tuple(values))
    kept = cache.read(KEY, "layers")
    assert len(kept) == len(values)
    for before, after in zip(values, kept, strict=True):
        assert after.dtype == np.float32
        assert after.shape == before.shape
        assert after.tobytes() == before.tobytes()


def test_parts_and_keys_are_apart(tmp_path):
    cache = FeatureCache(tmp_path)
    cache.write(KEY, "vector", (np.ones(3, np.float32),))
    assert cache.read(KEY, "windows") is None
    assert cache.read("1" * 64, "vector") is None
    cache.write(KEY, "windows", (np.zeros((2, 3), np.float32),))
    np.testing.assert_array_equal(cache.read(KEY, "vector")[0], np.ones(3))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign", "folder"])
def test_a_damaged_file_is_not_believed_and_is_replaced(tmp_path, damage):
    cache = FeatureCache(tmp_path)
    value = (np.arange(512, dtype=np.float32),)
    cache.write(KEY, "vector", value)
    (path,) = (path for path in tmp_path.rglob("*.vector"))
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[:-1])
    elif damage == "flip":
        path.write_bytes(data[:700] + bytes([data[700] ^ 1]) + data[701:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":  # a whole file of another signal under this name
        cache.write("1" * 64, "vector", value)
        path.write_bytes(next(tmp_path.rglob("1*.vector")).read_bytes())
    else:
        path.unlink()
        path.mkdir()
    assert cache.read(KEY, "vector") is None
    if damage != "folder":
        cache.write(KEY, "vector", value)
        np.testing.assert_array_equal(cache.read(KEY, "vector")[0], value[0])


def test_layers_stop_at_the_limit_and_vectors_do_not(tmp_path):
    cache = FeatureCache(tmp_path, layers_limit=3 * 2**20)
    for index in range(6):
        cache.write(f"{index:064d}", "layers", layers(seed=index))
        cache.write(f"{index:064d}", "vector", (np.ones(512, np.float32),))
    kept = [cache.read(f"{index:064d}", "layers") is not None for index in range(6)]
    assert sum(kept) in (2, 3)
    assert all(cache.read(f"{index:064d}", "vector") is not None for index in range(6))
    used = sum(path.stat().st_size for path in (tmp_path / "layers").rglob("*.layers"))
    assert used <= 3 * 2**20
    fresh = FeatureCache(tmp_path, layers_limit=3 * 2**20)
    fresh.write("9" * 64, "tail_layers", layers())
    assert fresh.read("9" * 64, "tail_layers") is None


def test_the_key_is_of_all_that_matters():
    samples = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    key = feature_key(samples, 48_000, "soxr HQ", INFO, "cpu")
    assert key == feature_key(samples.copy(), 48_000, "soxr HQ", INFO, "cpu")
    changed = samples.copy()
    changed[50] = np.nextafter(changed[50], np.float32(9))
    other_weights = dataclasses.replace(INFO, checkpoint_sha256="cd")
    other_name = dataclasses.replace(INFO, name="other")
    keys = {
        key,
        feature_key(changed, 48_000, "soxr HQ", INFO, "cpu"),
        feature_key(samples, 44_100, "soxr HQ", INFO, "cpu"),
        feature_key(samples, 48_000, "soxr VHQ", INFO, "cpu"),
        feature_key(samples, 48_000, "soxr HQ", other_weights, "cpu"),
        feature_key(samples, 48_000, "soxr HQ", other_name, "cpu"),
        feature_key(samples, 48_000, "soxr HQ", INFO, "cuda"),
    }
    assert len(keys) == 7


def test_the_key_of_a_strided_view_is_that_of_its_samples():
    samples = np.arange(10, dtype=np.float32)
    assert feature_key(samples[::2], 8000, "", INFO, "cpu") == feature_key(
        samples[::2].copy(), 8000, "", INFO, "cpu"
    )


def test_a_place_that_cannot_be_written_to_is_reported_once(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file" / "cache")
    with pytest.warns(RuntimeWarning, match="embeddings are not kept"):
        cache.write(KEY, "vector", (np.ones(3, np.float32),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.write(KEY, "vector", (np.ones(3, np.float32),))
    assert cache.read(KEY, "vector") is None


def test_the_default_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HIVE_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "embeddings"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HIVE_CACHE", "~/kept")
    assert default_folder() == tmp_path / "home" / "kept" / "embeddings"
    monkeypatch.delenv("HIVE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home" / ".cache" / "hive" / "embeddings"


def _write_and_read(folder):
    cache = FeatureCache(folder)
    bad = 0
    for _ in range(15):
        for index in range(4):
            expected = np.full((50, 50), index, np.float32)
            cache.write(f"{index:064d}", "windows", (expected,))
            kept = cache.read(f"{index:064d}", "windows")
            bad += kept is None or not np.array_equal(kept[0], expected)
    return bad


def test_several_processes_write_the_same_entries(tmp_path):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_write_and_read, [tmp_path, tmp_path]) == [0, 0]
    assert not list(tmp_path.rglob("*.part"))
