from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image
from typer.testing import CliRunner

from hive.build import build
from hive.cli import app
from hive.errors import HiveError
from hive.figures.page import Section, Table, write_page
from hive.figures.plots import Plot, bars, ends, rank_frequency, rendered
from hive.licences import Filter, normalise
from hive.pool.importer import import_folder
from hive.pool.layout import Short
from hive.pool.overview import write_pool_page
from hive.pool.store import read_pool
from hive.shards.licences import dataset_licences
from hive.shards.stats import count_mixtures, write_dataset_page

LICENCES = ("CC BY 4.0", "http://creativecommons.org/licenses/by-nc/3.0/", "CC-BY-SA-3.0")


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import numpy as np

    root = tmp_path_factory.mktemp("recordings")
    names = ("Typing", "Air conditioning", "Male speech, man speaking", "Printer", "Cough")
    lines = ["path,label,licence,author"]
    for number, label in enumerate(names):
        for take in range(2 + number):
            rng = np.random.default_rng(10 * number + take)
            samples = 0.05 * rng.standard_normal(44100 * 3)
            soundfile.write(root / f"{number}_{take}.wav", samples, 44100)
            author = '"<b>Ann</b>; https://example.org/s/1"'
            lines.append(f'{number}_{take}.wav,"{label}",{LICENCES[take % 3]},{author}')
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    import_folder(root, root / "pool", "<corpus>".strip("<>"), short=Short.PAD, seed=0, workers=1)
    return root / "pool"


