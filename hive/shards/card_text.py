"""The text of a dataset card: what people ask of a dataset, answered from its facts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hive.labels import all_labels
from hive.shards import citation
from hive.shards.edition import Edition
from hive.shards.facts import DatasetFacts
from hive.shards.layout import ATTRIBUTION, CHECKSUMS, CROISSANT, LICENCES, MIXTURES
from hive.shards.licences import DatasetLicences
from hive.shards.markdown import plain, table
from hive.sources import catalogue
from hive.sources.corpus import Corpus

RARE = 10  # clips below which a class is called rare
_EXPRESSIONS = 20  # combinations of licences, and conflicts, that the card lists
_SYNTH = "synth"


def card_text(facts: DatasetFacts, edition: Edition) -> list[str]:
    """Return the lines of a dataset card after its head.

    Args:
        facts: What the dataset is.
        edition: In which form it is described.
    """
    return [
        f"# {edition.repo.rpartition('/')[2] or 'Hive mixtures'}",
        "",
        f"{facts.mixtures:,} mixtures of {_either(facts.sizes)} sources each, for query-based",
        f"universal sound separation, made of {facts.clips:,} clips of single sound events in",
        f"{len(facts.labels)} classes. {facts.sample_rate:,} Hz, mono, {facts.bits} bit. Every",
        "mixture is, sample for sample, the sum of the sources stored beside it.",
        "",
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
        *_making(facts),
        "## Licences",
        "",
        *_licences(facts),
        "## Classes",
        "",
        *_classes(facts),
        "## Known gaps",
        "",
        *_gaps(facts),
        "## Citation",
        "",
        *_citation(facts, edition),
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
    here = f"those of {_all(shown)}" if shown else "none of them"
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
        f"hive-bench mix verify {local}",
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
    if edition.shown(facts):
        lines.insert(
            0,
            f"- `data/<n>mix/<split>-*.tar`: WebDataset shards; a mixture is `<mix_id>.json`, "
            f"`.mix.{suffix}`, `.s1.{suffix}` …",
        )
    return [*lines, ""]


def _making(facts: DatasetFacts) -> list[str]:
    rows: list[list[str]] = []
    matrices: set[str] = set()
    for split in facts.splits:
        run = facts.runs.get(split, {})
        plan = run.get("plan", {})
        shares = plan.get("size_shares", {})
        levels = plan.get("snr_range_db", [])
        matrices |= {str(plan["matrix_sha256"])} if "matrix_sha256" in plan else set()
        rows.append(
            [
                split,
                _shown(plan.get("seed")),
                f"{plan['seconds']:g} s" if "seconds" in plan else "-",
                ", ".join(f"{size}: {share:g}" for size, share in shares.items()) or "-",
                f"{levels[0]:g} to {levels[1]:g} dB" if len(levels) == 2 else "-",
                ", ".join(map(str, plan.get("licences", []))) or "all",
                _shown(plan.get("clips_sha256"))[:12],
                _shown(run.get("version")),
            ]
        )
    columns = ["split", "seed", "length", "shares of sizes", "levels", "licence rules"]
    lines = [
        "Classes that occur together in real scenes are drawn for each mixture, then a clip of",
        "each and a crop that is not silent. Each source is brought to RMS 0.1 and then to its",
        "level relative to the first source; one factor keeps all peaks at 0.95 or below. No",
        "recording is in two splits. The method is that of the Hive paper; the matrix of classes",
        "that may be mixed is hive-bench's own"
        + (f" (SHA-256 {_all([one[:12] for one in sorted(matrices)])})." if matrices else "."),
        "",
        *table([*columns, "clips (SHA-256)", "hive-bench"], rows),
        "",
        "The same clips and settings give the same samples again, bit for bit.",
        "",
        *table(
            ["where the clips come from", "clips"],
            [[_corpus_title(name), count] for name, count in facts.corpora],
        ),
        "",
    ]
    return lines


def _licences(facts: DatasetFacts) -> list[str]:
    inherited = Counter[tuple[str, ...]]()
    for sets in facts.inherited.values():
        for parts, count in sets:
            inherited[tuple(parts)] += count
    licences = DatasetLicences([], inherited)
    expressions = licences.expressions()
    rest = expressions[_EXPRESSIONS:]
    lines = [
        "A mixture inherits the licences of all its parts. What follows is information, no legal",
        f"advice; the licence of each clip is in `{LICENCES}`, the authors in `{ATTRIBUTION}`.",
        "",
        *table(["licence of a clip", "clips"], facts.licences),
        "",
        *table(["licences that a mixture inherits", "mixtures"], expressions[:_EXPRESSIONS]),
    ]
    if rest:
        others = sum(count for _, count in rest)
        lines.append(f"| {len(rest)} other combinations, see `{MIXTURES}` | {others:,} |")
    lines += ["", *table(["what they ask for together", "mixtures"], licences.terms()), ""]
    conflicts = licences.conflicts()
    if not conflicts:
        return [*lines, "No licence of a part contradicts that of another.", ""]
    return [
        *lines,
        f"**{licences.in_conflict():,} mixtures cannot be passed on under all licences of their",
        "parts.** `hive-bench build --allow-licence` makes a dataset without such parts.",
        "",
        *table(["why", "mixtures"], conflicts[:_EXPRESSIONS]),
        "",
    ]


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


def _gaps(facts: DatasetFacts) -> list[str]:
    present = {label.name for label in facts.labels}
    missing = [label.name for label in all_labels() if label.name not in present]
    rare = [label.name for label in facts.labels if label.clips < RARE]
    lines = []
    if missing:
        lines.append(f"- No mixture holds {_named(missing, 'class', 'classes')}.")
    if rare:
        lines.append(f"- Fewer than {RARE} clips have {_named(rare, 'class', 'classes')}.")
    synthesised = dict(facts.corpora).get(_SYNTH, 0)
    if synthesised:
        lines.append(
            f"- {synthesised:,} of the {facts.clips:,} clips are synthesised: what models score "
            "on them says little about real sounds."
        )
    rejects = sum(group.rejects for group in facts.groups)
    if rejects:
        lines.append(f"- {rejects:,} mixtures of the plan could not be rendered and are missing.")
    lines += [
        "- Labels are what corpora state or models found; the reports of the pool's curation "
        "say how.",
        "- Mixtures are sums of mono clips: no room, no movement, no microphone is common to "
        "their sources.",
    ]
    return [*lines, ""]


def _citation(facts: DatasetFacts, edition: Edition) -> list[str]:
    name = edition.repo or "Hive mixtures"
    entries = [
        citation.dataset_entry(name, edition.page, facts.sha256[MIXTURES]),
        citation.PAPER,
        *dict.fromkeys(corpus.citation for name, _ in facts.corpora if (corpus := _corpus(name))),
    ]
    return [
        "Cite this dataset, the paper of the method, and the corpora that the clips come from:",
        "",
        "```bibtex",
        "\n\n".join(entries),
        "```",
    ]


def _corpus(name: str) -> Corpus | None:
    known = (one for one in catalogue.corpora() if name in (one.name, *one.published_names))
    return next(known, None)


def _corpus_title(name: str) -> str:
    corpus = _corpus(name)
    return f"{corpus.title} ({name})" if corpus else name


def _named(names: list[str], one: str, many: str) -> str:
    noun = one if len(names) == 1 else many
    return f"{len(names)} {noun}: {'; '.join(plain(name) for name in names)}"


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


def _either(values: list[int]) -> str:
    if values == list(range(values[0], values[-1] + 1)) and len(values) > 1:
        return f"{values[0]} to {values[-1]}"
    return " or ".join(map(str, values))


def _all(names: list[str]) -> str:
    return " and ".join(names)
