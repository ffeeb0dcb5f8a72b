"""Sub-commands of `hive-bench pool`: making clip pools and looking at them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from hive.options import (
    CORES,
    EngineKind,
    EngineOption,
    JsonFlag,
    RayAddress,
    Seed,
    Workers,
    make_engine,
    place_argument,
    place_option,
)

app = typer.Typer(help="Make and look at clip pools.", no_args_is_help=True)


class ShortPolicy(str, Enum):
    """What is done with recordings shorter than a clip of 10 s."""

    repeat = "repeat"
    pad = "pad"
    drop = "drop"


@app.command("import")
def pool_import(
    path: Annotated[Path, place_argument("CSV manifest, or a folder.")],
    out: Annotated[Path, place_option(help="Folder of the pool.")],
    corpus: Annotated[
        str | None, typer.Option(help="Name of the corpus; default: the folder's name.")
    ] = None,
    short: Annotated[
        ShortPolicy, typer.Option(help="Recordings shorter than 10 s: what to do.")
    ] = ShortPolicy.repeat,
    seed: Seed = 0,
    workers: Workers = CORES,
) -> None:
    """Import recordings into a clip pool: 10-s clips, 44.1 kHz, mono, labelled.

    A manifest has the columns path and label, and where known audioset_id, start, end,
    recording_id, licence, author, split. What cannot be taken is listed in POOL/quarantine.csv.

    Example: hive-bench pool import recordings/manifest.csv --out POOL
    """
    from hive.pool.importer import import_folder
    from hive.pool.layout import Short
    from hive.sources.folder import corpus_name

    name = corpus_name(path, corpus)
    done = import_folder(path, out, name, short=Short(short.value), seed=seed, workers=workers)
    _report_import(out, done)


@app.command("synth")
def pool_synth(
    out: Annotated[Path, place_option(help="Folder of the pool.")],
    seed: Seed = 0,
    per_class: Annotated[int, typer.Option(min=1, help="Clips of each class.")] = 10,
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Only this class; may be repeated.")
    ] = None,
    workers: Workers = CORES,
) -> None:
    """Fill a clip pool with procedurally synthesised sounds, for demos and tests.

    Example: hive-bench pool synth --out POOL --seed 1 --per-class 4
    """
    from hive.labels import find
    from hive.pool.importer import import_synth
    from hive.sources import synth

    classes = tuple(find(name).name for name in label) if label else synth.classes()
    _report_import(
        out, import_synth(out, seed=seed, per_class=per_class, classes=classes, workers=workers)
    )


@app.command("duplicates")
def pool_duplicates(
    pool: Annotated[Path, place_argument("Folder of the pool.")],
    out: Annotated[
        Path | None, place_option(help="A copy of the list, beside POOL/duplicates.csv.")
    ] = None,
    workers: Workers = CORES,
    as_json: JsonFlag = False,
) -> None:
    """Find recordings that hold the same sound, by audio fingerprint, in all corpora of a pool.

    The list is POOL/duplicates.csv, which keeps them together in splits; delete a row to overrule
    it. Fingerprints are kept, so that a second run only takes what is new.

    Example: hive-bench pool duplicates POOL
    """
    from collections import Counter

    from hive import console
    from hive.files import write_bytes
    from hive.pool.duplicates import LIST, describe, find_duplicates

    found = find_duplicates(pool, workers)
    if out is not None:
        write_bytes(out, (pool / LIST).read_bytes())
    if as_json:
        console.print_json([describe(one) for one in found])
        return
    sizes = Counter(one.group for one in found)
    console.print_table(
        ["recording", "the same sound in", "offset s", "over s", "bit errors"],
        [
            (
                *(one.recording_id, one.other_recording_id),
                *(f"{one.offset_second:.2f}", f"{one.seconds:.2f}", f"{one.bit_error_rate:.3f}"),
            )
            for one in found
        ],
    )
    console.say(f"{len(found)} pairs in {len(sizes)} groups: {pool / LIST}")


@app.command("split")
def pool_split(
    pool: Annotated[Path, place_argument("Folder of the pool.")],
    hours: Annotated[
        str | None, typer.Option(help="Hours of clips for train/validation/test.")
    ] = None,
    shares: Annotated[
        str | None, typer.Option(help="Shares of the hours for train/validation/test.")
    ] = None,
    seed: Seed = 0,
    duplicates: Annotated[
        bool, typer.Option(help="Keep recordings that hold the same sound in one split.")
    ] = True,
    official: Annotated[
        bool, typer.Option(help="Keep the splits that corpora and manifests set.")
    ] = True,
    workers: Workers = CORES,
    as_json: JsonFlag = False,
) -> None:
    """Bind every recording of a pool to a split, by hours, class by class.

    Run again, it divides anew. Near-duplicates are sought first where there is no list of them.

    Example: hive-bench pool split POOL --hours 2150/146/146
    """
    from hive import console
    from hive.errors import HiveError
    from hive.mixing.bind import bind_splits
    from hive.mixing.hours import parse_hours
    from hive.mixing.splits import parse_shares

    if (hours is None) == (shares is None):
        raise HiveError("give --hours or --shares, one of them", "write e.g. --hours 2150/146/146")
    found = bind_splits(
        pool,
        seed,
        hours=parse_hours(hours) if hours else None,
        shares=parse_shares(shares) if shares else None,
        duplicates=duplicates,
        official=official,
        workers=workers,
    )
    if as_json:
        console.print_json([vars(one) for one in found])
        return
    console.print_table(
        ["split", "hours asked", "hours", "recordings", "clips", "restored", "classes missing"],
        [
            (
                *(one.split, f"{one.asked:.2f}", f"{one.hours:.2f}", one.recordings, one.clips),
                *(one.restored, len(one.missing)),
            )
            for one in found
        ],
    )
    for one in found:
        if one.missing and one.split != "unused":
            console.say(f"{one.split} has no {'; '.join(one.missing)}: too few recordings")


@app.command("stats")
def pool_stats(
    pool: Annotated[Path, place_argument("Folder of the pool.")],
    out: Annotated[
        Path | None, place_option(help="Folder for tables (CSV), plots and a page of them.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what is in a pool: clips, hours and recordings of each class.

    With --out also corpora, licences, lengths and bandwidths, as tables, plots and a page.

    Example: hive-bench pool stats POOL --out FOLDER
    """
    from hive import console
    from hive.pool.overview import write_pool_page
    from hive.pool.stats import pool_statistics

    stats = pool_statistics(pool)
    if out is not None:
        console.say(f"{write_pool_page(pool, out)[-1]}: the page")
    if as_json:
        console.print_json(stats)
        return
    console.print_table(
        ["label", "clips", "recordings", "hours"],
        [
            (row["label"], row["clips"], row["recordings"], f"{row['hours']:.2f}")
            for row in stats["classes"]
        ],
    )
    console.out.print(
        f"{stats['clips']} clips of {stats['recordings']} recordings in "
        f"{len(stats['classes'])} classes, {stats['hours']:.2f} h; "
        f"{stats['quarantined']} recordings in quarantine",
        highlight=False,
    )


