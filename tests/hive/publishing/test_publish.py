"""Publishing to a hub over HTTP: what arrives, what is sent, what breaks, and who reads it."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hub_server import USER, Fault, HubServer

from hive.errors import HiveError
from hive.publishing import publish as module
from hive.publishing import transfer
from hive.publishing.publish import Published, Wish
from hive.shards.layout import find_shards
from hive.shards.read import read_raw

REPO = f"{USER}/mixes"
#: Runs the command with commits of four files.
SMALL_COMMITS = """
import functools, hive.publishing.transfer as transfer
transfer.batches = functools.partial(transfer.batches, most=4)
from hive.main import main
main()
"""
#: Reads a dataset with stock `datasets`, without this package.
READER = """
import hashlib, json, sys
from datasets import get_dataset_config_names, load_dataset
repo, found = sys.argv[1], [get_dataset_config_names(sys.argv[1])]
for job in sys.argv[2:]:
    name, split, mode = job.split()
    rows = load_dataset(repo, name, split=split, streaming=mode == "stream")
    found.append([])
    for row in rows:
        audio = {field: value for field, value in row.items() if isinstance(value, bytes)}
        hashes = {field: hashlib.sha256(value).hexdigest() for field, value in audio.items()}
        found[-1].append({"json": row.get("json"), "audio": hashes})
