"""The text of a dataset card: what people ask of a dataset, answered from its facts."""

from __future__ import annotations

from typing import Any

from hive.labels import all_labels
from hive.shards import card_tracks, citation
from hive.shards.card_origin import corpus_of, gaps, licences, making
from hive.shards.edition import Edition
from hive.shards.facts import DatasetFacts
from hive.shards.layout import ATTRIBUTION, CHECKSUMS, CROISSANT, LICENCES, MIXTURES, TRACKS
from hive.shards.markdown import table


def card_text(facts: DatasetFacts, edition: Edition) -> list[str]:
    """Return the lines of a dataset card after its head.

    Args:
        facts: What the dataset is.
        edition: In which form it is described.
    """
    return [
        f"# {edition.repo.rpartition('/')[2] or _title(facts)}",
        "",
        *_introduction(facts),
        *_sizes(facts),
        *_partial(facts, edition),
        "## Use",
        "",
        *_use(facts, edition),
        "## Files",
        "",
        *_files(facts, edition),
        "## How it was made",
        "",
        *(card_tracks.making(facts) if facts.tracks else making(facts)),
        "## Licences",
        "",
        *licences(facts),
        "## Classes",
        "",
        *_classes(facts),
        "## Known gaps",
        "",
        *gaps(facts),
        "## Citation",
        "",
        *_citation(facts, edition),
    ]


def _title(facts: DatasetFacts) -> str:
    return "Hive tracks" if facts.tracks else "Hive mixtures"


def _introduction(facts: DatasetFacts) -> list[str]:
    if facts.tracks:
        return card_tracks.introduction(facts, _either(facts.sizes))
    return [
        f"{facts.mixtures:,} mixtures of {_either(facts.sizes)} sources each, for query-based",
        f"universal sound separation, made of {facts.clips:,} clips of single sound events in",
        f"{len(facts.labels)} classes. {facts.sample_rate:,} Hz, mono, {facts.bits} bit. Every",
        "mixture is, sample for sample, the sum of the sources stored beside it.",
        "",
    ]


def _sizes(facts: DatasetFacts) -> list[str]:
    rows: list[list[Any]] = []
    for split in facts.splits:
        mine = facts.of([split])
        by_size = [sum(g.mixtures for g in mine if g.num_sources == n) for n in facts.sizes]
        hours = sum(group.seconds for group in mine) / 3600
        weight = sum(group.bytes for group in mine) / 1e9
        rows.append([split, *by_size, sum(by_size), hours, sum(g.shards for g in mine), weight])
    columns = ["split", *(f"{n} sources" for n in facts.sizes), "all", "hours", "shards", "GB"]
    return [*table(columns, rows), ""]


def _partial(facts: DatasetFacts, edition: Edition) -> list[str]:
    shown = edition.shown(facts)
    if shown == facts.splits:
        return []
    here = f"those of {' and '.join(shown)}" if shown else "none of them"
    return [
        f"**Of the shards, {here} are published here**; the tables cover all splits. The others",
        "can be rendered from the mixture table and the clips that it names.",
        "",
    ]


def loading(facts: DatasetFacts, edition: Edition) -> str:
    """Return the call by which stock `datasets` opens the last split that is there."""
    path = edition.repo or "PATH"
    splits = edition.shown(facts)
    if not splits:
        return f'load_dataset("{path}", split="mixtures")'
    group = facts.of(splits[-1:])[0]
    name = f"{group.num_sources}mix"
    return f'load_dataset("{path}", "{name}", split="{group.split}", streaming=True)'


