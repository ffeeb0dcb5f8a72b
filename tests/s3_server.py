"""A real S3 server on this machine, for tests: moto's, over HTTP.

    globals().update(runpy.run_path(str(Path(__file__).parents[N] / "s3_server.py")))

in a conftest.py gives the fixtures `s3_server`, `s3` and `new_client`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

BUCKET = "bucket"
CUT = (0, "cut")


@dataclass(frozen=True)
class Request:
    """A request that the server got."""

    method: str
    path: str
    query: str
    range: str


@dataclass
class S3Server:
    """The server and what it was asked.

    Attributes:
        url: Its address.
        requests: What it was asked, in order.
        sent: Bytes that it answered with.
        fault: Called with each request; returns an HTTP status and an S3 error code to answer
            with in its stead, `CUT` to break the connection off in the middle of the answer, or
            None.
    """

    url: str
    requests: list[Request] = field(default_factory=list)
    sent: int = 0
    fault: Callable[[Request], tuple[int, str] | None] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "2",  # not five, with growing pauses
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        }

    def reset(self) -> None:
        """Forget everything stored, make the bucket anew, and answer every request."""
        self.fault = None
        for method, path in (("POST", "/moto-api/reset"), ("PUT", f"/{BUCKET}")):
            urllib.request.urlopen(urllib.request.Request(f"{self.url}{path}", method=method))
        self.requests.clear()
        self.sent = 0


@contextlib.contextmanager
def serve() -> Iterator[S3Server]:
    """Run a server until the context ends."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = S3Server("")
    inner: Any = DomainDispatcherApplication(create_backend_app)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        request = Request(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            environ.get("QUERY_STRING", ""),
            environ.get("HTTP_RANGE", ""),
        )
        server.requests.append(request)
        answer = server.fault(request) if server.fault else None
        if answer in (None, CUT):
            with contextlib.closing(inner(environ, start_response)) as body:
                data = b"".join(body)
            data = data[: len(data) // 2] if answer else data
            server.sent += len(data)
            return [data]
        status, code = answer
        told = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        told = b"" if request.method == "HEAD" else told
        start_response(f"{status} {code}", [("Content-Length", str(len(told)))])
        return [told]

    listening = make_server("127.0.0.1", 0, application, threaded=True)
    server.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        server.reset()
        yield server
    finally:
        listening.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server for a whole test session."""
    pytest.importorskip("moto")
    s3fs = pytest.importorskip("s3fs")
    with serve() as server:
        s3fs.S3FileSystem.clear_instance_cache()  # whoever was made for another server
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """An empty bucket, and the environment that leads to it."""
    s3_server.reset()
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return s3_server


@pytest.fixture
def new_client(s3: S3Server) -> Iterator[Callable[[], None]]:
    """Call it after the environment was changed: clients are kept, with what they were made for."""
    import s3fs

    yield s3fs.S3FileSystem.clear_instance_cache
    s3fs.S3FileSystem.clear_instance_cache()
