"""Fetching over HTTP from a small stand-in for the hub, with a download that was cut off before."""

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

import pytest

from hive.checkpoints import catalogue, store
from hive.files import sha256_file

NAME = "clap-630k"
CODE = """
import json, sys
from hive.checkpoints import clap_keys, install
size = json.loads(sys.argv[1])
made = clap_keys.Architecture(size["name"], size["width"], tuple(size["depths"]))
clap_keys.ARCHITECTURES += (made,)
install.fetch(sys.argv[2])
"""


@pytest.fixture
def hub(published_file: Path, tokenizer: Path) -> Iterator[Any]:
    """A server with the three files at their addresses; it notes the ranges asked for."""
    entry = catalogue.find(NAME)
    assert entry.tokenizer is not None
    files = {f"/{entry.repo}/resolve/{entry.revision}/{entry.filename}": published_file}
    for name in entry.tokenizer.files:
        address = f"/{entry.tokenizer.repo}/resolve/{entry.tokenizer.revision}/{name}"
        files[address] = tokenizer / name

    class Handler(BaseHTTPRequestHandler):
        def _start(self) -> bytes | None:
            file = files.get(self.path)
            if file is None:
                self.send_error(404)
                return None
            content, first = file.read_bytes(), 0
            if (asked := self.headers.get("Range", "")).startswith("bytes="):
                first = int(asked.removeprefix("bytes=").split("-")[0])
                self.server.ranges.append((self.path, first))  # type: ignore[attr-defined]
            self.send_response(206 if first else 200)
            if first:
                self.send_header(
                    "Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}"
                )
            self.send_header("Content-Length", str(len(content) - first))
            self.send_header("ETag", f'"{sha256_file(file)}"')
            self.send_header("X-Repo-Commit", self.path.split("/resolve/")[1].split("/")[0])
            self.end_headers()
            return content[first:]

        def do_HEAD(self) -> None:
            self._start()

        def do_GET(self) -> None:
            if (content := self._start()) is not None:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.ranges = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_goes_on_where_it_stopped(
    hub: Any, store_root: Path, published: Any, published_file: Path, tmp_path: Path
) -> None:
    content = published_file.read_bytes()
    blobs = tmp_path / "hub" / "models--lukewys--laion_clap" / "blobs"
    blobs.mkdir(parents=True)
    half = len(content) // 2
    (blobs / f"{sha256_file(published_file)}.incomplete").write_bytes(content[:half])
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "no_proxy": "127.0.0.1",
    }
    size = json.dumps(published.MICRO)
    subprocess.run([sys.executable, "-c", CODE, size, NAME], check=True, env=environment)
    status = store.inspect(NAME)
    assert (status.state, status.has_tokenizer) == ("ready", True)
    assert status.manifest["source"]["sha256"] == sha256_file(published_file)
    assert status.manifest["source"]["published"] is True
    entry = catalogue.find(NAME)
    assert (f"/{entry.repo}/resolve/{entry.revision}/{entry.filename}", half) in hub.ranges