@pytest.fixture(scope="module")
def dataset(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "dataset"
    shares = {"train": 0.5, "test": 0.5}
    build(pool, folder, {"train": 10, "test": 6}, seed=0, shares=shares)
    return folder


def check_page(folder: Path) -> str:
    """Check that a page holds its plots and nothing from outside, and that files are there."""
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page
    assert "default-src 'none'" in page
    plots = sorted((folder / "plots").glob("*.png"))
    assert page.count("data:image/svg+xml") == len(plots)
    for plot in plots:
        with Image.open(plot) as image:
            assert image.convert("L").getextrema() != (255, 255)
        assert plot.with_suffix(".svg").read_text().startswith("<?xml")
    return page


def test_the_page_of_a_pool_counts_what_is_there(pool: Path, tmp_path: Path) -> None:
    written = write_pool_page(pool, tmp_path)
    page = check_page(tmp_path)
    assert written[-1] == tmp_path / "index.html"
    clips = read_pool(pool)[0]
    classes = read_csv(tmp_path / "tables" / "classes.csv")
    expected = Counter(clips["label"].to_pylist()).most_common()
    assert [(row["class"], int(row["clips"])) for row in classes] == expected
    assert [int(row["rank"]) for row in classes] == [1, 2, 3, 4, 5]
    licences = {row["licence"]: row for row in read_csv(tmp_path / "tables" / "licences.csv")}
    assert {name: int(row["clips"]) for name, row in licences.items()} == Counter(
        normalise(name) for name in clips["licence"].to_pylist()
    )
    assert licences["CC-BY-NC-3.0"]["asks for"] == "attribution, no commercial use"
    (corpus,) = read_csv(tmp_path / "tables" / "corpora.csv")
    assert float(corpus["hours"]) == pytest.approx(20 / 360)
    lengths = read_csv(tmp_path / "tables" / "lengths.csv")
    held = [row for row in lengths if int(row["clips"])]
    assert [(float(row["from (seconds)"]), int(row["clips"])) for row in held] == [(3.0, 20)]
    bandwidths = read_csv(tmp_path / "tables" / "bandwidths.csv")
    assert sum(int(row["clips"]) for row in bandwidths[-3:]) == 20  # white noise: up to the top
    assert "Cough" in page


def test_the_page_of_a_dataset_counts_what_is_there(dataset: Path, tmp_path: Path) -> None:
    write_dataset_page(dataset, tmp_path)
    page = check_page(tmp_path)
    rows = pq.read_table(dataset / "mixtures.parquet").to_pylist()
    sizes = read_csv(tmp_path / "tables" / "sizes.csv")
    expected = Counter((row["split"], row["num_sources"]) for row in rows)
    assert {(r["split"], int(r["sources"])): int(r["mixtures"]) for r in sizes} == expected
    labels = Counter(source["label"] for row in rows for source in row["sources"])
    found = read_csv(tmp_path / "tables" / "labels.csv")
    assert {row["class"]: int(row["mixtures"]) for row in found} == labels
    levels = [source["snr_db"] for row in rows for source in row["sources"][1:]]
    bins = read_csv(tmp_path / "tables" / "levels.csv")
    assert sum(int(row["sources"]) for row in bins) == len(levels)
    assert sum(int(row["sources"]) for row in bins[:20]) == sum(level < 0 for level in levels)
    assert count_mixtures(dataset).mixtures == 16
    assert "cannot be passed on" in page


def test_licences_of_a_dataset_are_listed_with_their_mixtures(dataset: Path) -> None:
    rows = pq.read_table(dataset / "mixtures.parquet").to_pylist()
    listed = read_csv(dataset / "LICENSES.csv")
    assert {row["clip_id"]: int(row["mixtures"]) for row in listed} == Counter(
        source["clip_id"] for row in rows for source in row["sources"]
    )
    assert {(row["stated"], row["licence"]) for row in listed} == {
        (text, normalise(text)) for text in LICENCES
    }
    assert {row["url"] for row in listed} == {"https://example.org/s/1"}
    assert {row["corpus"] for row in listed} == {"corpus"}
    conflicting = sum(
        {"CC-BY-NC-3.0", "CC-BY-SA-3.0"} <= {normalise(s["licence"]) for s in row["sources"]}
        for row in rows
    )
    assert conflicting > 0
    assert dataset_licences(dataset).in_conflict() == conflicting
    card = (dataset / "README.md").read_text()
    assert f"{conflicting} mixtures cannot be passed on under all licences" in card
    assert "CC-BY-NC-3.0: the first asks for a licence that allows commercial use, the second " in (
        card
    )


def test_rules_of_licences_make_a_dataset_without_conflicts(pool: Path, tmp_path: Path) -> None:
    rules = Filter.parse(["no-nc"])
    shares = {"train": 0.5, "test": 0.5}
    counts = {"train": 8, "test": 0}
    built = build(pool, tmp_path, counts, seed=0, shares=shares, licences=rules)
    assert set(built.chosen["train"].refused) == {"CC-BY-NC-3.0: it forbids commercial use (no-nc)"}
    assert dataset_licences(tmp_path).conflicts() == []
    plan = pq.read_schema(tmp_path / ".hive" / "plan" / "train.parquet").metadata[b"hive"]
    assert json.loads(plan)["licences"] == ["no-nc"]
    assert "No licence of a part contradicts" in (tmp_path / "README.md").read_text()
    with pytest.raises(HiveError):  # other rules, the same folder
        build(pool, tmp_path, counts, seed=0, shares=shares)
    other, none = tmp_path / "other", Filter.parse(["MIT"])
    with pytest.raises(HiveError, match="refuse all of its"):
        build(pool, other, counts, seed=0, shares=shares, licences=none)


def test_without_rules_a_plan_says_nothing_of_them(dataset: Path) -> None:
    plan = pq.read_schema(dataset / ".hive" / "plan" / "train.parquet").metadata[b"hive"]
    assert "licences" not in json.loads(plan)


def test_the_commands_write_pages(pool: Path, dataset: Path, tmp_path: Path) -> None:
    runner = CliRunner(env={"COLUMNS": "200"})
    for command, folder in (
        (["pool", "stats", str(pool)], "p"),
        (["mix", "stats", str(dataset)], "d"),
    ):
        told = runner.invoke(app, [*command, "--json"])
        assert told.exit_code == 0, told.output
        assert json.loads(told.stdout)["hours"] > 0
        done = runner.invoke(app, [*command, "--out", str(tmp_path / folder)])
        assert done.exit_code == 0, done.output
        assert (tmp_path / folder / "index.html").is_file()
    empty = runner.invoke(app, ["mix", "stats", str(tmp_path)])
    assert isinstance(empty.exception, HiveError)


def test_text_from_tables_is_escaped(tmp_path: Path) -> None:
    evil = '<img src=x onerror="alert(1)">'
    rows = [(1, evil, 5), (2, "b", 1)]
    tables = [
        Table("plain", evil, (evil, "n"), [(evil, 1)]),
        Table("ranked", "r", ("rank", "class", "n"), rows, ranked=2),
    ]
    write_page(tmp_path, evil, [(evil, evil)], [Section(evil, [], tables, evil)])
    page = (tmp_path / "index.html").read_text()
    assert "<img" not in page
    assert page.count("&lt;img") >= 6


@pytest.mark.parametrize(("tail", "insets"), [([1] * 20, 0), ([3] * 10 + [1] * 10, 1)])
def test_the_tail_is_shown_where_it_says_something(tail: list[int], insets: int) -> None:
    (axes,) = rank_frequency([50 - number for number in range(40)] + tail, "clips").axes
    assert len(axes.child_axes) == insets


def test_the_legend_of_bars_covers_no_value() -> None:
    figure = bars(["a"], {"x": [100.0], "y": [100.0]}, "percent")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1


@pytest.mark.parametrize(
    "draw",
    [
        lambda: bars(["a"], {"x": [0.0]}, "percent"),
        lambda: ends([("a", 1)], "clips"),
        lambda: rank_frequency([1], "clips"),
        lambda: rank_frequency([1000 - number for number in range(283)], "clips"),
    ],
)
def test_plots_of_little_and_of_much_are_drawn(draw: Callable[[], object]) -> None:
    files = rendered(Plot("x", "x", "x", draw))
    assert files["png"].startswith(b"\x89PNG")
    assert files == rendered(Plot("x", "x", "x", draw))
