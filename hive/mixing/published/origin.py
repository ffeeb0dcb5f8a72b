"""What the path of a source says: its corpus, the recording it was cut from, licence, address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from hive.licences.names import UNKNOWN
from hive.sources import catalogue, youtube
from hive.sources.corpus import Corpus
from hive.sources.metadata import freesound, freesound_page

#: VIDEO, YVIDEO, VIDEO_30.000, VIDEO_000030, VIDEO_30000_40000: names in use for cut videos.
_VIDEO = re.compile(r"Y?(?P<id>[A-Za-z0-9_-]{11})(?:_\d+(?:\.\d+)?){0,2}")
_ESC50 = re.compile(r"\d-(?P<id>\d+)-[A-Z]-\d+")
_NUMBER = re.compile(r"(?P<id>\d+)")
_YOUTUBE = ("audioset", "ave", "music21", "vggsound")
#: Corpora whose files have names that occur once, in whatever folder they lie.
_NAMED = ("bbc", "soundbible", "voicebank")
_FREESOUND = {"freesound": _NUMBER, "fsd50k": _NUMBER, "esc50": _ESC50}


@dataclass(frozen=True)
class Origin:
    """What is known of a source by its path.

    Attributes:
        corpus: Name of the corpus as in `hive.sources`, or the path's first part, in lower case.
        recording_id: `youtube/VIDEO`, `freesound/NUMBER`, `CORPUS/NAME`, as in curated pools, so
            that what two corpora took from one video is one recording; for names of other forms
            the corpus and the path below it, without its suffix.
        licence: Licence of the corpus; an item's own is not looked up.
        attribution: The corpus and where the item, or the corpus, is found.
    """

    corpus: str
    recording_id: str
    licence: str
    attribution: str


def origin(path: str) -> Origin:
    """Return what a path `CORPUS/...` says.

    Args:
        path: Path as in the metadata; its first part is a name that the authors use.
    """
    prefix, _, rest = path.partition("/")
    corpus = known_corpora().get(prefix.casefold())
    folder, slash, name = rest.rpartition("/")
    stem = name.rpartition(".")[0] or name
    below = f"{folder}{slash}{stem}"
    if corpus is None:
        return Origin(prefix.casefold(), f"{prefix.casefold()}/{below}", UNKNOWN, "")
    identify = _video if corpus.name in _YOUTUBE else _sound
    fallback = f"{corpus.name}/{stem if corpus.name in _NAMED else below}"
    recording, address = identify(corpus, stem) or (fallback, corpus.home)
    licence = youtube.LICENCE if corpus.name in _YOUTUBE else corpus.licence
    return Origin(corpus.name, recording, licence, f"{corpus.title}; {address}")


@cache
def known_corpora() -> dict[str, Corpus]:
    """Return the corpora by the first parts of paths, in lower case."""
    return {
        name.casefold(): corpus for corpus in catalogue.corpora() for name in corpus.published_names
    }


def _video(_: Corpus, stem: str) -> tuple[str, str] | None:
    found = _VIDEO.fullmatch(stem)
    return (youtube.recording_id(found["id"]), youtube.address(found["id"])) if found else None


def _sound(corpus: Corpus, stem: str) -> tuple[str, str] | None:
    pattern = _FREESOUND.get(corpus.name)
    found = pattern.fullmatch(stem) if pattern else None
    recording = freesound(found["id"]) if found else None
    return (recording, freesound_page(found["id"])) if found and recording else None
