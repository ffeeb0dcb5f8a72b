"""The page as a whole, and the values in it, on made-up runs."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import io
import math
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.report import examples, plots, spectrogram, tables, text
from benchmarks.report.page import evaluate_command, render, write_report
from benchmarks.report.runs import Run, all_metrics, differences, headline, load_runs
from benchmarks.results import read_results, write_results
from hive.errors import HiveError

make_run = runpy.run_path(str(Path(__file__).parents[1] / "made_run.py"))["make_run"]
VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(html.parser.HTMLParser):
    """Elements with their attributes, text, and whether every element is closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("run") / "run", examples=6)


@pytest.fixture(scope="module")
def run(folder) -> Run:
    return load_runs([folder])[0]


@pytest.fixture(scope="module")
def source(run) -> str:
    return render([run], "A page")


@pytest.fixture(scope="module")
def page(source) -> Page:
    return Page(source)


def altered(folder: Path, target: Path, **changes) -> Path:
    """Copy a run with other fields in its results, `section__field` for nested ones."""
    import pyarrow.parquet as pq

    value = read_results(folder).model_dump()
    for name, new in changes.items():
        section, _, field = name.partition("__")
        if field:
            value[section][field] = new
        else:
            value[section] = new
    results = type(read_results(folder)).model_validate(value)
    target.mkdir()
    write_results(target, results, pq.read_table(folder / "scores.parquet"))
    return target


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1.234, "dB", "1.23"),
        (-1.236, "dB", "−1.24"),
        (-0.001, "dB", "0.00"),
        (0.9876, "", "0.988"),
        (math.inf, "dB", "∞"),
        (-math.inf, "dB", "−∞"),
        (math.nan, "dB", "–"),
    ],
)
def test_numbers(value, unit, expected):
    assert text.number(value, unit) == expected


def test_values_left_out_of_a_mean_are_named():
    assert text.left_out(0, 0, 0) == ""
    assert text.left_out(1, 2000, 3) == "1 at +∞, 2,000 at −∞, 3 undefined"


def test_groups_are_ordered_as_numbers():
    assert sorted(["overall", "10", "2"], key=text.group_order) == ["2", "10", "overall"]


# --- the page -------------------------------------------------------------------------------------


