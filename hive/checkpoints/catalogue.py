"""The checkpoints that Hive knows. To add one, add an entry to `CATALOGUE`.

Packages that bring networks of their own offer the checkpoints of these, with what converts them,
as a `Collection` under the entry-point group `hive_bench.checkpoints`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import PurePosixPath

from hive.errors import HiveError

GROUP = "hive_bench.checkpoints"


@dataclass(frozen=True)
class HubFiles:
    """Files of a repository on the Hugging Face hub, at one commit.

    Attributes:
        repo: OWNER/NAME.
        revision: Commit.
        files: Their names there.
        space: Whether the repository is one of the hub's Spaces, not of its models.
    """

    repo: str
    revision: str
    files: tuple[str, ...]
    space: bool = False


@dataclass(frozen=True)
class Companion:
    """A file that a model cannot do without, in the same folder of the repository.

    Attributes:
        filename: Its name there.
        sha256: Hash of the published file.
    """

    filename: str
    sha256: str


@dataclass(frozen=True)
class Checkpoint:
    """A published checkpoint.

    Attributes:
        name: What the command line and `path` take.
        kind: Name of its converter in `hive.checkpoints.install` or in its collection.
        repo: Repository on the Hugging Face hub.
        revision: Commit of the repository.
        filename: File in the repository, with its folder there.
        licence: Licence as the repository states it.
        purpose: Who uses it, in a few words.
        sha256: Hash of the published file; None if nobody has written it down, and only `fetch` can
            tell what is published.
        size: Bytes of the published file; None likewise.
        tokenizer: Files of the text tower's tokenizer; None if the model has none.
        companions: Files that belong to the weights; `convert` expects them beside `filename`.
        weights: Name of the file with the weights in the store.
        space: Whether the repository is one of the hub's Spaces, not of its models.
        page: Address of the page that the file is published on, if that is not the hub; it is then
            downloaded by hand.
    """

    name: str
    kind: str
    repo: str
    revision: str
    filename: str
    licence: str
    purpose: str
    sha256: str | None = None
    size: int | None = None
    tokenizer: HubFiles | None = None
    companions: tuple[Companion, ...] = ()
    weights: str = "model.safetensors"
    space: bool = False
    page: str = ""

    @property
    def files(self) -> HubFiles:
        """The file and its companions, the file first."""
        beside = (str(PurePosixPath(self.filename).with_name(c.filename)) for c in self.companions)
        return HubFiles(self.repo, self.revision, (self.filename, *beside), self.space)

    @property
    def url(self) -> str:
        """Where a browser finds the file."""
        if self.page:
            return self.page
        repo = f"spaces/{self.repo}" if self.space else self.repo
        return f"https://huggingface.co/{repo}/resolve/{self.revision}/{self.filename}"


@dataclass(frozen=True)
class Collection:
    """What another package offers: its checkpoints, and the converters of their kinds.

    Attributes:
        checkpoints: The checkpoints.
        converters: By kind, where the `Converter` is: "module", or "module:attribute".

    Raises:
        ValueError: If a kind has no converter.
    """

    checkpoints: tuple[Checkpoint, ...]
    converters: Mapping[str, str]

    def __post_init__(self) -> None:
        without = {entry.kind for entry in self.checkpoints} - self.converters.keys()
        if without:
            raise ValueError(f"kinds without a converter: {', '.join(sorted(without))}")


_ROBERTA = HubFiles(
    "FacebookAI/roberta-base",
    "e2da8e2f811d1448a5b465c236feacd80ffbac7b",
    ("vocab.json", "merges.txt"),
)


def _clap(
    name: str, filename: str, purpose: str, sha256: str | None = None, size: int | None = None
) -> Checkpoint:
    return Checkpoint(
        name=name,
        kind="clap",
        repo="lukewys/laion_clap",
        revision="b3708341862f581175dba5c356a4ebf74a9b6651",
        filename=filename,
        licence="CC0-1.0",
        purpose=purpose,
        sha256=sha256,
        size=size,
        tokenizer=_ROBERTA,
    )


_AUDIOSET_CLASSES = Companion(
    "class_labels_indices.csv", "cdd1049833c4b86127c2773ac0d14a2754b6a6d0d1798002ed5c66e699708429"
)


def _tagger(
    name: str, repo: str, revision: str, purpose: str, sha256: str | None, size: int | None
) -> Checkpoint:
    return Checkpoint(
        name=name,
        kind="tagger",
        repo=f"k2-fsa/sherpa-onnx-{repo}",
        revision=revision,
        filename="model.onnx",
        licence="Apache-2.0",
        purpose=purpose,
        sha256=sha256,
        size=size,
        companions=(_AUDIOSET_CLASSES,),
        weights="model.onnx",
    )


CATALOGUE: tuple[Checkpoint, ...] = (
    _clap(
        "clap-music-audioset",
        "music_audioset_epoch_15_esc_90.14.pt",
        "CLAP of most tables: fadtk's clap-laion-music, CLAPSep, ClearSep",
        "fae3e9c087f2909c28a09dc31c8dfcdacbc42ba44c70e972b58c1bd1caf6dedd",
        2_352_471_003,
    ),
    _clap(
        "clap-music-speech",
        "music_speech_epoch_15_esc_89.25.pt",
        "default of ZETA's LPAPS",
        "a27dfbd00d96781020d83044136f084343edab799d2657ef3cfe5c4f2222bb28",
    ),
    _clap(
        "clap-music-speech-audioset",
        "music_speech_audioset_epoch_15_esc_89.98.pt",
        "text encoder of AudioSep",
        "51c68f12f9d7ea25fdaaccf741ec7f81e93ee594455410f3bca4f47f88d8e006",
        2_352_471_003,
    ),
    _clap("clap-630k", "630k-best.pt", "CLAP score of SAM-Audio (HTSAT-tiny)"),
    _clap(
        "clap-630k-audioset",
        "630k-audioset-best.pt",
        "CLAP score of ZeroSep (HTSAT-tiny)",
        "8053c9775516af2f4902e1e8281e356cc1bf7a85e8b761908170767b77c3f037",
        1_863_587_645,
    ),
    _tagger(
        "tagger-zipformer",
        "zipformer-audio-tagging-2024-04-09",
        "3c795f58cd1fe15a42cee103519e7a5cbbd93415",
        "curation: parent class of a clip",
        "a8f11014905fbaab81644514b79e719f3fcfa3ad45d29a25b46e34eb03c48ed8",
        259_079_136,
    ),
    _tagger(
        "tagger-zipformer-small",
        "zipformer-small-audio-tagging-2024-04-15",
        "c24f9d0fdf7d0b8c0c4f9733aa0cac51fda10c95",
        "curation: the same, quicker and coarser",
        None,
        None,
    ),
    Checkpoint(
        name="apollo",
        kind="apollo",
        repo="JusperLee/Apollo",
        revision="c68bd80fdd9c0d93d2f4a833cb154624f660a561",
        filename="pytorch_model.bin",
        licence="CC-BY-SA-4.0",
        purpose="curation: upper band of band-limited clips",
        sha256="99d9af7f1ff20e63c393035513a655392818d66b4d7fc23d658175c1f15e8d76",
        size=66_541_845,
    ),
)


@lru_cache
def collections() -> tuple[Collection, ...]:
    """Return what other packages offer, by the names of their entry points.

    Raises:
        HiveError: If one cannot be loaded, naming its entry point.
    """
    found: dict[str, Collection] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        try:
            loaded = entry.load()
        except Exception as error:  # whatever the import of a foreign package raises
            raise HiveError(
                f"entry point {entry.name} of {GROUP}: {entry.value} cannot be loaded ({error})",
                "mend or uninstall the package that it belongs to",
            ) from error
        if not isinstance(loaded, Collection):
            raise HiveError(
                f"entry point {entry.name} of {GROUP}: {entry.value} is no Collection",
                "mend or uninstall the package that it belongs to",
            )
        found.setdefault(entry.value, loaded)
    return tuple(found.values())


def known() -> tuple[Checkpoint, ...]:
    """Return all checkpoints: our own, then those of other packages; names occur once."""
    offered = (entry for each in collections() for entry in each.checkpoints)
    found: dict[str, Checkpoint] = {}
    for entry in (*CATALOGUE, *offered):
        found.setdefault(entry.name, entry)
    return tuple(found.values())


def names(kind: str | None = None) -> tuple[str, ...]:
    """Return the names of all checkpoints, or of those of one kind."""
    return tuple(entry.name for entry in known() if kind in (None, entry.kind))


def find(name: str) -> Checkpoint:
    """Return the entry of that name.

    Raises:
        HiveError: If there is none.
    """
    for entry in CATALOGUE:  # these need no other package to be loaded
        if entry.name == name:
            return entry
    for entry in known():
        if entry.name == name:
            return entry
    raise HiveError(f"checkpoint {name!r} is not known", suggestion(name, names()))


def suggestion(name: str, choices: tuple[str, ...]) -> str:
    """Return what to tell somebody who asked for a name that is not there."""
    from rapidfuzz import fuzz, process

    near = process.extract(name, choices, scorer=fuzz.WRatio, limit=3, score_cutoff=60)
    if near:
        return "did you mean " + " or ".join(choice for choice, _, _ in near) + "?"
    return "choose one of " + ", ".join(choices)
