from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.contamination.identity import Listed, canonical, entry, is_manifest, read_list
from hive.errors import HiveError

DIGEST = hashlib.sha256(b"samples").hexdigest()


@pytest.mark.parametrize(
    ("text", "recording"),
    [
        ("youtube/--abcdEFG_1", "youtube/--abcdEFG_1"),
        ("audioset/youtube/--abcdEFG_1", "youtube/--abcdEFG_1"),
        ("--abcdEFG_1", "youtube/--abcdEFG_1"),
        ("--abcdEFG_1_30000", "youtube/--abcdEFG_1"),
        ("https://www.youtube.com/watch?v=--abcdEFG_1&t=30s", "youtube/--abcdEFG_1"),
        ("https://youtu.be/--abcdEFG_1?t=3", "youtube/--abcdEFG_1"),
        ("https://m.youtube.com/shorts/--abcdEFG_1", "youtube/--abcdEFG_1"),
        ("https://www.youtube-nocookie.com/embed/--abcdEFG_1", "youtube/--abcdEFG_1"),
        ("https://freesound.org/people/some.one/sounds/0012345/", "freesound/12345"),
        ("freesound.org/s/12345", "freesound/12345"),
        ("12345", "freesound/12345"),
        ("00012345", "freesound/12345"),
        ("bbc/07012345", "bbc/07012345"),
        ("https://example.com/watch?v=--abcdEFG_1", None),
        ("https://www.youtube.com/@somebody", None),
        ("Not found", None),
        ("", None),
    ],
)
def test_what_names_a_recording(text: str, recording: str | None) -> None:
    found = entry(text)
    assert (found and found.recording_id) == recording


def test_a_hash_is_a_hash_in_either_case() -> None:
    assert entry(f" {DIGEST.upper()} ") == Listed(DIGEST.upper(), sha256=DIGEST)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=40))
def test_any_text_can_be_read_and_canonical_ids_stay(text: str) -> None:
    found = entry(text)
    if found is not None:
        assert bool(found.recording_id) != bool(found.sha256)
        assert canonical(found.recording_id) == found.recording_id


LISTS = {
    "plain.txt": "# mine\nyoutube/--abcdEFG_1\n\n12345\n",
    "audioset.csv": (
        "# Segments csv created ...\n# YTID, start_seconds, end_seconds, positive_labels\n"
        '--abcdEFG_1, 30.000, 40.000, "/m/09x0r,/t/dd00088"\n12345678901, 0.0, 10.0, "/m/04rlf"\n'
    ),
    "vggsound.csv": "--abcdEFG_1,1,people marching,test\n",
    "dev.csv": "fname,labels,mids,split\n12345,Cough,/m/01b_21,train\n",
    "clotho.csv": (
        "file_name,keywords,sound_id,sound_link,start_end_samples\n"
        "a.wav,a;b,12345,https://freesound.org/people/x/sounds/12345,[0 1]\n"
        "b.wav,a,Not found,Not found,[0 1]\n"
    ),
    "ids.tsv": "split\trecording_id\ntrain\tyoutube/--abcdEFG_1\n",
    "hashes.csv": f"name,sha256\na,{DIGEST}\n",
}
READ = {
    "plain.txt": ["youtube/--abcdEFG_1", "freesound/12345"],
    "audioset.csv": ["youtube/--abcdEFG_1", "youtube/12345678901"],
    "vggsound.csv": ["youtube/--abcdEFG_1"],
    "dev.csv": ["freesound/12345"],
    "clotho.csv": ["freesound/12345", None],
    "ids.tsv": ["youtube/--abcdEFG_1"],
    "hashes.csv": [""],
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_as_they_are_published(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(LISTS[name])
    assert not is_manifest(path)
    found = [one.recording_id if isinstance(one, Listed) else None for one in read_list(path)]
    assert found == READ[name]


def test_a_list_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HiveError, match=r"ids\.txt: not a list in UTF-8"):
        list(read_list(path))


def test_a_column_path_makes_a_manifest(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text("label,Path\nCough,a.wav\n")
    assert is_manifest(path)
