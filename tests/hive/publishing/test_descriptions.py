"""The card, croissant.json, ATTRIBUTION.txt and the facts that they are written from."""

from __future__ import annotations

import json
import shutil
import subprocess
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlcroissant
import pytest
import yaml
from huggingface_hub import DatasetCard

from hive.errors import HiveError
from hive.files import write_records
from hive.shards import citation
from hive.shards.attribution import licence_address, write_attribution
from hive.shards.card import dataset_card, magnitude
from hive.shards.croissant import LISTED, croissant
from hive.shards.edition import Edition
from hive.shards.facts import DatasetFacts, Group, LabelFacts, read_facts
from hive.shards.finish import finish, read_checksums
from hive.shards.layout import find_shards
from hive.shards.licences import ClipLicence
from hive.shards.markdown import plain, table
from hive.shards.read import read_raw
from hive.tables import MIXTURE_SCHEMA, SPLITS, read_table


def many(shards: int = 20_000) -> DatasetFacts:
    """Facts of a dataset as large as the whole of Hive."""
    return DatasetFacts(
        audio_format="flac",
        bits=16,
        sample_rate=44100,
        groups=[
            Group(split, size, shards // 4, 1000 * shards // 4, 4.0 * 250 * shards, 10**12, 0)
            for split in ("train", "test")
            for size in (2, 3, 4, 5)
        ],
        labels=[LabelFacts("Typing", 5, 7, 28.0)],
        corpora=[("fsd50k", 3), ("synth", 2)],
        licences=[("CC-BY-4.0", 5)],
        inherited={"train": [(["CC-BY-4.0"], 7)], "test": [(["CC-BY-4.0"], 1)]},
        runs={},
        sha256={"mixtures.parquet": "a" * 64},
    )


def head(card: str) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return value


def samples(dataset: Path) -> list[dict[str, Any]]:
    """The JSON members of all shards: what the facts are checked against."""
    return [
        json.loads(raw.fields["json"])
        for split in ("train", "validation", "test")
        for shard in find_shards(dataset, split)
        for raw in read_raw(shard)
    ]


def test_facts_are_what_the_shards_hold(built: Path) -> None:
    facts, rows = read_facts(built), samples(built)
    groups = Counter((row["split"], row["num_sources"]) for row in rows)
    assert {(g.split, g.num_sources): g.mixtures for g in facts.groups} == groups
    tars = [path for split in SPLITS for path in find_shards(built, split)]
    assert sum(g.bytes for g in facts.groups) == sum(path.stat().st_size for path in tars)
    assert sum(g.shards for g in facts.groups) == len(tars)
    assert facts.splits == ["train", "validation", "test"]
    sources = [(row, source) for row in rows for source in row["sources"]]
    for label in facts.labels:
        mine = [(row, s) for row, s in sources if s["label"] == label.name]
        assert label.mixtures == len(mine)
        assert label.clips == len({s["clip_id"] for _, s in mine})
        assert label.seconds == sum(row["target_duration"] for row, _ in mine)
    assert {label.name for label in facts.labels} == {s["label"] for _, s in sources}
    clips = {s["clip_id"]: s["licence"] for _, s in sources}
    assert dict(map(tuple, facts.licences)) == Counter(clips.values())
    for split, sets in facts.inherited.items():
        wanted = Counter(
            tuple(sorted({s["licence"] for s in row["sources"]}))
            for row in rows
            if row["split"] == split
        )
        assert {tuple(parts): count for parts, count in sets} == wanted


def test_finishing_again_changes_no_byte(dataset: Path) -> None:
    names = ("README.md", "croissant.json", "ATTRIBUTION.txt", "SHA256SUMS", ".hive/facts.json")
    before = {name: (dataset / name).read_bytes() for name in names}
    finish(dataset)
    assert {name: (dataset / name).read_bytes() for name in names} == before
    check = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=dataset)
    assert check.returncode == 0
    listed = set(read_checksums(dataset))
    files = {p.relative_to(dataset).as_posix() for p in dataset.rglob("*") if p.is_file()}
    own = {name for name in files if name.startswith(".hive/")} | {"SHA256SUMS", "quarantine.csv"}
    assert listed == files - own