@app.command("pack")
def pool_pack(
    pool: Annotated[Path, place_argument("Folder of the pool.")],
    out: Annotated[Path, place_option(help="Folder of the pack, on a local disk.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Only compare what is there with its checksums.")
    ] = False,
    workers: Workers = CORES,
    engine: EngineOption = EngineKind.local,
    ray_address: RayAddress = None,
) -> None:
    """Pack a pool into a few large files of 16-bit PCM, for training on mixtures made on the fly.

    The pack takes 88,200 bytes a second, about twice as much as the pool. It holds the clip table,
    so mixtures can be planned from it, and training needs no more than the pack and the plan.
    Interrupted, the same command goes on.

    Example: hive-bench pool pack POOL --out PACK
    """
    from hive import console
    from hive.errors import HiveError
    from hive.pool.pack import pack_pool
    from hive.pool.packed import verify_pack

    if verify:
        if changed := verify_pack(out):
            raise HiveError(
                f"{out}: changed since they were written: {', '.join(changed)}",
                "delete them and pack the pool again: only what is missing is written",
            )
        console.say(f"{out}: all is well")
        return
    packed = pack_pool(pool, out, engine=make_engine(engine, workers, ray_address))
    console.say(
        f"{out}: {packed.clips} clips, {packed.seconds / 3600:.2f} h, "
        f"{packed.size / 1e9:.2f} GB in {packed.parts} parts"
    )
    if packed.rejects:
        raise HiveError(
            f"{len(packed.rejects)} clips were not packed, such as {packed.rejects[0].reason}",
            f"see {out / 'quarantine.csv'}, mend them and run the same command again",
        )


def _report_import(pool: Path, done: Any) -> None:
    from collections import Counter

    from hive import console

    console.say(f"{pool}: {done.clips} clips from {done.recordings} recordings")
    if done.rejects:
        stages = Counter(reject.stage for reject in done.rejects)
        told = ", ".join(f"{count} at {stage}" for stage, count in stages.most_common())
        console.say(
            f"{len(done.rejects)} recordings were not taken ({told}); "
            f"each with its reason in {pool / 'quarantine.csv'}"
        )
