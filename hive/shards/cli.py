"""Sub-commands of `hive-bench` that plan, render and check mixtures, and build whole datasets."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hive.options import (
    CORES,
    EngineKind,
    EngineOption,
    JsonFlag,
    RayAddress,
    Seed,
    ShardCount,
    ShardIndex,
    Split,
    TaskWorkers,
    Workers,
    make_engine,
    make_share,
    place_argument,
    place_option,
)

if TYPE_CHECKING:
    from hive.mixing.published.plan import Prepared

app = typer.Typer()
mix_app = typer.Typer(help="Plan, render and verify mixtures.", no_args_is_help=True)
app.add_typer(mix_app, name="mix")


class StoredFormat(str, Enum):
    """How audio is stored in shards; both are lossless."""

    flac = "flac"
    wav = "wav"


class Bits(str, Enum):
    """Bits of a stored sample."""

    b16 = "16"
    b24 = "24"


def as_count(text: str) -> int:
    """Read a number of mixtures; see `hive.mixing.counts`."""
    from hive.errors import HiveError
    from hive.mixing.counts import parse_count

    try:
        return parse_count(text)
    except HiveError as error:
        raise typer.BadParameter(f"{error.problem}: {error.remedy}") from error


def count_option(help: str) -> Any:
    """Return an option that takes a number of mixtures (`175k`)."""
    return typer.Option(help=help, parser=as_count, metavar="COUNT")


Shares = Annotated[
    str | None,
    typer.Option(help="Shares of recordings for train/validation/test; default 80/10/10."),
]
Sizes = Annotated[str, typer.Option(help="Numbers of sources, e.g. 2-5, 3 or 2,4.")]
SizeShares = Annotated[
    str | None,
    typer.Option(help="Share of each number of sources, e.g. 15/20/30/35, the default."),
]
AllowLicence = Annotated[
    list[str] | None,
    typer.Option(
        help="Take only clips by these rules: no-nc, no-sa, no-nd, no-youtube, no-research-only, "
        "no-unknown, open, or SPDX identifiers; several by comma. Default: everything."
    ),
]
AllowRestored = Annotated[
    bool,
    typer.Option(
        "--allow-restored",
        help="Take clips whose upper band super-resolution made up for validation and test too.",
    ),
]
FormatOption = Annotated[StoredFormat, typer.Option("--format", help="Audio in the shards.")]
BitsOption = Annotated[Bits, typer.Option(help="Bits of a stored sample.")]
ShardSize = Annotated[int, typer.Option(min=1, help="Mixtures in a shard.")]


@mix_app.command("plan")
def mix_plan(
    pool: Annotated[Path, place_argument("Clip pool.")],
    out: Annotated[Path, place_option(help="Mixture table to write (Parquet).")],
    split: Annotated[Split, typer.Option(help="Split to plan.")],
    num: Annotated[int, count_option("Number of mixtures, e.g. 2000, 175k or 1.75M.")],
    subset: Annotated[
        list[int] | None,
        count_option("Also write the first mixtures as a plan of their own; can be repeated."),
    ] = None,
    sources: Sizes = "2-5",
    size_shares: SizeShares = None,
    shares: Shares = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Length of a mixture; default 4, for test 10.")
    ] = None,
    allow_licence: AllowLicence = None,
    allow_restored: AllowRestored = False,
    seed: Seed = 0,
    workers: Workers = CORES,
) -> None:
    """Draw what each mixture is made of. The first N mixtures of a longer plan are the same.

    A long plan that was interrupted goes on with the same command.

    Example: hive-bench mix plan POOL --out test.parquet --split test --num 100 --seed 0

    Example: hive-bench mix plan POOL --out train.parquet --split train --num 17.5M
    --subset 175k --subset 875k --subset 1.75M --subset 7.9M
    """
    from hive import console
    from hive.build import split_clips
    from hive.licences import Filter
    from hive.mixing.plan import CROP_SECONDS, Planner, PlanSettings, parse_sizes, write_plan
    from hive.mixing.splits import DEFAULT_SHARES, parse_shares

    if subset and max(subset) > num:
        raise typer.BadParameter(f"{max(subset)} is more than --num {num}", param_hint="--subset")
    divided = parse_shares(shares) if shares else DEFAULT_SHARES
    rules = Filter.parse(allow_licence or [])
    settings = PlanSettings(
        split.value,
        seed,
        CROP_SECONDS[split.value] if seconds is None else seconds,
        parse_sizes(sources, size_shares),
        licences=tuple(rules.describe()),
    )
    chosen = split_clips(
        pool, split.value, divided, seed, licences=rules, allow_restored=allow_restored
    )
    _tell_left_out({split.value: chosen})
    planner = Planner(chosen.clips, settings)
    del chosen  # hundreds of megabytes that the planner does not need
    write_plan(planner, num, out, workers=workers)
    _tell_lonely({split.value: planner.lonely()})
    console.say(f"{out}: {num} mixtures")
    _write_subsets(out, subset or [])


@mix_app.command("subset")
def mix_subset(
    plan: Annotated[Path, place_argument("Mixture table of one split.")],
    num: Annotated[
        list[int], count_option("Number of mixtures, e.g. 175k or 1.75M; can be repeated.")
    ],
) -> None:
    """Write the first mixtures of a plan as plans of their own, beside it.

    A smaller subset is part of a larger one: train-175k.parquet of train-875k.parquet.

    Example: hive-bench mix subset train.parquet --num 175k --num 875k
    """
    _write_subsets(plan, num)


def _write_subsets(plan: Path, counts: list[int]) -> None:
    from hive import console
    from hive.mixing.plan_file import subset_path, write_subset

    for count in sorted(set(counts)):
        path = subset_path(plan, count)
        write_subset(plan, count, path)
        console.say(f"{path}: {count} mixtures")


@mix_app.command("render")
def mix_render(
    plan: Annotated[
        str,
        typer.Argument(
            help="Mixture table of one split, or published metadata: a table, a folder, an "
            "address, or a hub id such as ShandaAI/Hive."
        ),
    ],
    out: Annotated[Path | None, place_option(help="Folder of the dataset.")] = None,
    pool: Annotated[
        Path | None, place_option(help="Clip pool that the plan was made from.")
    ] = None,
    corpora: Annotated[
        Path | None,
        place_option(help="Published metadata: JSON file with the folder of each corpus."),
    ] = None,
    split: Annotated[
        Split | None, typer.Option(help="Published metadata: take this split alone.")
    ] = None,
    num: Annotated[
        int | None, count_option("Render only the first mixtures of a plan, e.g. 175k.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Published metadata: leave out what lacks audio.")
    ] = False,
    coverage: Annotated[
        bool,
        typer.Option("--coverage", help="Published metadata: say what can be made, and no more."),
    ] = False,
    audio_format: FormatOption = StoredFormat.flac,
    bits: BitsOption = Bits.b16,
    shard_size: ShardSize = 1000,
    workers: TaskWorkers = None,
    engine: EngineOption = EngineKind.local,
    ray_address: RayAddress = None,
    shard_index: ShardIndex = 0,
    shard_count: ShardCount = 1,
    as_json: JsonFlag = False,
) -> None:
    """Render a plan into WebDataset shards; interrupted, the same command goes on.

    PLAN is a table of `mix plan`, rendered with --pool, or mixture metadata as the Hive authors
    publish it, rendered with --corpora after what can be made has been shown.

    Example: hive-bench mix render test.parquet --pool POOL --out DATASET --workers 2

    Example: hive-bench mix render ShandaAI/Hive --split test --corpora dataset_paths.json
    --out DATASET --partial
    """
    from hive import console
    from hive.errors import HiveError
    from hive.mixing.plan_table import PlanTable
    from hive.mixing.published.locate import is_published
    from hive.mixing.roots import Find, PoolRoot
    from hive.shards.finish import finish, missing_shards
    from hive.shards.layout import WORK
    from hive.shards.write import RenderSettings, render_plan
    from hive.storage import place

    find: Find
    if is_published(plan):
        if corpora is None or pool is not None:
            there = "://" in plan or place(plan).exists()
            taken = "published metadata" if there else "no such file, so a dataset on the hub"
            raise HiveError(
                f"{plan}: {taken}, no plan of `hive-bench mix plan`",
                "say where its corpora are by --corpora FILE.json, and leave out --pool",
            )
        if not coverage:
            out = _needed(out)
        prepared = _look_through(plan, corpora, split, as_json)
        if coverage or out is None:
            return
        plans = prepared.write(out / WORK / "plan", partial=partial)
        find = prepared.roots
    else:
        if pool is None or corpora or split or partial or coverage or as_json:
            raise HiveError(
                f"{plan}: a plan of `hive-bench mix plan`, no published metadata",
                "give its clip pool by --pool, and leave out --corpora, --split, --partial, "
                "--coverage and --json",
            )
        plans, find, out = [place(plan)], PoolRoot(pool), _needed(out)
    for one in plans:
        PlanTable(one, num)  # each has as many, before hours go into the first
    for one in plans:
        render_plan(
            one,
            find,
            out,
            RenderSettings(audio_format.value, int(bits.value), shard_size),
            engine=make_engine(engine, workers, ray_address),
            share=make_share(shard_index, shard_count),
            num=num,
        )
    if missing := missing_shards(out):
        console.say(
            f"this job's share is done; shards still missing: {missing}; the job that renders the "
            "last one finishes the dataset"
        )
        return
    rejects = finish(out)
    if partial and rejects:
        console.say(f"{len(rejects)} mixtures could not be rendered, see {out / 'quarantine.csv'}")
    else:
        _tell_rejects(out, rejects)


def _look_through(plan: str, corpora: Path, split: Split | None, as_json: bool) -> Prepared:
    """Read published metadata, and show what can be made of it."""
    from hive import console
    from hive.mixing.published.corpora import read_corpora
    from hive.mixing.published.locate import locate
    from hive.mixing.published.plan import prepare
    from hive.mixing.published.report import show_coverage
    from hive.tables import SPLITS

    roots = read_corpora(corpora)
    metadata = locate(plan, split.value if split else None)
    prepared = prepare(metadata, roots, [split.value] if split else SPLITS)
    if as_json:
        console.print_json(prepared.coverage.as_json())
    else:
        show_coverage(prepared.coverage)
    return prepared


def _needed(out: Path | None) -> Path:
    if out is None:
        raise typer.BadParameter("is missing", param_hint="--out")
    return out


@mix_app.command("verify")
def mix_verify(
    dataset: Annotated[Path, place_argument("Folder of the dataset.")],
    workers: TaskWorkers = None,
    engine: EngineOption = EngineKind.local,
    ray_address: RayAddress = None,
    as_json: JsonFlag = False,
) -> None:
    """Check checksums, exact additivity, hashes, levels, labels and leakage between splits.

    Example: hive-bench mix verify DATASET
    """
    from hive import console
    from hive.shards.verify import left_out, verify

    count, findings = verify(dataset, make_engine(engine, workers, ray_address))
    unchecked = left_out(dataset)
    if as_json:
        found = [vars(finding) for finding in findings]
        console.print_json({"mixtures": count, "findings": found, "left_out": unchecked})
    elif findings:
        console.print_table(
            ["where", "problem"], [(finding.where, finding.problem) for finding in findings]
        )
    else:
        console.out.print(f"{count} mixtures: all is well", highlight=False)
    for sentence in unchecked:
        console.say(sentence)
    if findings:
        raise typer.Exit(1)


@mix_app.command("stats")
def mix_stats(
    dataset: Annotated[Path, place_argument("Folder of the dataset.")],
    out: Annotated[
        Path | None, place_option(help="Folder for tables (CSV), plots and a page of them.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what is in a dataset: mixtures by number of sources and by class.

    With --out also levels and the licences that mixtures inherit, as tables, plots and a page.

    Example: hive-bench mix stats DATASET --out FOLDER
    """
    from hive import console
    from hive.shards.stats import dataset_statistics, write_dataset_page

    stats = dataset_statistics(dataset)
    if out is not None:
        console.say(f"{write_dataset_page(dataset, out)[-1]}: the page")
    if as_json:
        console.print_json(stats)
        return
    console.print_table(
        ["split", "sources", "mixtures"],
        [(row["split"], row["num_sources"], row["mixtures"]) for row in stats["sizes"]],
    )
    console.print_table(
        ["label", "mixtures"], [(row["label"], row["mixtures"]) for row in stats["labels"]]
    )
    console.out.print(
        f"{stats['mixtures']} mixtures of {stats['clips']} clips in {len(stats['labels'])} "
        f"classes, {stats['hours']:.2f} h; {stats['in_conflict']} with licences in conflict",
        highlight=False,
    )


