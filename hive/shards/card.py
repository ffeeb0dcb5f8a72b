"""The head of a dataset card: what stock `load_dataset` and the hub need to know of the shards."""

from __future__ import annotations

from typing import Any

from hive.shards.card_text import card_text
from hive.shards.edition import Edition
from hive.shards.facts import DatasetFacts
from hive.shards.features import card_features
from hive.shards.layout import LICENCES, MIXTURES

ALL = "all"
TABLE = "mixtures"
TEST_ONLY = "_test"
#: Licences that the hub has a name for; a dataset whose clips are all under one of them says so.
_HUB_NAMES = {
    name: name.lower()
    for name in (
        *("CC0-1.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0"),
        *("CC-BY-SA-4.0", "CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-2.0"),
        *("CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0"),
    )
}
_MAGNITUDES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")


def configurations(sizes: list[int], splits: list[str]) -> dict[str, tuple[list[int], list[str]]]:
    """Return the configurations of a dataset: sizes and splits by name.

    `2mix` ... `5mix` and `all`, and the same with `_test`, by which a test split can be fetched
    without the training data.
    """
    chosen = {f"{size}mix": ([size], splits) for size in sizes}
    chosen[ALL] = (sizes, splits)
    if "test" in splits:
        chosen.update({f"{name}{TEST_ONLY}": (chosen[name][0], ["test"]) for name in list(chosen)})
    return chosen


def dataset_card(facts: DatasetFacts, edition: Edition | None = None) -> str:
    """Return the README.md of a dataset.

    Args:
        facts: What it is.
        edition: In which form it is described; as the folder that it is by default. The
            configurations name only what is there: those of the splits with shards, or one called
            `mixtures` over the table where there are none.
    """
    edition = edition or Edition()
    name = "Hive tracks" if facts.tracks else "Hive mixtures"
    lines = ["---", f"pretty_name: {name}", "language:", "- en", *_licence_field(facts)]
    lines += ["task_categories:", "- audio-to-audio", "size_categories:", f"- {magnitude(facts)}"]
    lines += ["tags:", "- audio", "- sound-separation", "- universal-sound-separation"]
    splits = edition.shown(facts)
    lines += [*(["- webdataset"] if splits else []), "- croissant"]
    lines += _described(facts, splits) if splits else _table_alone(facts)
    return "\n".join([*lines, "---", "", *card_text(facts, edition), ""])


def magnitude(facts: DatasetFacts) -> str:
    """Return the hub's name of the number of mixtures, such as `1K<n<10K`."""
    for number, bound in enumerate(_MAGNITUDES):
        if facts.mixtures < 10 ** (3 + number):
            return f"{_MAGNITUDES[number - 1]}<n<{bound}" if number else f"n<{bound}"
    return f"n>{_MAGNITUDES[-1]}"


def yaml_list(items: list[dict[str, Any]], indent: int) -> list[str]:
    """Return features as the lines of a YAML list."""
    lines = []
    space = " " * indent
    for item in items:
        lines.append(f"{space}- name: {item['name']}")
        if "dtype" in item:
            lines.append(f"{space}  dtype: {item['dtype']}")
        kind = next((kind for kind in ("struct", "list") if kind in item), None)
        if kind:
            lines += [f"{space}  {kind}:", *yaml_list(item[kind], indent + 2)]
    return lines


def _licence_field(facts: DatasetFacts) -> list[str]:
    names = [name for name, _ in facts.licences]
    if len(names) == 1 and names[0] in _HUB_NAMES:
        return [f"license: {_HUB_NAMES[names[0]]}"]
    return ["license: other", "license_name: per-clip", f"license_link: {LICENCES}"]


def _described(facts: DatasetFacts, splits: list[str]) -> list[str]:
    """Return `configs` and `dataset_info`, with the size of each split as the sidecars have it."""
    files, info = ["configs:"], ["dataset_info:"]
    groups = facts.of(splits)
    sizes = sorted({group.num_sources for group in groups})
    for name, (some, chosen) in configurations(sizes, splits).items():
        held = [one for one in groups if one.num_sources in some and one.split in chosen]
        if not held:  # no mixtures of this size in the test split
            continue
        files += [f"- config_name: {name}", *(["  default: true"] * (name == ALL)), "  data_files:"]
        info += [f"- config_name: {name}", "  features:"]
        features = card_features(facts.audio_format, max(some), tracks=facts.tracks)
        info += [*yaml_list(features, 2), "  splits:"]
        for split in sorted({one.split for one in held}, key=splits.index):
            mine = [one for one in held if one.split == split]
            files += [f"  - split: {split}", "    path:"]
            files += [f"    - data/{one.num_sources}mix/{split}-*.tar" for one in mine]
            # What the prepared cache will weigh (num_bytes) only its writer knows.
            info += [f"  - name: {split}", f"    num_examples: {sum(g.mixtures for g in mine)}"]
        info.append(f"  download_size: {sum(one.bytes for one in held)}")
    return files + info


def _table_alone(facts: DatasetFacts) -> list[str]:
    # One file holds all splits, so the hub's notion of a split does not apply to it.
    return [
        *("configs:", f"- config_name: {TABLE}", "  data_files:", f"  - split: {TABLE}"),
        *(f"    path: {MIXTURES}", "dataset_info:", f"- config_name: {TABLE}", "  splits:"),
        *(f"  - name: {TABLE}", f"    num_examples: {facts.mixtures}"),
    ]
