"""Metadata on the hub: whole commands against a small stand-in for it over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants

from hive.files import sha256_file
from hive.main import run
from hive.mixing.published.hub import HubDataset, parse

REPO = "ShandaAI/Hive"
COMMIT = "bd13b48" + 33 * "0"
MAIN = "import sys; from hive.main import run; sys.exit(run(sys.argv[1:]))"


@pytest.fixture
def hub(world: Any, tmp_path: Path) -> Iterator[Any]:
    """A server with the three tables of the repository; it notes what is asked for."""
    files = {}
    for split, name in (("train", "train"), ("val", "validation"), ("test", "test")):
        rows = [row for row in world.rows if row["split"] == split]
        path = world.parquet(tmp_path / "served" / name / "data.parquet", rows)
        files[f"{name}/data.parquet"] = path
    about = {
        "id": REPO,
        "sha": COMMIT,
        "siblings": [{"rfilename": name} for name in ("README.md", ".gitattributes", *files)],
    }

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, body: bool) -> None:
            if self.path.startswith(f"/api/datasets/{REPO}"):
                data, head = json.dumps(about).encode(), {"Content-Type": "application/json"}
            else:
                name = self.path.removeprefix(f"/datasets/{REPO}/resolve/main/")
                if name not in files:
                    self.send_error(404)
                    return
                data = files[name].read_bytes()
                head = {"ETag": f'"{sha256_file(files[name])}"', "X-Repo-Commit": COMMIT}
            first = 0
            if body and (asked := self.headers.get("Range", "")).startswith("bytes="):
                first = int(asked.removeprefix("bytes=").split("-")[0])
                head["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            if body:
                self.server.asked.append((self.path, first))  # type: ignore[attr-defined]
            self.send_response(206 if first else 200)
            for key, value in head.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data) - first))
            self.end_headers()
            if body:
                self.wfile.write(data[first:])

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []  # type: ignore[attr-defined]
    server.files = files  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def command(home: Path, hub: Any, *arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        env={
            **os.environ,
            "HF_HOME": str(home),
            "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        },
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + " ".join(done.stderr.split())


def test_a_split_of_a_hub_dataset(
    world: Any,
    hub: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "hf"
    # What an interrupted download left.
    table = hub.files["test/data.parquet"]
    blobs = home / "hub" / "datasets--ShandaAI--Hive" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{sha256_file(table)}.incomplete").write_bytes(table.read_bytes()[:1000])

    render = ("mix", "render", REPO, "--corpora", world.paths, "--split", "test", "--workers", 1)
    code, told = command(home, hub, *render, "--out", tmp_path / "online")
    assert code == 0, told
    fetched = [(path, first) for path, first in hub.asked if "/resolve/" in path]
    assert fetched == [(f"/datasets/{REPO}/resolve/main/test/data.parquet", 1000)]
    plan = json.loads(pq.read_schema(tmp_path / "online/mixtures.parquet").metadata[b"hive"])
    assert plan["plans"]["test"]["metadata"] == REPO
    assert plan["plans"]["test"]["revision"] == COMMIT
    assert plan["plans"]["test"]["sha256"] == sha256_file(table)

    # From here on without a connection, as all tests are.
    hub.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    out = tmp_path / "offline"
    assert run([*map(str, render), "--out", str(out)]) == 0
    assert hub.asked == []
    for path in (tmp_path / "online").glob("data/*/*.tar"):
        assert path.read_bytes() == (out / path.relative_to(tmp_path / "online")).read_bytes()
    # The cache has no other split.
    arguments = [*map(str, render[:5]), "--coverage", "--split", "train"]
    assert run(arguments) == 1
    assert "cannot be reached" in capsys.readouterr().err


def test_a_dataset_that_is_not_there_is_told(world: Any, hub: Any, tmp_path: Path) -> None:
    corpora = ("--corpora", world.paths, "--coverage")
    code, told = command(tmp_path / "hf", hub, "mix", "render", "Nobody/Nothing", *corpora)
    assert (code, "datasets/Nobody/Nothing" in told, "check its name" in told) == (1, True, True)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("AlayaLab/Hive", HubDataset("AlayaLab/Hive")),
        ("hf://datasets/ShandaAI/Hive", HubDataset("ShandaAI/Hive")),
        (
            "hf://datasets/ShandaAI/Hive@refs%2Fpr%2F2/test/data.parquet",
            HubDataset("ShandaAI/Hive", "refs/pr/2", "test/data.parquet"),
        ),
        ("hf://datasets/ShandaAI/Hive/test/", HubDataset("ShandaAI/Hive", None, "test")),
        ("plan.parquet", None),
        ("a/b/c", None),
        ("../Hive", None),
        ("s3://bucket/key", None),
    ],
)
def test_names_on_the_hub(text: str, wanted: HubDataset | None) -> None:
    assert parse(text) == wanted