@app.command()
def build(
    pool: Annotated[Path, place_argument("Clip pool.")],
    out: Annotated[Path, place_option(help="Folder of the dataset.")],
    train: Annotated[int, typer.Option(min=0, help="Mixtures of 4 s for training.")] = 0,
    validation: Annotated[int, typer.Option(min=0, help="Mixtures of 4 s.")] = 0,
    test: Annotated[int, typer.Option(min=0, help="Mixtures of 10 s.")] = 0,
    sources: Sizes = "2-5",
    size_shares: SizeShares = None,
    shares: Shares = None,
    audio_format: FormatOption = StoredFormat.flac,
    bits: BitsOption = Bits.b16,
    shard_size: ShardSize = 1000,
    allow_licence: AllowLicence = None,
    allow_restored: AllowRestored = False,
    seed: Seed = 0,
    workers: TaskWorkers = None,
    engine: EngineOption = EngineKind.local,
    ray_address: RayAddress = None,
    register: Annotated[
        bool, typer.Option("--register", help='Make load_dataset("hive", ...) find it.')
    ] = False,
) -> None:
    """Plan and render all splits: shards, mixture table, card, licences and checksums.

    The recordings are divided among the splits that are asked for; none is in two.

    Example: hive-bench build POOL --out DATASET --train 200 --validation 40 --test 100 --register
    """
    from hive import console
    from hive.build import build as build_dataset
    from hive.licences import Filter
    from hive.mixing.plan import parse_sizes
    from hive.mixing.splits import parse_shares
    from hive.shards.write import RenderSettings

    built = build_dataset(
        pool,
        out,
        {"train": train, "validation": validation, "test": test},
        seed=seed,
        engine=make_engine(engine, workers, ray_address),
        settings=RenderSettings(audio_format.value, int(bits.value), shard_size),
        shares=parse_shares(shares) if shares else None,
        size_shares=parse_sizes(sources, size_shares),
        licences=Filter.parse(allow_licence or []),
        allow_restored=allow_restored,
    )
    _tell_left_out(built.chosen)
    _tell_lonely(built.lonely)
    made = ", ".join(f"{count} {split}" for split, count in built.mixtures.items())
    console.say(f"{out}: {made}")
    _tell_rejects(out, built.rejects)
    if register:
        _register(out)


