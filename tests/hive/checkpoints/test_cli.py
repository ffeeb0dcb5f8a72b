"""`hive-bench checkpoints ...` as whole commands, with their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from hive import main
from hive.checkpoints import cli

NAME = "clap-630k-audioset"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> object:
    root = typer.Typer()
    root.add_typer(cli.app, name="checkpoints")
    monkeypatch.setattr(main, "build", lambda: root)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main.run(["checkpoints", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, " ".join(captured.err.split())

    return run


def test_list(command, store_root: Path) -> None:
    code, out, _ = command("list", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [row["name"] for row in rows][:2] == ["clap-music-audioset", "clap-music-speech"]
    assert {row["state"] for row in rows} == {"absent"}
    assert {row["kind"]: row["licence"] for row in rows}.items() >= {
        "clap": "CC0-1.0",
        "tagger": "Apache-2.0",
        "apollo": "CC-BY-SA-4.0",
    }.items()
    assert rows[0]["remedy"] == "hive-bench checkpoints fetch clap-music-audioset"
    assert rows[0]["folder"] == str(store_root / "clap-music-audioset")
    code, out, _ = command("list")
    assert code == 0
    assert "clap-music-audioset" in out.replace("\n", "")


def test_convert_list_verify(
    command, store_root: Path, published_file: Path, tokenizer: Path
) -> None:
    code, _, err = command("convert", published_file, "--name", NAME)
    assert code == 1
    assert "is not 630k-audioset-best.pt of lukewys/laion_clap" in err
    assert "Remedy: download" in err
    arguments = ("convert", published_file, "--name", NAME, "--allow-other")
    code, _, err = command(*arguments)
    assert code == 0
    assert "no texts" in err
    code, _, err = command(*arguments, "--tokenizer", tokenizer)
    assert code == 0
    assert "no texts" not in err
    (row,) = [row for row in json.loads(command("list", "--json")[1]) if row["name"] == NAME]
    assert (row["state"], row["texts"], row["published"]) == ("ready", True, False)
    assert row["sha256"] in err
    code, out, _ = command("verify", NAME)
    assert (code, out.strip()) == (0, f"{NAME}: all is well")
    with (store_root / NAME / "config.json").open("r+") as handle:
        handle.write(" ")
    code, out, _ = command("verify", NAME)
    assert code == 1
    assert "its hash differs" in out


def test_failures_have_a_code_and_a_remedy(command, store_root: Path, tmp_path: Path) -> None:
    code, _, err = command("verify", NAME)
    assert code == 1
    assert f"Remedy: hive-bench checkpoints fetch {NAME}" in err
    code, _, err = command("fetch", "clap")
    assert code == 1
    assert "did you mean" in err
    code, _, err = command("convert", tmp_path / "none.pt", "--name", NAME)
    assert code == 1
    assert "there is no such file" in err
    assert "https://huggingface.co/lukewys/laion_clap/resolve/" in err
    assert command("convert", "x.pt")[0] == 2


def test_every_command_shows_an_example(command) -> None:
    for name in ("list", "fetch", "convert", "verify"):
        code, out, _ = command(name, "--help")
        assert code == 0
        assert f"hive-bench checkpoints {name}" in " ".join(out.split())


def test_texts_are_no_question_where_there_is_no_text_tower(command, store_root: Path) -> None:
    rows = [line.split() for line in command("list")[1].splitlines() if "absent" in line]
    lines = {row[1]: row for row in rows}
    assert lines["apollo"][5] == "-"
    assert lines["clap-630k"][5] == "no"
