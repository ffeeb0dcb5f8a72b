"""Bringing recordings into a pool, in batches that can be stopped and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from hive import audio
from hive._version import __version__
from hive.claims import claim
from hive.errors import HiveError, UnreachableError
from hive.execution import Engine, run_tasks, tick
from hive.files import locked, remove_temporaries, sha256_json
from hive.labels import find, resolve
from hive.pool.layout import TOLERANCE_SECONDS, WINDOW_SECONDS, Short, pad, repeat, windows
from hive.pool.store import (
    Origin,
    Reject,
    merge_corpus,
    merge_rejects,
    pool_settings,
    read_quarantine,
    write_clip,
    write_quarantine,
)
from hive.seeding import Stream
from hive.sources import synth
from hive.sources.folder import Recording, read_recordings
from hive.storage import remove_folder, stamp
from hive.tables import CLIP_SCHEMA, SAMPLE_RATE, read_table, write_table

_BATCH = 128
_LENGTH = round(WINDOW_SECONDS * SAMPLE_RATE)


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    clips: int
    recordings: int
    rejects: list[Reject]


@dataclass(frozen=True)
class _Batch:
    """Recordings of a folder, or specimens of the synthesiser, that make one part."""

    pool: Path
    part: Path
    corpus: str
    items: tuple[Any, ...]
    root: Path = Path()
    short: Short = Short.REPEAT
    seed: int = 0


def import_folder(
    path: Path, pool: Path, corpus: str, *, short: Short, seed: int, workers: int
) -> Imported:
    """Import recordings into a pool as 10-s clips at 44.1 kHz, mono.

    Longer recordings are cut into windows of 10 s every 5 s; shorter ones follow `short`. What
    cannot be taken (an unknown label, a broken or silent file) is listed in the quarantine.

    Args:
        path: A manifest, or a folder (see `hive.sources.folder`).
        pool: The pool's folder; other corpora in it stay.
        corpus: Name of the corpus, `[a-z0-9_-]+`.
        short: Policy for recordings shorter than 10 s.
        seed: Seed of the random gaps.
        workers: Worker processes.

    Raises:
        HiveError: If the manifest cannot be read, the corpus was imported with other settings, or
            no recording could be taken.
    """
    root, recordings = read_recordings(path)
    _check_repeats(recordings, path)
    settings = {"kind": "folder", "short": short.value, "seed": seed, "version": __version__}
    batches = [
        _Batch(
            pool,
            _part(pool, corpus, [[vars(item), _stamp(root / item.path)] for item in items]),
            corpus,
            items,
            root.resolve(),
            short,
            seed,
        )
        for items in _batches(recordings)
    ]
    return _import(pool, corpus, settings, batches, _import_recordings, workers)


def import_synth(
    pool: Path, *, seed: int, per_class: int, classes: Sequence[str], workers: int
) -> Imported:
    """Fill a pool with sounds of the procedural synthesiser.

    Args:
        pool: The pool's folder; other corpora in it stay.
        seed: Seed of the synthesiser.
        per_class: Clips of each class.
        classes: Hive classes that the synthesiser has.
        workers: Worker processes.
    """
    for name in classes:
        synth.describe(name)  # an unknown class is told before anything is written
    specimens = [(name, index) for name in classes for index in range(per_class)]
    settings = {"kind": "synth", "seed": seed, "version": __version__}
    batches = [
        _Batch(pool, _part(pool, "synth", list(items)), "synth", items, seed=seed)
        for items in _batches(specimens)
    ]
    return _import(pool, "synth", settings, batches, _import_specimens, workers)


def _import(
    pool: Path,
    corpus: str,
    settings: dict[str, Any],
    batches: list[_Batch],
    function: Callable[[_Batch], None],
    workers: int,
) -> Imported:
    if pool_settings(pool).get(corpus, {}).get("kind") == "curated":
        raise HiveError(
            f"{pool}: {corpus} is there from `hive-bench curate`, whose clips would be deleted",
            "choose another --corpus or --out",
        )
    work = pool / ".hive" / corpus
    if changed := claim(work / "settings.json", settings):
        told = ", ".join(f"{name}: {old} -> {new}" for name, old, new in changed)
        raise HiveError(
            f"{pool}: corpus {corpus!r} was imported with other settings ({told})",
            "choose another --corpus or --out, or use the same settings",
        )
    with locked(work / "run.lock", f"{pool}: another run is importing {corpus}"):
        return _do_import(pool, corpus, settings, batches, function, workers)


def _do_import(
    pool: Path,
    corpus: str,
    settings: dict[str, Any],
    batches: list[_Batch],
    function: Callable[[_Batch], None],
    workers: int,
) -> Imported:
    work = pool / ".hive" / corpus
    # Those of this corpus alone: others may be at work.
    for folder in (work, pool / corpus):
        remove_temporaries(folder)
    there = set(work.glob("*/clips.parquet"))
    waiting = [batch for batch in batches if batch.part not in there]
    left = sum(len(batch.items) for batch in waiting)
    run_tasks(
        function, waiting, engine=Engine(workers=workers), title=f"Importing {corpus}", total=left
    ).check("batches")
    total = sum(len(batch.items) for batch in batches)
    clips = pa.concat_tables([read_table(batch.part, CLIP_SCHEMA)[0] for batch in batches])
    rejects = [reject for batch in batches for reject in read_quarantine(batch.part.parent)]
    if clips.num_rows == 0:
        merge_rejects(pool, corpus, rejects)
        reasons = "; ".join(dict.fromkeys(f"{r.path}: {r.reason}" for r in rejects[:3]))
        raise HiveError(
            f"{corpus}: none of {total} recordings could be taken ({reasons})",
            f"see {pool / 'quarantine.csv'} for every reason and what to do",
        )
    merge_corpus(pool, corpus, clips, rejects, settings)
    _remove_stale(work, {batch.part.parent for batch in batches})
    return Imported(clips.num_rows, total, rejects)


def _batches(items: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(items), _BATCH):
        yield tuple(items[start : start + _BATCH])


def _part(pool: Path, corpus: str, items: list[Any]) -> Path:
    """Return where a batch's rows go: a place that depends on what is in the batch.

    A corrected manifest or a mended file is thus imported anew, and nothing else is.
    """
    return pool / ".hive" / corpus / sha256_json(items)[:16] / "clips.parquet"


def _stamp(path: Path) -> list[Any]:
    try:
        return stamp(path)
    except OSError:  # not there, or a name that no file can have
        return []


def _remove_stale(work: Path, parts: set[Path]) -> None:
    """Remove the parts of batches that are no more."""
    for folder in work.iterdir():
        if folder not in parts and folder.is_dir():
            remove_folder(folder)


def _check_repeats(recordings: Sequence[Recording], path: Path) -> None:
    seen: dict[str, Recording] = {}
    for recording in recordings:
        if recording.clip_id in seen:
            raise HiveError(
                f"{path}: {recording.path} is listed twice with the same interval",
                "remove one of the rows",
            )
        seen[recording.clip_id] = recording


def _import_recordings(batch: _Batch) -> None:
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for recording in batch.items:
        try:
            rows.extend(_import_recording(batch, recording))
        except _RejectedError as rejected:
            rejects.append(Reject(batch.corpus, recording.path, rejected.stage, *rejected.args[:2]))
        tick()
    # The table is what says that the batch is done, so it comes last.
    write_quarantine(batch.part.parent, rejects)
    write_table(batch.part, rows, CLIP_SCHEMA)


class _RejectedError(Exception):
    """A recording that is not taken: reason, remedy and stage."""

    def __init__(self, stage: str, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.stage = stage


def _import_recording(batch: _Batch, recording: Recording) -> list[dict[str, Any]]:
    resolution = resolve(recording.label, recording.audioset_id or None)
    if resolution.label is None:
        raise _RejectedError(
            "label", resolution.reason, "give a label of Hive: `hive-bench labels`"
        )
    samples, bandwidth_hz, channels = _load(batch.root / recording.path, recording)
    steps: list[tuple[str, str, str, float | None]] = [("import", __version__, "taken", None)]
    level = audio.rms(samples)
    if level < audio.SILENCE_RMS:
        raise _RejectedError(
            "chunk", f"silent (RMS {level:.1e} < {audio.SILENCE_RMS:g})", "replace the recording"
        )
    clips: list[tuple[str, audio.Float, tuple[str, str, str, float | None]]] = []
    name = recording.clip_id
    if len(samples) >= _LENGTH:
        for number, (start, stop) in enumerate(windows(len(samples), SAMPLE_RATE)):
            window = samples[start:stop]
            if audio.rms(window) >= audio.SILENCE_RMS:
                step = ("chunk", "1", f"window {number}", start / SAMPLE_RATE)
                clips.append((f"{name}-{number}", window, step))
        if not clips:
            raise _RejectedError("chunk", "every 10-s window is silent", "replace the recording")
    else:
        clips.append((name, *_lay_out(batch, name, samples)))
    return [
        write_clip(
            batch.pool,
            clip,
            Origin(
                clip_id=f"{batch.corpus}_{clip_id}",
                corpus=batch.corpus,
                label=resolution.label,
                recording_id=f"{batch.corpus}/{recording.recording_id}",
                split=recording.split,
                licence=recording.licence,
                attribution=recording.author,
                bandwidth_hz=bandwidth_hz,
                channels=channels,
                provenance=(*steps, step),
            ),
        )
        for clip_id, clip, step in clips
    ]


def _lay_out(
    batch: _Batch, name: str, samples: audio.Float
) -> tuple[audio.Float, tuple[str, str, str, float | None]]:
    seconds = len(samples) / SAMPLE_RATE
    if batch.short is Short.DROP:
        raise _RejectedError(
            "chunk", f"{seconds:.2f} s is shorter than a clip of 10 s", "use --short repeat or pad"
        )
    almost_full = len(samples) >= _LENGTH - TOLERANCE_SECONDS * SAMPLE_RATE
    if batch.short is Short.PAD or almost_full:
        return pad(samples, _LENGTH), ("layout", "1", "padded", seconds)
    stream = Stream(batch.seed, batch.corpus, name, "layout")
    clip, copies = repeat(samples, _LENGTH, SAMPLE_RATE, stream)
    return clip, ("layout", "1", f"repeated {copies} times", seconds)


def _load(path: Path, recording: Recording) -> tuple[audio.Float, float, int]:
    """Return mono samples at 44.1 kHz, their bandwidth in Hz and the file's channels."""
    try:
        info = audio.probe(path)
        start = round((recording.start or 0.0) * info.sample_rate)
        stop = info.frames
        if recording.end is not None:
            stop = round(recording.end * info.sample_rate)
            if stop > info.frames + audio.END_TOLERANCE:
                raise HiveError(
                    f"{path}: 'end' is {recording.end:g} s but the file has {info.seconds:.3f} s",
                    "correct the manifest",
                )
        if start >= min(stop, info.frames):
            raise HiveError(f"{path}: 'start' lies past the end", "correct the manifest")
        native, rate = audio.read(path, start, min(stop, info.frames))
    except UnreachableError:
        raise  # says nothing of the recording
    except HiveError as error:
        raise _RejectedError("read", error.problem, error.remedy) from error
    mono = audio.to_mono(native)
    return audio.resample(mono, rate, SAMPLE_RATE), audio.bandwidth(mono, rate), info.channels


def _import_specimens(batch: _Batch) -> None:
    rows = []
    for name, index in batch.items:
        label = find(name)
        samples = synth.synthesise(name, batch.seed, index, WINDOW_SECONDS, SAMPLE_RATE)
        mono = samples.astype("float32")
        identity = f"synth_{label.slug}_{batch.seed}_{index:04d}"
        origin = Origin(
            clip_id=identity,
            corpus="synth",
            label=label,
            recording_id=f"synth/{identity}",
            split="",
            licence="CC0-1.0",
            attribution="Hive procedural synthesiser",
            bandwidth_hz=audio.bandwidth(mono, SAMPLE_RATE),
            channels=1,
            provenance=(("synth", __version__, f"seed {batch.seed}, index {index}", None),),
        )
        rows.append(write_clip(batch.pool, mono, origin))
        tick()
    write_table(batch.part, rows, CLIP_SCHEMA)