@app.command("register")
def register_dataset(
    dataset: Annotated[str, typer.Argument(help="Folder or address of the dataset, or mini.")],
) -> None:
    """Make stock load_dataset("hive", ...) open this dataset in any directory, offline.

    The audio is copied into the Hugging Face cache; what was registered before is replaced.

    Example: hive-bench register DATASET
    """
    _register(dataset)


def _register(dataset: Path | str) -> None:
    from hive import console
    from hive.shards.layout import locate
    from hive.shards.register import register

    names = register(locate(dataset))
    console.say(f'load_dataset("hive", NAME) now opens: {", ".join(names)}')


def _tell_left_out(chosen: dict[str, Any]) -> None:
    from hive import console

    for split, one in chosen.items():
        for reason, count in sorted(one.refused.items()):
            console.say(f"{split}: {count} clips not taken: {reason}")
        if one.restored:
            console.say(
                f"{split}: {one.restored} clips not taken: super-resolution made up their upper "
                "band (--allow-restored takes them)"
            )


def _tell_lonely(lonely: dict[str, list[str]]) -> None:
    from hive import console

    for split, names in lonely.items():
        if names:
            console.say(
                f"{split}: no mixture holds {', '.join(names)}: no label in this split may be "
                "mixed with it. Import recordings of more classes to use it."
            )


def _tell_rejects(dataset: Path, rejects: list[Any]) -> None:
    from hive.errors import HiveError

    if rejects:
        reasons = list(dict.fromkeys(reject.reason for reject in rejects))
        raise HiveError(
            f"{len(rejects)} mixtures could not be rendered: " + "; ".join(reasons[:3]),
            f"see {dataset / 'quarantine.csv'}, mend the clips and run the same command again",
        )