assert "hive" not in sys.modules
json.dump(found, sys.stdout)
"""


def run(dataset: Path, **wish: Any) -> Published:
    said: list[str] = wish.pop("said", [])
    dry_run = wish.pop("dry_run", False)
    return module.publish(dataset, Wish(REPO, **wish), dry_run=dry_run, say=said.append)


def names(dataset: Path) -> set[str]:
    """What is to be published: all but what stays at home."""
    files = (p.relative_to(dataset).as_posix() for p in dataset.rglob("*") if p.is_file())
    return {name for name in files if not name.startswith(".hive/")} - {"quarantine.csv"}


def shards(dataset: Path) -> dict[str, bytes]:
    return {p.relative_to(dataset).as_posix(): p.read_bytes() for p in dataset.glob("data/*/*.tar")}


def check_arrived(hub: HubServer, dataset: Path, revision: str = "main") -> None:
    """The repository holds the dataset, whole and consistent in itself."""
    files = hub.files(REPO, revision)
    assert set(files) == names(dataset) | {".gitattributes"}
    for name, data in shards(dataset).items():
        assert files[name] == data
    import hashlib

    listed = [line.split("  ") for line in files["SHA256SUMS"].decode().splitlines()]
    assert {name for _, name in listed} == set(files) - {".gitattributes", "SHA256SUMS"}
    for digest, name in listed:
        assert hashlib.sha256(files[name]).hexdigest() == digest


def check_sent_once(hub: HubServer) -> None:
    for sha, data in hub.objects.items():
        assert hub.received[sha] == len(data)


def stock(hub: HubServer, tmp_path: Path, *jobs: str) -> list[Any]:
    """The names of the configurations, then the rows of each job ("name split stream|map")."""
    environment = {**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", READER, REPO, *jobs],
        cwd=tmp_path,
        env={**environment, "HF_DATASETS_CACHE": str(tmp_path / "hf" / "datasets")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[Any] = json.loads(done.stdout)
    return found


def ours(dataset: Path, split: str, size: int) -> list[dict[str, Any]]:
    import hashlib

    rows = []
    for shard in find_shards(dataset, split, (size,)):
        for raw in read_raw(shard):
            audio = {
                field: hashlib.sha256(data).hexdigest()
                for field, data in raw.fields.items()
                if field != "json"
            }
            rows.append({"json": json.loads(raw.fields["json"]), "audio": audio})
    return rows


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals of POSIX")
def test_killed_resumed_and_read_back_by_stock_datasets(
    hub: HubServer, built: Path, tmp_path: Path
) -> None:
    hub.part = 300_000
    hub.speed = 4e6
    command = [sys.executable, "-c", SMALL_COMMITS, "publish", str(built), "--repo", REPO]
    command += ["--tag", "v1.0", "--message", "First edition", "--workers", "2"]
    environment = {**os.environ, **hub.environment}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while len(hub.asked("POST .*/commit/")) < 1 or len(hub.objects) < 6:
            assert process.poll() is None, "it ended before it could be stopped"
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    hub.speed = None
    time.sleep(0.1)
    done = {sha: hub.received[sha] for sha in list(hub.objects)}
    commits = len(hub.repos[REPO].history())
    assert 6 <= len(done) < len(shards(built))
    assert "README.md" not in hub.files(REPO)

    again = subprocess.run(
        [*command, "--json"], env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    check_arrived(hub, built)
    # What was complete when it was killed was not sent again, whether committed or not.
    assert {sha: hub.received[sha] for sha in done} == done
    history = hub.repos[REPO].history()
    assert len(history) > commits
    assert told["commit"] == hub.repos[REPO].branches["main"] == hub.repos[REPO].tags["v1.0"]
    total = len(names(built))
    assert history[0].message == f"First edition ({total} of {total} files)"

    names_, streamed, mapped = stock(hub, tmp_path, "2mix test stream", "3mix_test test map")
    assert names_ == ["2mix", "3mix", "all", "2mix_test", "3mix_test", "all_test"]
    assert streamed
    assert streamed == ours(built, "test", 2)
    assert mapped
    assert mapped == ours(built, "test", 3)
    fetched = hub.asked(r"GET .*/resolve/.*\.tar")
    assert not [line for line in fetched if "/test-" not in line]


@pytest.mark.usefixtures("here")
def test_published_again_nothing_is_done(hub: HubServer, built: Path) -> None:
    first = run(built, tag="v1.0")
    history, uploads, requests = hub.repos[REPO].history(), dict(hub.received), len(hub.requests)
    second = run(built, tag="v1.0")
    assert second.commit == first.commit
    assert not second.change
    assert hub.repos[REPO].history() == history
    assert hub.received == uploads
    assert all(line.startswith("GET ") for line in hub.requests[requests:])


@pytest.mark.usefixtures("here")
def test_one_commit_where_one_is_enough(hub: HubServer, built: Path) -> None:
    published = run(built, private=True, tag="v1")
    check_arrived(hub, built)
    check_sent_once(hub)
    repo = hub.repos[REPO]
    assert repo.private
    assert [commit.message for commit in repo.history()] == ["11 mixtures", "initial commit"]
    assert repo.tags == {"v1": published.commit}
    card = hub.files(REPO)["README.md"].decode()
    assert f'load_dataset("{REPO}", "2mix", split="test", streaming=True)' in card
    described = json.loads(hub.files(REPO)["croissant.json"])
    assert described["creator"]["name"] == USER
    table = next(one for one in described["distribution"] if one["@id"] == "mixtures.parquet")
    assert table["contentUrl"] == f"{hub.url}/datasets/{REPO}/resolve/main/mixtures.parquet"


#: Faults that strike one after the other in one run.
FAULTS = {
    "uploads": [
        Fault("PUT /lfs/object", "cut", after=100_000, times=2),
        Fault("PUT /lfs", status=500, times=3),
        Fault("PUT /lfs", status=429, headers={"Retry_After": "9"}),
    ],
    "parts": [Fault("PUT /lfs/part", "cut", after=1, times=2)],
    "end of the parts": [Fault("POST /lfs/complete", status=500)],
    "questions": [
        Fault("objects/batch", status=503, times=2),
        Fault("POST /lfs/verify", status=500),
        Fault("/preupload/", status=429, headers={"RateLimit": '"api";r=0;t=9'}, times=3),
    ],
    "commits": [Fault("/commit/", status=500, times=2), Fault("/commit/", "cut", after=10)],
    "lost answers": [
        Fault("POST /api/repos/create", "lost"),
        Fault("/commit/", "lost"),
        Fault("/tag/", "lost"),
    ],
    "502 everywhere": [Fault("GET /api/datasets", status=502, times=4)],
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_the_network_change_nothing(
    hub: HubServer,
    here: list[float],
    built: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(transfer, "batches", functools.partial(transfer.batches, most=8))
    hub.part = 400_000 if "parts" in name else None
    hub.faults = [Fault(**vars(fault)) for fault in FAULTS[name]]
    said: list[str] = []
    published = run(built, tag="v1", said=said, workers=2)
    assert not any(fault.times for fault in hub.faults), "the fault did not strike"
    check_arrived(hub, built)
    if name != "end of the parts":  # the client begins that file anew
        check_sent_once(hub)
    repo = hub.repos[REPO]
    assert repo.tags == {"v1": published.commit}
    messages = [commit.message for commit in repo.history()]
    assert len(messages) == len(set(messages)) == 1 + -(-len(names(built)) // 8)
    if name in ("uploads", "questions"):
        assert 9.0 in here
        assert any("429; again in 9 s" in line for line in said)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        (Fault("objects/batch", status=403, message="storage quota exceeded", times=9), "billing"),
        (Fault("/commit/", status=401, message="bad token", times=9), "hf auth login"),
        (Fault("/preupload/", status=403, message="read only", times=9), "--create-pr"),
        (Fault("/commit/", status=400, message="invalid metadata", times=9), "mend"),
    ],
)
def test_faults_that_stay_are_explained_at_once(
    hub: HubServer, here: list[float], built: Path, fault: Fault, remedy: str
) -> None:
    hub.faults = [fault]
    with pytest.raises(HiveError) as caught:
        run(built, workers=1)
    assert remedy in caught.value.remedy
    assert here == []
    assert fault.times == 8


@pytest.mark.usefixtures("here")
def test_without_a_token_that_may_write(
    hub: HubServer, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.writable = False
    with pytest.raises(HiveError, match="may not do this: You don't have the rights"):
        run(built)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HiveError, match="does not accept the token") as caught:
        run(built)
    assert "hf auth login" in caught.value.remedy


@pytest.mark.usefixtures("here")
def test_a_dry_run_sends_nothing(hub: HubServer, built: Path) -> None:
    planned = run(built, dry_run=True, tag="v1")
    assert {file.name for file in planned.change.missing} == names(built)
    assert hub.repos == {}
    assert all(line.startswith("GET ") for line in hub.requests)
    run(built)
    before = len(hub.requests)
    assert not run(built, dry_run=True).change
    assert all(line.startswith("GET ") for line in hub.requests[before:])


@pytest.mark.usefixtures("here")
def test_a_tag_is_never_moved(hub: HubServer, built: Path, dataset: Path) -> None:
    run(built, tag="v1")
    sent = dict(hub.received)
    with pytest.raises(HiveError, match="there is a tag 'v1' already"):
        run(built, tag="v1", splits=("test",), delete_missing=True)
    assert hub.received == sent
    assert run(built, tag="v2").commit == hub.repos[REPO].tags["v2"] == hub.repos[REPO].tags["v1"]


@pytest.mark.usefixtures("here")
def test_only_some_splits_and_then_none(hub: HubServer, built: Path, tmp_path: Path) -> None:
    run(built, splits=("test",))
    tars = [name for name in hub.files(REPO) if name.endswith(".tar")]
    assert tars
    assert all("/test-" in name for name in tars)
    with pytest.raises(HiveError, match="files under data/ that are not of this dataset") as caught:
        run(built, splits=())
    assert "--delete-missing" in caught.value.remedy
    change = run(built, splits=(), delete_missing=True).change
    assert sorted(change.removed) == sorted(tars)
    assert set(hub.files(REPO)) == {n for n in names(built) if not n.startswith("data/")} | {
        ".gitattributes"
    }
    configurations, rows = stock(hub, tmp_path, "mixtures mixtures map")
    assert configurations == ["mixtures"]
    assert len(rows) == 11


@pytest.mark.usefixtures("here")
def test_removal_is_on_request_and_survives_a_lost_answer(hub: HubServer, built: Path) -> None:
    from hub_server import Entry

    run(built)
    repo = hub.repos[REPO]
    files = {**repo.history()[0].files, "data/2mix/train-00009-of-00010.tar": Entry(b"old", True)}
    repo.add("main", {**files, "notes.txt": Entry(b"mine", False)}, "by hand")
    with pytest.raises(HiveError, match="train-00009-of-00010"):
        run(built)
    hub.faults = [Fault("/commit/", "lost")]
    change = run(built, delete_missing=True, message="Tidy").change
    assert change.removed == ("data/2mix/train-00009-of-00010.tar", "notes.txt")
    check_arrived(hub, built)
    assert [commit.message for commit in repo.history()][:2] == ["Tidy", "by hand"]


@pytest.mark.usefixtures("here")
def test_a_branch_and_a_pull_request(hub: HubServer, built: Path) -> None:
    run(built, splits=("test",))
    main = hub.repos[REPO].branches["main"]
    run(built, revision="full")
    check_arrived(hub, built, "full")
    hub.faults = [Fault("/commit/refs", status=403, message="not now")]
    with pytest.raises(HiveError, match="not now"):
        run(built, create_pr=True, message="All splits")
    published = run(built, create_pr=True, message="All splits")
    check_arrived(hub, built, "refs/pr/1")
    assert published.request == 1
    requests = hub.repos[REPO].requests
    assert [(one["title"], one["status"]) for one in requests] == [("All splits", "open")]
    assert hub.repos[REPO].branches["main"] == main
    check_sent_once(hub)


@pytest.mark.usefixtures("here")
def test_a_public_repository_does_not_become_private_by_itself(hub: HubServer, built: Path) -> None:
    run(built)
    with pytest.raises(HiveError, match="is there and is public"):
        run(built, private=True)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("harm", ["shard", "size", "table", "card", "unlisted", "sidecar", "plan"])
def test_a_dataset_that_is_not_as_it_was_finished_is_refused(
    hub: HubServer, dataset: Path, harm: str
) -> None:
    tar = sorted(dataset.glob("data/2mix/*.tar"))[0]
    if harm == "shard":
        data = bytearray(tar.read_bytes())
        data[5000] ^= 1
        tar.write_bytes(data)
    elif harm == "size":
        tar.write_bytes(tar.read_bytes()[:-1])
    elif harm == "table":
        (dataset / "LICENSES.csv").write_text("clip_id\n")
    elif harm == "card":
        (dataset / "README.md").write_text("# Mine\n")
    elif harm == "unlisted":
        sums = (dataset / "SHA256SUMS").read_text()
        (dataset / "SHA256SUMS").write_text(f"{sums}{'0' * 64}  data/2mix/../../../etc/passwd\n")
    elif harm == "sidecar":
        next((dataset / ".hive" / "data").glob("*/*.json")).unlink()
    else:
        (dataset / "SHA256SUMS").unlink()
    with pytest.raises(HiveError):
        run(dataset)
    assert REPO not in hub.repos or len(hub.repos[REPO].history()) == 1


@pytest.mark.usefixtures("here")
def test_shards_that_the_hub_has_need_not_be_here(hub: HubServer, dataset: Path) -> None:
    run(dataset)
    for tar in dataset.glob("data/*/train-*.tar"):
        tar.unlink()
    assert not run(dataset).change
    with pytest.raises(HiveError, match="is missing, and the hub has not got it"):
        run(dataset, revision="other") if hub.repos.pop(REPO) else None


@pytest.mark.usefixtures("here")
def test_a_tag_is_set_on_what_was_compared(
    hub: HubServer, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_server import Entry

    run(built)
    repo = hub.repos[REPO]
    head = module.Repository.head

    def behind_somebody(self: module.Repository) -> str:
        if not repo.tags:
            files = {**repo.history()[0].files, "README.md": Entry(b"# Mine", False)}
            repo.add("main", files, "by somebody")
        return head(self)

    monkeypatch.setattr(module.Repository, "head", behind_somebody)
    with pytest.raises(HiveError, match=r"1 files are not as they were sent, such as README\.md"):
        run(built, tag="v1")
    assert repo.tags == {}
    monkeypatch.setattr(module.Repository, "head", head)
    run(built, tag="v1")
    repo.add("main", {"README.md": Entry(b"# Mine", False)}, "by somebody")
    with pytest.raises(HiveError, match="there is a tag 'v1' already"):
        run(built, tag="v1", dry_run=True)


def test_the_command_tells_what_is_wrong(
    built: Path, tmp_path: Path, hub: HubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    from hive.main import run as command

    assert command(["publish", str(tmp_path), "--repo", REPO]) == 1
    assert "not a finished dataset" in capsys.readouterr().err
    dry = subprocess.run(
        [
            sys.executable,
            "-m",
            "hive",
            "publish",
            str(built),
            "--repo",
            REPO,
            "--dry-run",
            "--json",
        ],
        env={**os.environ, **hub.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert dry.returncode == 0, dry.stderr
    assert {one["name"] for one in json.loads(dry.stdout)["sent"]} == names(built)
