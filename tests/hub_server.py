"""A stand-in for the Hugging Face hub: dataset repositories over HTTP, for stock clients.

It speaks as much of the hub's interface as `huggingface_hub` 0.36 and `datasets` 5 use to make,
fill, tag, list and read a dataset repository, keeps everything in memory, counts the bytes it is
sent, and fails on demand: see `Fault`.

    with HubServer() as hub:
        subprocess.run([...], env={**os.environ, **hub.environment})
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

TOKEN = "hf_standin"
USER = "publisher"
_BLOCK = 1 << 16
_DATE = "2026-01-01T00:00:00.000Z"


@dataclass
class Fault:
    """A failure to come.

    Attributes:
        where: Pattern of "METHOD /path" that it strikes.
        kind: "status" (an answer of that status), "cut" (the connection breaks after
            `after` bytes of the body), "lost" (the request is carried out, the connection
            breaks before the answer).
        status: Status of the answer.
        headers: Headers of the answer.
        message: What the answer says.
        after: Bytes of the body read before a cut.
        times: How often it strikes.
    """

    where: str
    kind: str = "status"
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "fault injected"
    after: int = 0
    times: int = 1


class Entry:
    """A file in a commit.

    Args:
        data: Its content.
        lfs: Whether it is stored as a large file.
    """

    def __init__(self, data: bytes, lfs: bool) -> None:
        self.data, self.lfs = data, lfs
        self.sha256 = hashlib.sha256(data).hexdigest()
        # Git names a large file by its pointer.
        content = b"pointer " + self.sha256.encode() if lfs else data
        object_ = b"blob %d\0" % len(content) + content
        self.oid = hashlib.sha1(object_, usedforsecurity=False).hexdigest()

    def info(self, path: str) -> dict[str, Any]:
        """What the tree says of it."""
        lfs = {"oid": self.sha256, "size": len(self.data), "pointerSize": 134}
        found = {"type": "file", "path": path, "size": len(self.data), "oid": self.oid}
        return {**found, "lfs": lfs} if self.lfs else found


@dataclass
class Commit:
    """A commit: its files, message and parent."""

    files: dict[str, Entry]
    message: str
    parent: str = ""


@dataclass
class Repo:
    """A dataset repository."""

    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def add(self, branch: str, files: dict[str, Entry], message: str) -> str:
        """Make a commit on a branch; return its id."""
        parent = self.branches.get(branch, "")
        sha = hashlib.sha1(f"{len(self.commits)} {message}".encode()).hexdigest()
        self.commits[sha] = Commit(files, message, parent)
        self.branches[branch] = sha
        return sha

    def find(self, revision: str) -> str | None:
        """Return the commit that a revision names."""
        for named in (self.branches, self.tags):
            if revision in named:
                return named[revision]
        return revision if revision in self.commits else None

    def history(self, branch: str = "main") -> list[Commit]:
        """Return the commits of a branch, the newest first."""
        found, sha = [], self.branches[branch]
        while sha:
            found.append(self.commits[sha])
            sha = self.commits[sha].parent
        return found


class HubServer:
    """The server, in a thread of its own.

    Args:
        page: Entries on a page of a tree.
        part: Files above this many bytes are sent in parts of it; None for always in one piece.
        writable: Whether the token may write.
        speed: Bytes a second that an upload is read with; None for as fast as can be.
    """

    def __init__(
        self,
        page: int = 1000,
        part: int | None = None,
        writable: bool = True,
        speed: float | None = None,
    ) -> None:
        self.page, self.part, self.writable, self.speed = page, part, writable, speed
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.parts: dict[tuple[str, int], bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.received: dict[str, int] = {}  # bytes of complete uploads, by hash
        self.lock = threading.RLock()
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables by which stock clients find this hub."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
        }

    def __enter__(self) -> HubServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """Return the files of a repository by name."""
        found = self.repos[repo]
        commit = found.commits[found.find(revision)]
        return {name: entry.data for name, entry in commit.files.items()}

    def asked(self, pattern: str) -> list[str]:
        """Return the requests ("METHOD /path") so far that match a pattern."""
        return [line for line in self.requests if re.search(pattern, line)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that were killed."""


