"""What paths, names and `dataset_paths.json` mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.errors import HiveError
from hive.licences import normalise
from hive.mixing.published.corpora import read_corpora
from hive.mixing.published.names import Namer, hash64, mix_id
from hive.mixing.published.origin import known_corpora, origin
from hive.shards.tar import TarWriter
from hive.sources import catalogue


@pytest.mark.parametrize(
    ("path", "recording"),
    [
        ("AudioSet/audio/eval/--PJHxphWEs.flac", "youtube/--PJHxphWEs"),
        ("AudioSet/balanced_train_segments/--PJHxphWEs_30.000.wav", "youtube/--PJHxphWEs"),
        ("AudioSet/eval/--PJHxphWEs_30000_40000.wav", "youtube/--PJHxphWEs"),
        ("AudioSet/eval/Y--PJHxphWEs.wav", "youtube/--PJHxphWEs"),
        ("AudioSet/eval/YJHxphWEs12.wav", "youtube/YJHxphWEs12"),
        ("AudioSet/eval/odd name.wav", "audioset/eval/odd name"),
        ("VGGSound/video/---g-f_I2yQ_000001.flac", "youtube/---g-f_I2yQ"),
        ("MUSIC21/audio/tuba/0abcdefghij.wav", "youtube/0abcdefghij"),
        ("AVE/AVE/RUhOCu3LNXM.wav", "youtube/RUhOCu3LNXM"),
        ("FreeSound/FreeSound_flac/180913.flac", "freesound/180913"),
        ("FSD50K/FSD50K.eval_audio/37199.wav", "freesound/37199"),
        ("ESC50/audio/1-100032-A-0.wav", "freesound/100032"),
        ("clothov2/evaluation/Santa Motor.wav", "clotho/evaluation/Santa Motor"),
        ("BBC_Sound_Effects/NHU05105030.flac", "bbc/NHU05105030"),
        ("SoundBible/SoundBible_flac/2219.flac", "soundbible/2219"),
        ("DCASE_real/lass_evaluation_real/a.b.wav", "dcase/lass_evaluation_real/a.b"),
        ("Voicebank_DEMAND/clean_testset_wav/p232_001.wav", "voicebank/p232_001"),
        ("Elsewhere/x/y.wav", "elsewhere/x/y"),
    ],
)
def test_recordings_are_named_as_curated_pools_name_them(path: str, recording: str) -> None:
    assert origin(path).recording_id == recording


def test_every_published_corpus_has_licence_and_attribution() -> None:
    names = {name for corpus in catalogue.corpora() for name in corpus.published_names}
    assert len(names) == 13
    for name in names:
        found = origin(f"{name}/folder/12345.wav")
        assert found.licence == normalise(found.licence) != "LicenseRef-Unknown"
        assert known_corpora()[name.casefold()].title in found.attribution
        assert "https://" in found.attribution
    assert origin("AVE/AVE/RUhOCu3LNXM.wav").licence == "LicenseRef-YouTube"
    assert origin("Elsewhere/x.wav").licence == "LicenseRef-Unknown"


@given(st.sampled_from(["train", "test"]), st.integers(2, 5), st.text(max_size=60))
def test_names_fit_into_shards(split: str, size: int, given_name: str) -> None:
    name = mix_id(split, size, given_name)
    assert name.startswith(f"{split}-{size}mix-")
    assert "--" not in name
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")


def test_the_longest_name_fits_into_a_tar(tmp_path: Path) -> None:
    with TarWriter(tmp_path / "x.tar") as tar:
        tar.add(f"{mix_id('validation', 5, 'a' * 60)}--5000000.mix.flac", b"x")


@given(st.lists(st.sampled_from(["a", "b", "c", "a-2", "a--2"]), max_size=12))
def test_no_two_rows_get_one_name(names: list[str]) -> None:
    plain = [mix_id("test", 2, name) for name in names]
    repeated = frozenset(hash64(name) for name in plain if plain.count(name) > 1)
    namer = Namer(repeated)
    given_names = [namer.name(name) for name in plain]
    assert len(set(given_names)) == len(given_names)
    assert [one.partition("--")[0] for one in given_names] == plain


def write(folder: Path, value: Any) -> Path:
    path = folder / "dataset_paths.json"
    path.write_text(json.dumps(value))
    return path


def test_folders_of_corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("data", "dcase", "home/esc50"):
        (tmp_path / name).mkdir(parents=True)
    clotho = str(tmp_path / "data")
    roots = read_corpora(
        write(tmp_path, {"ClothoV2": clotho, "DCASE": "dcase", "esc50": "~/esc50"})
    )
    assert roots("clothov2/development/a b.wav") == tmp_path / "data/development/a b.wav"
    assert roots("DCASE_real/x.wav") == roots("DCASE_synth/x.wav") == tmp_path / "dcase/x.wav"
    assert roots("ESC50/audio/1.wav") == tmp_path / "home/esc50/audio/1.wav"
    with pytest.raises(HiveError, match="no folder is given"):
        roots("FSD50K/1.wav")
    for path in ("ESC50/../x.wav", "ESC50//etc/passwd", "ESC50/a\\..\\b.wav"):
        with pytest.raises(HiveError, match="leads out"):
            roots(path)


def test_an_entry_of_its_own_goes_before_the_alias(tmp_path: Path) -> None:
    roots = read_corpora(write(tmp_path, {"DCASE": "/all", "DCASE_synth": "/made"}))
    assert (roots.folder("DCASE_real/1.wav"), roots.folder("DCASE_synth/1.wav")) == (
        Path("/all"),
        Path("/made"),
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "no object of folders"),
        ({}, "no object of folders"),
        ({"ESC50": 3}, "'ESC50' is no folder"),
        ({"ESC50": " "}, "'ESC50' is no folder"),
        ({"ESC50": "/a", "esc50": "/b"}, "there twice"),
    ],
)
def test_a_file_of_another_form_is_told(tmp_path: Path, value: Any, problem: str) -> None:
    with pytest.raises(HiveError, match=problem):
        read_corpora(write(tmp_path, value))


def test_no_json_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    for name in ("x.json", "y.json"):
        with pytest.raises(HiveError, match="cannot be read"):
            read_corpora(tmp_path / name)