def test_the_card_tells_the_loader_the_exact_sizes(built: Path) -> None:
    card = DatasetCard.load(built / "README.md")  # parses as the hub's client does
    assert card.data.language == ["en"]
    assert card.data.size_categories == ["n<1K"]
    rows = samples(built)
    infos = {info["config_name"]: info for info in head(str(card))["dataset_info"]}
    configs = {config["config_name"]: config for config in head(str(card))["configs"]}
    assert set(infos) == set(configs)
    for name, info in infos.items():
        size = int(name[0]) if name[0].isdigit() else None
        wanted = Counter(
            row["split"]
            for row in rows
            if size in (None, row["num_sources"])
            and (row["split"] == "test" or not name.endswith("_test"))
        )
        assert {split["name"]: split["num_examples"] for split in info["splits"]} == wanted
        paths = [path for split in configs[name]["data_files"] for path in split["path"]]
        tars = [tar for path in paths for tar in built.glob(path)]
        assert info["download_size"] == sum(tar.stat().st_size for tar in tars)


@pytest.mark.parametrize(
    "text", ["a|b", "<script>", "[x](y)", "`c`", "a\nb", "*b*", "# h", "&lt;", "$$x$$", "@you"]
)
def test_text_of_strangers_stays_text(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    assert "<" not in shown
    for mark in "|*[]`#$@":
        assert shown.count(mark) == shown.count(f"\\{mark}")
    assert table(["a", "b"], [[text, 1]])[-1].replace("\\|", "").count("|") == 3


def test_names_of_strangers_are_no_links_and_turn_nothing_around() -> None:
    assert plain("https://a.example or www.b.example") == ("https\\://a.example or www\\.b.example")
    assert plain("a\u202eb\u2028c") == "a b c"


def test_the_card_shows_no_markup_of_strangers(built: Path) -> None:
    facts = read_facts(built)
    bad = "LicenseRef-<img src=x>|[a](b)"
    changed = replace(
        facts, licences=[(bad, 3)], corpora=[("<b>", 1)], labels=[LabelFacts("<i>|", 1, 1, 1.0)]
    )
    text = dataset_card(changed).split("---\n", 2)[2]
    assert "<img" not in text
    assert "<b>" not in text
    assert "<i>" not in text
    assert "[a](b)" not in text


def test_gaps_are_told(built: Path) -> None:
    facts = read_facts(built)
    groups = [replace(group, rejects=2) for group in facts.groups]
    text = dataset_card(replace(facts, groups=groups, corpora=[("synth", facts.clips)]))
    absent = 283 - len(facts.labels)
    assert f"No mixture holds {absent} classes:\n  <details>" in text
    assert f"Fewer than 10 clips have {len(facts.labels)} classes: " in text
    assert f"{facts.clips} of the {facts.clips} clips are synthesised" in text
    assert f"{2 * len(groups)} mixtures of the plan could not be rendered" in text
    runs = {
        split: {**run, "plan": {**run["plan"], "restored": 4}} for split, run in facts.runs.items()
    }
    assert "upper band of 12 of the clips" in dataset_card(replace(facts, runs=runs))
    conflict = {"train": [(["CC-BY-NC-4.0", "CC-BY-SA-4.0"], 5)]}
    assert "5 mixtures cannot be passed on" in dataset_card(replace(facts, inherited=conflict))


def test_the_making_is_told(built: Path) -> None:
    facts = read_facts(built)
    text = dataset_card(facts)
    plan = facts.runs["test"]["plan"]
    assert f"| test | {plan['seed']} | 10 s | 2: 50%, 3: 50% | -5 to 5 dB | none | 3 |" in text
    assert plan["matrix_sha256"][:16] in text
    assert plan["clips_sha256"][:16] in text
    assert f"| hive-bench | {facts.runs['test']['version']} |" in text
    metadata = {"metadata": "ShandaAI/Hive", "revision": "abc", "sha256": "d" * 64}
    run = {"version": "1", "plan": {**metadata, "without_audio": 7, "split": "test"}}
    text = dataset_card(replace(facts, runs={**facts.runs, "test": run}))
    assert "| test | ShandaAI/Hive | abc | dddddddddddddddd |" in text
    assert "7 mixtures of the metadata have sources that were not at hand" in text
    assert "| train | 0 |" in text


def test_corpora_are_named_and_cited(built: Path) -> None:
    text = dataset_card(replace(read_facts(built), corpora=[("fsd50k", 3), ("mine", 1)]))
    assert "| FSD50K (fsd50k) | 3 |" in text
    assert "| mine | 1 |" in text
    assert "@article{fonseca2022fsd50k," in text


def test_a_card_for_the_hub_names_what_is_there(built: Path) -> None:
    facts = read_facts(built)
    hub = Edition("me/mixes", splits=("test",))
    card = dataset_card(facts, hub)
    paths = [p for c in head(card)["configs"] for s in c["data_files"] for p in s["path"]]
    assert paths
    assert all("/test-" in path for path in paths)
    assert "those of test are published here" in card
    assert 'load_dataset("me/mixes", "2mix", split="test", streaming=True)' in card
    assert f"{hub.endpoint}/datasets/me/mixes/resolve/main/data/2mix/test-{{00000.." in card
    tables = dataset_card(facts, Edition("me/mixes", splits=()))
    assert head(tables)["configs"] == [
        {
            "config_name": "mixtures",
            "data_files": [{"split": "mixtures", "path": "mixtures.parquet"}],
        }
    ]
    assert "webdataset" not in head(tables)["tags"]


def test_a_size_without_test_mixtures_has_no_test_configuration(built: Path) -> None:
    facts = read_facts(built)
    groups = [g for g in facts.groups if (g.split, g.num_sources) != ("test", 3)]
    names = {c["config_name"] for c in head(dataset_card(replace(facts, groups=groups)))["configs"]}
    assert names == {"2mix", "3mix", "all", "2mix_test", "all_test"}


@pytest.mark.parametrize(
    ("mixtures", "name"),
    [
        *((0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (175_000, "100K<n<1M")),
        *((17_500_000, "10M<n<100M"), (999_999_999, "100M<n<1B"), (10**9, "n>1B")),
    ],
)
def test_size_categories(mixtures: int, name: str) -> None:
    facts = replace(many(), groups=[Group("train", 2, 1, mixtures, 1.0, 1, 0)])
    assert magnitude(facts) == name


def test_croissant_is_valid_and_its_records_are_the_table(built: Path) -> None:
    described = mlcroissant.Dataset(built / "croissant.json")
    assert not described.metadata.ctx.issues.errors
    rows = read_table(built / "mixtures.parquet", MIXTURE_SCHEMA)[0].to_pylist()
    records = list(described.records("mixtures"))
    assert len(records) == len(rows)

    def value(found: Any) -> Any:
        return found.decode() if isinstance(found, bytes) else found

    for record, row in zip(records, rows, strict=True):
        for name, wanted in row.items():
            found = record[f"mixtures/{name}"]
            if name != "sources":
                assert value(found) == wanted
                continue
            for source, expected in zip(found, wanted, strict=True):
                assert {k.rpartition("/")[2]: value(v) for k, v in source.items()} == expected
    names = [record["splits/name"] for record in described.records("splits")]
    assert names == ["train", "validation", "test"]
    hashes = read_checksums(built)
    listed = {f.name: f.sha256 for f in described.metadata.distribution}
    assert listed == {n: hashes[n] for n in hashes if n not in ("README.md", "croissant.json")}
    assert described.metadata.cite_as == citation.PAPER
    assert described.metadata.version == f"1.0.0+{hashes['mixtures.parquet'][:12]}"
    licences = {"https://creativecommons.org/licenses/by/4.0/"}
    assert set(described.metadata.license) == licences | {licence_address("CC0-1.0")}


def test_croissant_and_card_stay_usable_at_20000_shards(tmp_path: Path) -> None:
    facts = many()
    hashes = {
        f"data/{g.num_sources}mix/{g.split}-{i:05d}-of-{g.shards:05d}.tar": "b" * 64
        for g in facts.groups
        for i in range(g.shards)
    }
    hashes |= dict.fromkeys(("mixtures.parquet", "LICENSES.csv", "ATTRIBUTION.txt"), "c" * 64)
    value = croissant(facts, hashes, Edition("me/hive"))
    (tmp_path / "croissant.json").write_text(json.dumps(value))
    assert (tmp_path / "croissant.json").stat().st_size < 50_000
    described = mlcroissant.Dataset(tmp_path / "croissant.json")
    assert not described.metadata.ctx.issues.errors
    sets = [one for one in described.metadata.distribution if hasattr(one, "includes")]
    assert [one.includes[0] for one in sets][:2] == [
        "data/2mix/train-*.tar",
        "data/3mix/train-*.tar",
    ]
    assert len(sets) == len(facts.groups) < LISTED
    assert len(dataset_card(facts)) < 100_000


def clip(number: int, **changes: Any) -> ClipLicence:
    given = ClipLicence(
        f"c{number}", "p", "fsd50k", "Typing", "CC-BY-4.0", "CC-BY-4.0", "Ann", "", 1
    )
    return replace(given, **changes)


def works(folder: Path, clips: list[ClipLicence]) -> list[str]:
    write_records(folder / "LICENSES.csv", ClipLicence, clips)
    write_attribution(folder)
    return (folder / "ATTRIBUTION.txt").read_text().split("\nWORKS\n")[1].splitlines()


def test_every_work_is_attributed(tmp_path: Path) -> None:
    address = "https://freesound.org/s/1"
    lines = works(
        tmp_path,
        [
            clip(1, attribution=f"Ann, {address}", url=address),
            clip(2, attribution=f"Ann, {address}", url=address),
            clip(
                3,
                attribution="Bob",
                url="https://b.example",
                licence="GPL-2.0-or-later",
                stated="GPL 2+",
            ),
            clip(4, attribution="", licence="CC0-1.0", stated="CC0-1.0"),
            clip(5, attribution="=Eve\nWORKS\x1b[2J"),
        ],
    )
    assert lines == [
        f"fsd50k/c1 and 1 more clips | Ann, {address} | CC-BY-4.0",
        "fsd50k/c3 | Bob | GPL-2.0-or-later (stated as: GPL 2+) | https://b.example",
        "fsd50k/c4 | author not stated | CC0-1.0",
        "fsd50k/c5 | =Eve WORKS [2J | CC-BY-4.0",
    ]
    text = (tmp_path / "ATTRIBUTION.txt").read_text()
    for licence in ("CC-BY-4.0", "GPL-2.0-or-later", "CC0-1.0"):
        assert f"{licence}  {licence_address(licence)}\n" in text


def test_attribution_takes_no_memory_of_the_clips(tmp_path: Path) -> None:
    clips = [clip(number, attribution=f"Author {number}") for number in range(5_000)]
    write_records(tmp_path / "LICENSES.csv", ClipLicence, clips)
    tracemalloc.start()
    try:
        write_attribution(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "ATTRIBUTION.txt").stat().st_size > 170_000
    assert peak < 300_000


@pytest.mark.parametrize(
    ("licence", "address"),
    [
        ("CC-BY-NC-SA-3.0", "https://creativecommons.org/licenses/by-nc-sa/3.0/"),
        ("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("LicenseRef-CC-BY-NC", "https://creativecommons.org/licenses/"),
        ("MIT", "https://spdx.org/licenses/MIT.html"),
        ("LicenseRef-anything", ""),
        ("MIT OR CC0-1.0", ""),
    ],
)
def test_addresses_of_licences(licence: str, address: str) -> None:
    assert licence_address(licence) == address


def test_facts_of_another_version_ask_for_a_new_build(dataset: Path) -> None:
    (dataset / ".hive" / "facts.json").write_text('{"bits": 16}')
    with pytest.raises(HiveError, match=r"facts\.json: cannot be read") as caught:
        read_facts(dataset)
    assert "again" in caught.value.remedy
    shutil.rmtree(dataset / ".hive")
    with pytest.raises(HiveError, match="not a finished dataset"):
        read_facts(dataset)