class _Answer(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


class _Cut(Exception):
    """The connection is to break."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_hub: HubServer
    _fault: Fault | None = None

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    @property
    def hub(self) -> HubServer:
        return self.server_hub

    def _serve(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        line = f"{self.command} {url.path}"
        with self.hub.lock:
            self.hub.requests.append(line)
            self._fault = self._strikes(line)
        try:
            if self._fault and self._fault.kind == "status":
                self._body()
                raise _Answer(self._fault.status, self._fault.message, **self._fault.headers)
            body = self._body()
            answer = self._route(url.path, body)
            if self._fault and self._fault.kind == "lost":
                raise _Cut
            if answer is not None:
                self._send(200, json.dumps(answer).encode())
        except _Answer as answer:
            text = json.dumps({"error": answer.message}).encode()
            names = {name.replace("_", "-"): value for name, value in answer.headers.items()}
            self._send(answer.status, text, {**names, "X-Error-Message": answer.message})
        except (_Cut, ConnectionError, BrokenPipeError):
            self.close_connection = True
            with _suppressed():
                self.connection.shutdown(socket.SHUT_RDWR)

    def _strikes(self, line: str) -> Fault | None:
        for fault in self.hub.faults:
            if fault.times > 0 and re.search(fault.where, line):
                fault.times -= 1
                return fault
        return None

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        cut = self._fault.after if self._fault and self._fault.kind == "cut" else None
        blocks, read = [], 0
        while read < length:
            block = self.rfile.read(min(_BLOCK, length - read))
            if not block:
                raise _Cut
            blocks.append(block)
            read += len(block)
            if cut is not None and read >= cut:
                raise _Cut
            if self.hub.speed and self.command == "PUT":
                time.sleep(len(block) / self.hub.speed)
        if cut is not None:
            raise _Cut
        return b"".join(blocks)

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        given = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        for name, value in {**given, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _route(self, path: str, body: bytes) -> Any:
        for pattern, name in _ROUTES:
            match = re.fullmatch(pattern, f"{self.command} {path}")
            if match:
                method: Callable[..., Any] = getattr(self, f"_{name}")
                parts = [unquote(part) for part in match.groups(default="")]
                return method(*parts, body)
        raise _Answer(404, f"no such page: {path}", X_Error_Code="EntryNotFound")

    def _member(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _repo(self, name: str, *, write: bool = False) -> Repo:
        repo = self.hub.repos.get(name)
        if write and not self._member():
            raise _Answer(401, "Invalid username or password.")
        if repo is None or (repo.private and not self._member()):
            raise _Answer(404 if self._member() else 401, "not found", X_Error_Code="RepoNotFound")
        if write and not self.hub.writable:
            raise _Answer(403, f"You have read access to {name}, but no write access")
        return repo

    def _commit_of(self, repo: Repo, revision: str) -> tuple[str, Commit]:
        sha = repo.find(revision)
        if sha is None:
            raise _Answer(404, "Invalid rev id", X_Error_Code="RevisionNotFound")
        return sha, repo.commits[sha]

    # What the client asks.

    def _whoami(self, body: bytes) -> Any:
        if not self._member():
            raise _Answer(401, "Invalid credentials in Authorization header")
        return {"type": "user", "name": USER, "orgs": []}

    def _validate_yaml(self, body: bytes) -> Any:
        return {"errors": [], "warnings": []}

    def _create(self, body: bytes) -> Any:
        wanted = json.loads(body)
        if not self._member():
            raise _Answer(401, "Invalid username or password.")
        if not self.hub.writable:
            raise _Answer(403, f"You don't have the rights to create a dataset under {wanted}")
        name = f"{wanted['organization'] or USER}/{wanted['name']}"
        with self.hub.lock:
            url = {"url": f"{self.hub.url}/datasets/{name}"}
            if name in self.hub.repos:
                self._send(409, json.dumps({"error": "You already created it", **url}).encode())
                return None
            repo = self.hub.repos[name] = Repo(bool(wanted.get("private")))
            attributes = Entry(b"*.tar filter=lfs\n*.parquet filter=lfs\n", False)
            repo.add("main", {".gitattributes": attributes}, "initial commit")
        return url

    def _info(self, name: str, revision: str, body: bytes) -> Any:
        repo = self._repo(name)
        sha, commit = self._commit_of(repo, revision or "main")
        return {
            "_id": "0" * 24,
            "id": name,
            "author": name.partition("/")[0],
            "sha": sha,
            "private": repo.private,
            "gated": False,
            "disabled": False,
            "lastModified": _DATE,
            "createdAt": _DATE,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": [{"rfilename": path} for path in sorted(commit.files)],
        }

    def _tree(self, name: str, revision: str, folder: str, body: bytes) -> Any:
        _, commit = self._commit_of(self._repo(name), revision)
        prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        deep = self.query.get("recursive", "").lower() in ("true", "1")
        files = {path: e for path, e in commit.files.items() if path.startswith(prefix)}
        if prefix and not files:
            raise _Answer(404, f"{folder} does not exist", X_Error_Code="EntryNotFound")
        found: dict[str, Any] = {}
        for path, entry in files.items():
            parts = path[len(prefix) :].split("/")
            for depth in range(1, len(parts) if deep else min(len(parts), 2)):
                sub = prefix + "/".join(parts[:depth])
                found[sub] = {"type": "directory", "path": sub, "size": 0, "oid": "0" * 40}
            if deep or len(parts) == 1:
                found[path] = entry.info(path)
        listed = [found[path] for path in sorted(found)]
        start = int(self.query.get("cursor", 0))
        page = listed[start : start + self.hub.page]
        headers = {}
        if start + self.hub.page < len(listed):
            query = "&".join(f"{k}={quote(v)}" for k, v in self.query.items() if k != "cursor")
            address = f"{self.hub.url}{urlsplit(self.path).path}?{query}"
            headers["Link"] = f'<{address}&cursor={start + self.hub.page}>; rel="next"'
        self._send(200, json.dumps(page).encode(), headers)

    def _paths_info(self, name: str, revision: str, body: bytes) -> Any:
        _, commit = self._commit_of(self._repo(name), revision)
        text = body.decode()
        wanted = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text)["paths"]
        found = []
        for path in [wanted] if isinstance(wanted, str) else wanted:
            if path in commit.files:
                found.append(commit.files[path].info(path))
            elif any(one.startswith(f"{path}/") for one in commit.files):
                found.append({"type": "directory", "path": path, "size": 0, "oid": "0" * 40})
        return found

    def _refs(self, name: str, body: bytes) -> Any:
        repo = self._repo(name)

        def listed(kind: str, named: dict[str, str]) -> list[dict[str, str]]:
            return [
                {"name": one, "ref": f"refs/{kind}/{one}", "targetCommit": sha}
                for one, sha in named.items()
                if not one.startswith("refs/")
            ]

        branches, tags = listed("heads", repo.branches), listed("tags", repo.tags)
        return {"branches": branches, "tags": tags, "converts": [], "pullRequests": []}

    def _tag(self, name: str, revision: str, body: bytes) -> Any:
        repo, wanted = self._repo(name, write=True), json.loads(body)["tag"]
        if wanted in repo.tags:
            raise _Answer(409, f'Tag "{wanted}" already exists')
        repo.tags[wanted] = self._commit_of(repo, revision)[0]
        return {}

    def _branch(self, name: str, branch: str, body: bytes) -> Any:
        repo = self._repo(name, write=True)
        if branch in repo.branches:
            raise _Answer(409, "Reference already exists")
        repo.branches[branch] = repo.branches["main"]
        return {}

    def _preupload(self, name: str, revision: str, body: bytes) -> Any:
        repo = self._repo(name, write=True)
        _, commit = self._commit_of(repo, revision)
        answers = []
        for file in json.loads(body)["files"]:
            path = file["path"]
            lfs = path.endswith((".tar", ".parquet")) or file["size"] > 10_000_000
            old = commit.files.get(path)
            answers.append(
                {
                    "path": path,
                    "uploadMode": "lfs" if lfs else "regular",
                    "shouldIgnore": False,
                    "oid": (old.sha256 if old.lfs else old.oid) if old else None,
                }
            )
        return {"files": answers}

    def _batch(self, name: str, body: bytes) -> Any:
        self._repo(name, write=True)
        objects = []
        for one in json.loads(body)["objects"]:
            sha, size = one["oid"], one["size"]
            answer: dict[str, Any] = {"oid": sha, "size": size}
            if sha not in self.hub.objects:
                answer["actions"] = {
                    "upload": self._upload_action(sha, size),
                    "verify": {"href": f"{self.hub.url}/lfs/verify/{sha}"},
                }
            objects.append(answer)
        multipart = any("chunk_size" in str(one) for one in objects)
        return {"transfer": "multipart" if multipart else "basic", "objects": objects}

    def _upload_action(self, sha: str, size: int) -> dict[str, Any]:
        part = self.hub.part
        if part is None or size <= part:
            return {"href": f"{self.hub.url}/lfs/object/{sha}"}
        count = -(-size // part)
        header = {str(n): f"{self.hub.url}/lfs/part/{sha}/{n}" for n in range(1, count + 1)}
        return {
            "href": f"{self.hub.url}/lfs/complete/{sha}",
            "header": {"chunk_size": str(part), **header},
        }

    def _object(self, sha: str, body: bytes) -> Any:
        self._store(sha, body)
        self._count(sha, body)
        return {}

    def _part(self, sha: str, number: str, body: bytes) -> Any:
        with self.hub.lock:
            self.hub.parts[sha, int(number)] = body
        self._count(sha, body)
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if self._fault and self._fault.kind == "lost":
            raise _Cut
        self._send(200, b"", {"ETag": f'"{etag}"'})

    def _complete(self, sha: str, body: bytes) -> Any:
        numbers = [part["partNumber"] for part in json.loads(body)["parts"]]
        self._store(sha, b"".join(self.hub.parts[sha, number] for number in numbers))
        return {}

    def _verify(self, sha: str, body: bytes) -> Any:
        if len(self.hub.objects.get(sha, b"")) != json.loads(body)["size"]:
            raise _Answer(404, "object not found")
        return {}

    def _store(self, sha: str, data: bytes) -> None:
        if hashlib.sha256(data).hexdigest() != sha:
            raise _Answer(400, "the content does not match its hash")
        with self.hub.lock:
            self.hub.objects[sha] = data

    def _count(self, sha: str, data: bytes) -> None:
        with self.hub.lock:
            self.hub.received[sha] = self.hub.received.get(sha, 0) + len(data)

    def _commit(self, name: str, revision: str, body: bytes) -> Any:
        with self.hub.lock:
            repo = self._repo(name, write=True)
            _, before = self._commit_of(repo, revision)
            files, message = dict(before.files), ""
            for line in body.decode().splitlines():
                key, value = (lambda one: (one["key"], one["value"]))(json.loads(line))
                if key == "header":
                    message = value["summary"]
                elif key == "file":
                    files[value["path"]] = Entry(base64.b64decode(value["content"]), False)
                elif key == "lfsFile":
                    if value["oid"] not in self.hub.objects:
                        raise _Answer(400, f"{value['path']}: the object was not uploaded")
                    files[value["path"]] = Entry(self.hub.objects[value["oid"]], True)
                elif value["path"] not in files:
                    raise _Answer(
                        404, "A file with this name doesn't exist", X_Error_Code="EntryNotFound"
                    )
                else:
                    del files[value["path"]]
            sha = repo.add(revision, files, message)
        url = f"{self.hub.url}/datasets/{name}/commit/{sha}"
        return {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""}

    def _discussions(self, name: str, body: bytes) -> Any:
        repo = self._repo(name)
        if self.command == "GET":
            found = [one for one in repo.requests if one["author"]["name"] == self.query["author"]]
            return {"discussions": found, "count": len(found), "start": 0}
        wanted, number = json.loads(body), len(repo.requests) + 1
        repo.requests.append(
            {
                "num": number,
                "title": wanted["title"],
                "status": "draft",
                "author": {"name": USER},
                "createdAt": _DATE,
                "repo": {"name": name, "type": "dataset"},
                "isPullRequest": True,
                "changes": {"base": "refs/heads/main"},
                "filesWithConflicts": [],
                "events": [],
            }
        )
        repo.branches[f"refs/pr/{number}"] = repo.branches["main"]
        return {"num": number}

    def _discussion(self, name: str, number: str, body: bytes) -> Any:
        return self._repo(name).requests[int(number) - 1]

    def _status(self, name: str, number: str, body: bytes) -> Any:
        request = self._repo(name).requests[int(number) - 1]
        request["status"] = json.loads(body)["status"]
        event = {"id": "0", "type": "status-change", "createdAt": _DATE, "author": {"name": USER}}
        return {"newStatus": {**event, "data": {"status": request["status"]}}}

    def _resolve(self, name: str, revision: str, path: str, body: bytes) -> Any:
        sha, commit = self._commit_of(self._repo(name), revision)
        entry = commit.files.get(path)
        if entry is None:
            raise _Answer(404, "Entry not found", X_Error_Code="EntryNotFound", X_Repo_Commit=sha)
        etag = entry.sha256 if entry.lfs else entry.oid
        headers = {
            "X-Repo-Commit": sha,
            "ETag": f'"{etag}"',
            "X-Linked-Size": str(len(entry.data)),
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            self._send(200, entry.data, headers)
            return
        first = int(wanted[1])
        last = min(int(wanted[2] or len(entry.data)), len(entry.data) - 1)
        if first >= len(entry.data):
            raise _Answer(416, "range not satisfiable")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(entry.data)}"
        self._send(206, entry.data[first : last + 1], headers)


class _suppressed:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> bool:
        return True


_REPO = r"([^/]+/[^/]+)"
_API = rf"/api/datasets/{_REPO}"
_ROUTES = (
    (r"GET /api/whoami-v2", "whoami"),
    (r"POST /api/validate-yaml", "validate_yaml"),
    (r"POST /api/repos/create", "create"),
    (rf"GET {_API}/refs", "refs"),
    (rf"GET {_API}/tree/([^/]+)(/.*)?", "tree"),
    (rf"POST {_API}/paths-info/([^/]+)", "paths_info"),
    (rf"POST {_API}/tag/([^/]+)", "tag"),
    (rf"POST {_API}/branch/([^/]+)", "branch"),
    (rf"POST {_API}/preupload/([^/]+)", "preupload"),
    (rf"POST {_API}/commit/([^/]+)", "commit"),
    (rf"(?:GET|POST) {_API}/discussions", "discussions"),
    (rf"GET {_API}/discussions/(\d+)", "discussion"),
    (rf"POST {_API}/discussions/(\d+)/status", "status"),
    (rf"GET {_API}(?:/revision/([^/]+))?", "info"),
    (rf"POST /datasets/{_REPO}\.git/info/lfs/objects/batch", "batch"),
    (r"PUT /lfs/object/([0-9a-f]{64})", "object"),
    (r"PUT /lfs/part/([0-9a-f]{64})/(\d+)", "part"),
    (r"POST /lfs/complete/([0-9a-f]{64})", "complete"),
    (r"POST /lfs/verify/([0-9a-f]{64})", "verify"),
    (rf"(?:GET|HEAD) /datasets/{_REPO}/resolve/([^/]+)/(.+)", "resolve"),
)
