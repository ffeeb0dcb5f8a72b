"""Which recording something is: ids that mean the same wherever they stand, and lists of them.

A closed training set that publishes its ids alone can be probed by a list: a text file with one a
line, or a table. Read are recording ids as Hive writes them (`youtube/VIDEO_ID`, `freesound/ID`,
`CORPUS/NAME`), addresses at YouTube and Freesound, their bare ids, and SHA-256 of 16-bit samples;
as tables the published lists of AudioSet, VGGSound, FSD50K and Clotho as they are.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from hive.errors import HiveError

SHA256 = re.compile(r"[0-9a-f]{64}")
_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")
#: AudioSet's lists of strong labels write the start in milliseconds behind the video's id.
_SEGMENT = re.compile(r"([A-Za-z0-9_-]{11})_\d+")
_SOUND = re.compile(r"[0-9]{1,10}")
_PLATFORM = re.compile(r"(?:^|/)(youtube|freesound)/([^/]+)$")
_FREESOUND_PATH = re.compile(r"/(?:people/[^/]+/sounds|s|sounds)/(\d+)")
_YOUTUBE_PATH = re.compile(r"/(?:embed|shorts|v|live)/([A-Za-z0-9_-]{11})")
#: Columns of tables that hold ids, in the order in which they are asked.
_COLUMNS = (
    *("recording_id", "pcm_sha256", "sha256", "url", "link", "sound_link"),
    *("youtube_id", "ytid", "video_id", "freesound_id", "sound_id", "fname", "id"),
)


@dataclass(frozen=True)
class Listed:
    """An entry of a list.

    Attributes:
        text: As it is written there.
        recording_id: The recording that it names; empty for a hash.
        sha256: The hash that it is; empty for a recording.
    """

    text: str
    recording_id: str = ""
    sha256: str = ""


def canonical(recording_id: str) -> str:
    """Return a recording id in the one way in which ids are compared.

    Ids of platforms hold across corpora, under whatever corpus's name they stand.
    """
    found = _PLATFORM.search(recording_id)
    if found is None:
        return recording_id
    plain = found[1] == "freesound" and _SOUND.fullmatch(found[2])
    return f"{found[1]}/{int(found[2]) if plain else found[2]}"


def entry(text: str) -> Listed | None:
    """Read an entry of a list; None where it is nothing that can be compared.

    Args:
        text: An id, an address or a hash.
    """
    text = text.strip()
    if SHA256.fullmatch(text.lower()):
        return Listed(text, sha256=text.lower())
    if "://" in text or text.lower().startswith(("www.", "youtu.be/", "youtube.", "freesound.")):
        name = _of_address(text)
        return Listed(text, name) if name else None
    if "/" in text:
        return Listed(text, canonical(text))
    if _SOUND.fullmatch(text):
        return Listed(text, canonical(f"freesound/{text}"))
    if _VIDEO.fullmatch(text):
        return Listed(text, f"youtube/{text}")
    if segment := _SEGMENT.fullmatch(text):
        return Listed(text, f"youtube/{segment[1]}")
    return None


def read_list(path: Path) -> Iterator[Listed | str]:
    """Yield the entries of a list; lines that hold none as they are.

    A first line with the name of a known column makes it a table (separated by commas or tabs);
    otherwise the first cell of each line counts. Lines that begin with `#` are comments.

    Raises:
        HiveError: If it cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            yield from _entries(handle, "\t" if path.suffix.lower() == ".tsv" else ",")
    except (UnicodeDecodeError, csv.Error) as error:
        raise HiveError(
            f"{path}: not a list in UTF-8 ({error})", "save it as text, an id a line, or as CSV"
        ) from error


def is_manifest(path: Path) -> bool:
    """Return whether a table lists audio files: whether it has a column `path`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            header = next(csv.reader(handle), [])
    except (UnicodeDecodeError, csv.Error):
        return False
    return "path" in [cell.strip().lower() for cell in header]


def _entries(handle: Iterator[str], delimiter: str) -> Iterator[Listed | str]:
    column, first = 0, True
    for cells in csv.reader(handle, delimiter=delimiter, skipinitialspace=True):
        if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
            continue
        if first:
            first = False
            names = [cell.strip().lower() for cell in cells]
            known = [name for name in _COLUMNS if name in names]
            if known:
                column = names.index(known[0])
                continue
        text = cells[column] if column < len(cells) else ""
        yield entry(text) or text.strip()


def _of_address(text: str) -> str:
    parts = urlsplit(text if "://" in text else f"https://{text}")
    host = (parts.hostname or "").lower()
    if host == "youtu.be":
        video = parts.path.strip("/")[:11]
    elif host == "youtube.com" or host.endswith((".youtube.com", "youtube-nocookie.com")):
        in_path = _YOUTUBE_PATH.match(parts.path)
        video = in_path[1] if in_path else parse_qs(parts.query).get("v", [""])[0]
    elif host == "freesound.org" or host.endswith(".freesound.org"):
        sound = _FREESOUND_PATH.search(parts.path)
        return canonical(f"freesound/{sound[1]}") if sound else ""
    else:
        return ""
    return f"youtube/{video}" if _VIDEO.fullmatch(video) else ""