def _use(facts: DatasetFacts, edition: Edition) -> list[str]:
    splits = edition.shown(facts)
    if not splits:
        return [
            *("```python", "from datasets import load_dataset", ""),
            f"rows = {loading(facts, edition)}  # what each mixture is made of",
            *("```", ""),
        ]
    group = facts.of(splits[-1:])[0]
    suffix = facts.audio_format
    last = f"{group.shards - 1:05d}"
    folder = f"data/{group.num_sources}mix/{group.split}"
    lines = [
        *("With [datasets](https://huggingface.co/docs/datasets):", "", "```python"),
        *("import io", "import soundfile", "from datasets import load_dataset", ""),
        f"data = {loading(facts, edition)}",
        "row = next(iter(data))",
        'row["json"]["sources"][0]["label"]  # what to ask for',
        f'mixture, rate = soundfile.read(io.BytesIO(row["mix.{suffix}"]))',
        f'target, rate = soundfile.read(io.BytesIO(row["s1.{suffix}"]))',
        *("```", ""),
    ]
    if "test" in splits:
        lines += [
            "Without `streaming=True` the library fetches all splits of a configuration; those",
            "ending in `_test` hold the test split alone. With a decoder at hand (torchcodec),",
            f'`data.cast_column("mix.{suffix}", Audio())` decodes the audio.',
            "",
        ]
    local = edition.repo.rpartition("/")[2] or "PATH"
    within = "" if edition.repo else "PATH/"
    address = edition.address(f"{within}{folder}-{{00000..{last}}}-of-{group.shards:05d}.tar")
    address = address.replace("%7B", "{").replace("%7D", "}")
    lines += [
        *("With [webdataset](https://github.com/webdataset/webdataset):", "", "```python"),
        *("import webdataset", ""),
        "data = webdataset.WebDataset(",
        f'    "{address}",',
        *("    shardshuffle=False,", ")", "```", ""),
    ]
    fetch = f"hf download {edition.repo} --repo-type dataset --local-dir {local}"
    return [
        *lines,
        *("With hive-bench:", "", "```console", *([fetch] if edition.repo else [])),
        # The whole of the table is verified, so all shards have to be there.
        *([f"hive-bench mix verify {local}"] * (splits == facts.splits)),
        *(
            [f"hive-bench evaluate --benchmark {local} --model MODEL --out RUN"]
            * ("test" in splits)
        ),
        *("```", ""),
    ]


def _files(facts: DatasetFacts, edition: Edition) -> list[str]:
    suffix = facts.audio_format
    lines = [
        f"- `{MIXTURES}`: one row a mixture: every source with its file, crop, gain and level,",
        "  and the hash of every signal.",
        f"- `{LICENCES}`: licence and attribution of every clip, and in how many mixtures it is.",
        f"- `{ATTRIBUTION}`: the works used, with authors, licences and addresses.",
        f"- `{CROISSANT}`: the same for programs ([Croissant](https://mlcommons.org/croissant)).",
        f"- `{CHECKSUMS}`: of all other files, for `sha256sum --check {CHECKSUMS}`.",
    ]
    if facts.tracks:
        lines.insert(1, f"- `{TRACKS}`: the tracks of classes of Hive as clips that can be mixed.")
    if edition.shown(facts):
        rest = f", `.rest.{suffix}`" if facts.tracks else ""
        lines.insert(
            0,
            f"- `data/<n>mix/<split>-*.tar`: WebDataset shards; a mixture is `<mix_id>.json`, "
            f"`.mix.{suffix}`, `.s1.{suffix}` …{rest}",
        )
    return [*lines, ""]


def _classes(facts: DatasetFacts) -> list[str]:
    hours = sum(label.seconds for label in facts.labels) / 3600
    rows = [[one.name, one.clips, one.mixtures, one.seconds / 3600] for one in facts.labels]
    return [
        f"{len(facts.labels)} of the {len(all_labels())} classes, {hours:,.2f} hours of sources",
        "in mixtures.",
        "",
        "<details><summary>Clips, mixtures and hours of each class</summary>",
        "",
        *table(["class", "clips", "mixtures", "hours"], rows),
        "",
        "</details>",
        "",
    ]


def _citation(facts: DatasetFacts, edition: Edition) -> list[str]:
    name = edition.repo or _title(facts)
    entries = [
        citation.dataset_entry(name, edition.page, facts.sha256[MIXTURES]),
        *([card_tracks.CLEARSEP] if facts.tracks else []),
        citation.PAPER,
        *dict.fromkeys(corpus.citation for name, _ in facts.corpora if (corpus := corpus_of(name))),
    ]
    return [
        "Cite this dataset, the paper of the method, and the corpora that the clips come from:",
        "",
        "```bibtex",
        "\n\n".join(entries),
        "```",
    ]


def _either(values: list[int]) -> str:
    if values == list(range(values[0], values[-1] + 1)) and len(values) > 1:
        return f"{values[0]} to {values[-1]}"
    return " or ".join(map(str, values))
