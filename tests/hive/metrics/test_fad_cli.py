"""`hive-bench fad`: two folders of audio in, a distance out."""

import json

import numpy as np
import pytest
import soundfile
import typer.testing

from hive.embedding import standins
from hive.embedding.extract import Extractor
from hive.errors import HiveError
from hive.metrics.cli import app
from hive.metrics.folders import audio_files, embed_files
from hive.metrics.setvalue import extrapolate, paired_distance, unpaired_distance

NAME = "standin:logmel512"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HIVE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(9)
    for side, tone in (("references", 0.0), ("estimates", 0.1)):
        folder = tmp_path / side
        folder.mkdir()
        for index, (rate, seconds) in enumerate(((44_100, 1.5), (16_000, 10.2), (8000, 1))):
            samples = 0.1 * rng.standard_normal(round(seconds * rate))
            samples += tone * np.sin(np.arange(len(samples)) / rate * 2 * np.pi * 300)
            soundfile.write(folder / f"{index}.wav", np.stack([samples, samples], axis=1), rate)
        (folder / "notes.txt").write_text("no audio")
        (folder / ".hidden.wav").write_text("no audio")
        (folder / "convert").mkdir()
    return tmp_path / "references", tmp_path / "estimates"


def run(*arguments):
    words = [str(word) for word in arguments]
    return typer.testing.CliRunner().invoke(app, words, catch_exceptions=False)


def vectors(folder):
    extractor = Extractor(standins.make(NAME))
    return embed_files(audio_files(folder), extractor, False, lambda: None)


def test_json_has_the_value_and_all_that_it_rests_on(folders, tmp_path):
    result = run(*folders, "--embedding", NAME, "--inf", "--json")
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    sides = [vectors(folder) for folder in folders]
    expected = paired_distance(*sides, ["0", "1", "2"])
    assert facts["fad"] == pytest.approx(expected.value, abs=1e-12)
    assert facts["ci_high"] == pytest.approx(expected.high, rel=1e-9)
    assert facts["fad_inf"] == pytest.approx(extrapolate(*sides).value, abs=1e-12)
    assert facts["n_files"] == facts["n_reference_files"] == 3
    assert facts["n_windows"] == facts["n_reference_windows"] == 2 + 11 + 1
    assert facts["standin"]
    assert facts["low_rank"]
    assert facts["paired"]
    # References are kept for next time, estimates are not.
    assert len(list((tmp_path / "cache").rglob("*.windows"))) == 3
    again = json.loads(run(*folders, "--embedding", NAME, "--json").stdout)
    assert again == {key: facts[key] for key in again}


def test_the_device_may_be_found(folders, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for folder in folders:
        (folder / "1.wav").unlink()
    plain = run(*folders, "--embedding", NAME, "--json")
    assert run(*folders, "--embedding", NAME, "--json", "--device", "auto").stdout == plain.stdout


def test_other_names_are_no_pairs(folders):
    (folders[1] / "2.wav").rename(folders[1] / "9.wav")
    facts = json.loads(run(*folders, "--embedding", NAME, "--json").stdout)
    expected = unpaired_distance(*(vectors(folder) for folder in folders))
    assert not facts["paired"]
    assert facts["ci_high"] == pytest.approx(expected.high, rel=1e-9)


def test_the_table_marks_stand_ins(folders):
    for folder in folders:
        (folder / "1.wav").unlink()
    result = run(*folders, "--embedding", NAME)
    assert result.exit_code == 0
    assert f"{NAME} is a stand-in" in result.output
    assert "its size dominates the value" in result.output


def test_fadtk_gives_nearly_the_same(folders):
    for folder in folders:
        (folder / "2.wav").unlink()  # of one second, which fadtk does not take
    ours = json.loads(run(*folders, "--embedding", NAME, "--json").stdout)
    theirs = run(*folders, "--embedding", NAME, "--engine", "fadtk", "--json")
    facts = json.loads(theirs.stdout)
    assert facts["engine"] == "fadtk"
    assert facts["fad"] == pytest.approx(ours["fad"], rel=0.05)


def test_errors_name_file_and_remedy(folders, tmp_path):
    with pytest.raises(HiveError, match=r"nowhere: no such folder"):
        run(tmp_path / "nowhere", folders[1])
    (tmp_path / "empty").mkdir()
    with pytest.raises(HiveError, match=r"empty: holds no audio files"):
        run(folders[0], tmp_path / "empty", "--embedding", NAME)
    with pytest.raises(HiveError, match="--inf goes with --engine hive"):
        run(*folders, "--inf", "--engine", "fadtk")
    with pytest.raises(HiveError, match="--device tpu: no such device"):
        run(*folders, "--embedding", NAME, "--device", "tpu")
    with pytest.raises(HiveError, match=r"--device cuda:99: this machine has \d+ CUDA devices"):
        run(*folders, "--embedding", NAME, "--device", "cuda:99")
    with pytest.raises(HiveError, match="embedding 'other' is not known"):
        run(*folders, "--embedding", "other")
    (folders[1] / "3.wav").write_bytes(b"RIFF")
    with pytest.raises(HiveError, match=r"3\.wav: not a readable audio file"):
        run(*folders, "--embedding", NAME)
    soundfile.write(folders[1] / "3.wav", np.zeros(0), 8000)
    with pytest.raises(HiveError, match=r"3\.wav: holds no samples"):
        run(*folders, "--embedding", NAME)
    for path in folders[1].glob("*.wav"):
        path.unlink()
    soundfile.write(folders[1] / "one.wav", np.zeros(4000), 8000)
    with pytest.raises(HiveError, match="evaluated set has 1 window"):
        run(*folders, "--embedding", NAME)