def test_nothing_is_fetched_from_outside(page):
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#"))
        assert "url(http" not in (attributes.get("style") or "")
    assert page.all("link") == []
    policy = next(
        meta["content"]
        for meta in page.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:;")


def test_the_policy_allows_the_one_script_by_its_hash(source):
    script = re.search(r"<script>(.*)</script>", source, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in source
    assert source.count("'unsafe-inline'") == 1
    assert "style-src 'unsafe-inline'" in source


def test_names_from_files_are_escaped(tmp_path):
    evil = "<script>alert(1)</script>"
    run = make_run(tmp_path / "run", name=evil, labels=[evil, '"><img src=x onerror=alert(1)>'])
    run = altered(
        run,
        tmp_path / "altered",
        failures=[{"mix_id": evil, "source_id": evil, "error": evil}],
        checks=[{"name": evil, "passed": False, "detail": evil}],
        unavailable=[{"metric": evil, "reason": evil, "remedy": evil}],
        model__details={evil: evil},
        dataset__name=evil,
    )
    page = Page(render(load_runs([run]), evil))
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert page.text.count(evil) > 10


def test_tables_and_pictures_are_accessible(page):
    assert page.elements[0] == ("html", {"lang": "en"})
    assert all(cell.get("scope") in ("col", "row", "rowgroup") for cell in page.all("th"))
    assert all(image.get("alt") for image in page.all("img"))
    assert all(player.get("aria-label") for player in page.all("audio"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= set(ids)


def test_colours_of_plots_come_from_the_page(source):
    assert "#0102" not in source
    assert "#0103" not in source
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", source))
    assert {"--ink", "--muted", "--rule", "--paper", "--series-1"} <= used
    assert used <= set(re.findall(r"(--[a-z0-9-]+):", source))


def test_the_table_holds_the_aggregates(run, page):
    overall = run.aggregates["si_sdr_i", "overall"]
    assert text.number(overall.mean, "dB") in page.text
    assert text.interval(overall.ci_low, overall.ci_high, "dB") in page.text
    assert "Left out of the mean: 1 at −∞." in page.text
    anchor = next(one for one in run.results.anchors if one.group == "overall")
    assert text.number(anchor.mean, "dB") in page.text
    assert run.results.dataset.fingerprint in page.text
    assert "no checkpoint" in page.text


def test_pages_are_reproducible(run, source):
    assert render([run], "A page") == source


def test_a_run_without_any_score_still_has_a_page(folder, tmp_path):
    results = read_results(folder)
    empty = type(results).model_validate(
        results.model_dump() | {"aggregates": [], "anchors": [], "examples": []}
    )
    import pyarrow.parquet as pq

    (tmp_path / "empty").mkdir()
    write_results(tmp_path / "empty", empty, pq.read_table(folder / "scores.parquet").slice(0, 0))
    page = Page(render(load_runs([tmp_path / "empty"]), "t"))
    assert "no interval" in page.text
    assert page.all("audio") == []


def test_marks_of_runs_that_need_a_warning(folder, tmp_path):
    run = altered(
        folder,
        tmp_path / "run",
        dataset__limit=5,
        model__generative=True,
        model__uses_reference=True,
        model__details={"facts": {"windows": {"hop": 4.5}, "negatives": "native"}},
        counts__failed=3,
    )
    words = Page(render(load_runs([run]), "t")).text
    assert "facts.windows.hop" in words
    for word in ("Oracle", "Generative", "Partial", "3 of 420 items failed"):
        assert word in words


# --- several runs ---------------------------------------------------------------------------------


def marks(runs: list[Run], group: str = "Overall") -> list[str]:
    index = [metric.name for metric in all_metrics(runs)].index("si_sdr_i")
    blocks = tables.score_blocks(runs, all_metrics(runs), comparable=not differences(runs))
    return [row.cells[index].mark for block in blocks for row in block.rows if row.group == group]


def test_a_clear_winner_is_marked(tmp_path, folder):
    better = make_run(tmp_path / "better", name="better", shift=5)
    assert marks(load_runs([folder, better])) == ["", "best"]


def test_overlapping_intervals_are_a_tie_and_the_rest_is_not(tmp_path, folder):
    close = make_run(tmp_path / "close", name="close", shift=0.05)
    worse = make_run(tmp_path / "worse", name="worse", shift=-8)
    assert marks(load_runs([folder, close, worse])) == ["tie", "tie", ""]


def test_oracles_take_no_part(tmp_path, folder):
    oracle = make_run(tmp_path / "oracle", name="oracle", shift=20, uses_reference=True)
    worse = make_run(tmp_path / "worse", name="worse", shift=-8)
    assert marks(load_runs([folder, oracle, worse])) == ["best", "", ""]
    assert marks(load_runs([folder, oracle])) == ["", ""]


def test_lower_is_better_where_it_is(tmp_path, folder):
    runs = []
    for name, shift in (("a", 0), ("b", -6)):
        run = make_run(tmp_path / name, name=name, shift=shift)
        value = read_results(run).model_dump()["metrics"]
        for metric in value:
            metric["higher_is_better"] = False
        runs.append(altered(run, tmp_path / f"{name}-down", metrics=value))
    assert marks(load_runs(runs)) == ["", "best"]


def test_runs_on_different_data_are_not_ranked(tmp_path, folder):
    other = make_run(tmp_path / "a", name="a", shift=5)
    other = altered(other, tmp_path / "b", dataset__fingerprint="cd" * 32)
    runs = load_runs([folder, other])
    assert differences(runs) == ["dataset fingerprints"]
    assert marks(runs) == ["", ""]
    assert "These runs cannot be compared" in Page(render(runs, "t")).text


def test_runs_of_one_model_are_told_apart(folder):
    names = [run.name for run in load_runs([folder, folder])]
    assert names == ["made-up (1: run)", "made-up (2: run)"]


def test_the_headline_is_si_sdr_improvement(run):
    assert headline(run.results.metrics).name == "si_sdr_i"
    assert headline([]) is None


# --- labels ---------------------------------------------------------------------------------------


def test_weakest_and_strongest_labels(run):
    table = tables.label_table(run, headline(run.results.metrics))
    means = run.scores[np.isfinite(run.scores["si_sdr_i"])].groupby("label")["si_sdr_i"].mean()
    order = means.sort_values().index.tolist()
    assert [row.label for row in table.worst] == order[:15]
    assert [row.label for row in table.best] == order[-15:][::-1]
    assert table.worst[0].mean == text.number(means.iloc[means.argmin()], "dB")
    assert table.num_labels == 40
    for row in (*table.worst, *table.best):
        assert 0 <= row.low <= row.at <= row.high <= 100


def test_labels_with_few_items_are_left_out_while_others_have_enough(run):
    scores = run.scores.copy()
    scores.loc[0, ["label", "si_sdr_i"]] = ["rare", -99.0]
    metric = headline(run.results.metrics)
    rare = Run(run.folder, run.name, run.results, scores, run.aggregates)
    shown = tables.label_table(rare, metric)
    assert "rare" not in [row.label for row in shown.worst]
    few = Run(run.folder, run.name, run.results, scores.iloc[:2], run.aggregates)
    shown = tables.label_table(few, metric)
    assert "rare" in [row.label for row in shown.worst]
    assert (shown.min_items, shown.best) == (1, [])


# --- plots ----------------------------------------------------------------------------------------


def test_curves_show_each_run_and_size(run):
    drawing = plots.curves([run, run], run.results.metrics[0], "x")
    assert drawing.startswith("<svg ")
    assert "var(--series-1)" in drawing
    assert "var(--series-2)" in drawing
    assert re.search(r">2</text>", drawing)
    assert re.search(r">5</text>", drawing)
    assert 'id="x-' in drawing
    assert "DejaVu" not in drawing


def test_the_spread_needs_a_finite_value(run):
    metric = headline(run.results.metrics)
    assert plots.distribution([run], metric, "y").startswith("<svg ")
    scores = run.scores.assign(si_sdr_i=-np.inf)
    silent = Run(run.folder, run.name, run.results, scores, run.aggregates)
    assert plots.distribution([silent], metric, "y") is None


# --- spectrograms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", [200.0, 1000.0, 8000.0])
def test_a_tone_lies_at_its_frequency(frequency):
    rate = 44100
    tone = np.sin(2 * np.pi * frequency * np.arange(rate) / rate)
    rows = spectrogram.power(tone, rate).mean(axis=1)
    edges = spectrogram.hertz(
        np.linspace(0, float(spectrogram.mel(spectrogram.top_frequency(rate))), 201)
    )
    low, high = edges[rows.argmax() : rows.argmax() + 2]
    bin_width = rate / spectrogram.FFT_LENGTH
    assert low - bin_width / 2 <= frequency <= high + bin_width / 2


def test_white_noise_is_flat_over_the_rows():
    noise = np.random.default_rng(0).normal(size=10 * 44100)
    rows = 10 * np.log10(spectrogram.power(noise, 44100).mean(axis=1))
    assert np.ptp(rows[5:]) < 1.5


def test_mel_and_hertz_are_inverse():
    hz = np.array([0.0, 100.0, 1000.0, 20000.0])
    np.testing.assert_allclose(spectrogram.hertz(spectrogram.mel(hz)), hz, atol=1e-9)
    assert float(spectrogram.mel(1000.0)) == pytest.approx(1000.0, abs=0.1)


def test_one_colour_scale_for_all_pictures():
    """80 dB below the loudest is black; the loudest is the last colour; low notes are below."""
    power = np.array([[1.0, 1e-4], [1e-8, 0.0]])
    image = Image.open(io.BytesIO(spectrogram.png(power, 1.0)))
    assert image.size == (2, 2)
    assert np.asarray(image).tolist() == [[0, 0], [255, 127]]


def test_silence_is_drawn_black():
    power = spectrogram.power(np.zeros(1000), 44100)
    assert not np.asarray(Image.open(io.BytesIO(spectrogram.png(power, 0.0)))).any()


# --- examples -------------------------------------------------------------------------------------


def test_four_examples_from_the_weakest_to_the_strongest(folder, run, page):
    shown = examples.collect([run])
    stored = sorted(run.results.examples, key=lambda example: example.si_sdr_i)
    assert [one.mix_id for one in shown] == [stored[i].mix_id for i in (0, 2, 3, 5)]
    assert [clip.title for clip in shown[0].clips] == [
        "Mixture",
        "Reference",
        "Estimate: made-up",
    ]
    assert len(page.all("audio")) == 12
    data = base64.b64decode(page.all("audio")[0]["src"].partition(",")[2])
    assert data == (folder / stored[0].mixture).read_bytes()
    assert soundfile.info(io.BytesIO(data)).format == "FLAC"


def test_examples_shared_by_all_runs_come_first(tmp_path, folder):
    other = make_run(tmp_path / "other", name="other", examples=2)
    shown = examples.collect(load_runs([folder, other]))
    assert len(shown) == 2
    assert [clip.title for clip in shown[0].clips[2:]] == ["Estimate: made-up", "Estimate: other"]


def test_players_stop_at_the_size_limit(run, monkeypatch):
    monkeypatch.setattr(examples, "AUDIO_BUDGET", 100_000)
    clips = [clip for one in examples.collect([run]) for clip in one.clips]
    assert 0 < sum(bool(clip.audio) for clip in clips) < len(clips)
    assert all(clip.image for clip in clips)
    assert all("size limit" in clip.problem for clip in clips if not clip.audio)


def test_unusable_files_are_named_on_the_page(tmp_path):
    folder = make_run(tmp_path / "run", examples=4)
    results = read_results(folder)
    (folder / results.examples[0].estimate).unlink()
    (folder / results.examples[1].estimate).write_text("not sound")
    soundfile.write(folder / results.examples[2].estimate, np.zeros(9), 8000, format="WAV")
    soundfile.write(folder / results.examples[3].estimate, np.zeros(61 * 8000), 8000)
    words = Page(render(load_runs([folder]), "t")).text
    for word in ("no such file", "cannot be read", "is WAV, not FLAC", "longer than 60 s"):
        assert word in words


@pytest.mark.parametrize("name", ["examples/..", "examples/link.flac"])
def test_files_outside_the_run_are_refused(tmp_path, name):
    folder = make_run(tmp_path / "run", examples=1)
    (tmp_path / "secret.flac").write_bytes(b"secret")
    (folder / "examples/link.flac").symlink_to(tmp_path / "secret.flac")
    stored = read_results(folder).model_dump()["examples"]
    run = altered(folder, tmp_path / "bad", examples=[stored[0] | {"estimate": name}])
    (run / "examples").symlink_to(folder / "examples")
    with pytest.raises(HiveError, match="not a file in"):
        render(load_runs([run]), "t")


def test_an_absent_target_has_no_reference(tmp_path):
    folder = make_run(tmp_path / "run", examples=1)
    stored = read_results(folder).model_dump()["examples"]
    stored[0] |= {"reference": None, "si_sdr": None, "si_sdr_i": None}
    run = altered(folder, tmp_path / "absent", examples=stored)
    (run / "examples").mkdir()
    for kind in ("mixture", "estimate"):
        name = stored[0][kind]
        (run / name).write_bytes((folder / name).read_bytes())
    (shown,) = examples.collect(load_runs([run]))
    assert [clip.title for clip in shown.clips] == ["Mixture", "Estimate: made-up"]


# --- loading and command --------------------------------------------------------------------------


def test_a_listed_metric_must_be_a_column(folder, tmp_path):
    import pyarrow.parquet as pq

    (tmp_path / "run").mkdir()
    table = pq.read_table(folder / "scores.parquet").drop_columns(["stoi"])
    write_results(tmp_path / "run", read_results(folder), table)
    with pytest.raises(HiveError, match="'stoi' is missing"):
        load_runs([tmp_path / "run"])


def test_the_command_repeats_the_run(run, folder, tmp_path):
    assert evaluate_command(run) == (
        "hive-bench evaluate --model made-up --benchmark fixture --task hive --split test "
        "--metrics sdr_bss,sdr_bss_i,si_sdr,si_sdr_i,stoi,re_si_sdr --device cpu "
        "--batch-size 4 --seed 0 --examples 6 --out RUN"
    )
    other = altered(
        folder,
        tmp_path / "run",
        model__spec="process:python run me.py",
        dataset__limit=8,
        settings__queries="both",
        settings__options={"steps": "4"},
    )
    command = evaluate_command(load_runs([other])[0])
    assert "--model 'process:python run me.py'" in command
    assert "--limit 8 " in command
    assert "--queries both --option steps=4 " in command


def test_the_command_writes_the_page(folder, tmp_path):
    out = tmp_path / "sub/report.html"
    result = CliRunner().invoke(
        app, ["report", str(folder), "--out", str(out), "--title", "My <runs>"]
    )
    assert result.exit_code == 0, result.output
    source = out.read_text(encoding="utf-8")
    assert "<title>My &lt;runs&gt;</title>" in source
    assert out.stat().st_size < 30 * 2**20


def test_a_missing_run_is_a_user_error(tmp_path):
    with pytest.raises(HiveError, match="no results there"):
        write_report([tmp_path / "nothing"], tmp_path / "out.html", "t")
    assert not (tmp_path / "out.html").exists()
