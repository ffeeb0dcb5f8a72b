"""The parts of publishing by themselves: faults, batches, threads, checks."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    XetAuthorizationError,
)
from hypothesis import given
from hypothesis import strategies as st

from hive.errors import HiveError
from hive.publishing import checks
from hive.publishing.faults import FIRST_WAITS, WAITS, judge, persistently
from hive.publishing.publish import Wish, parse_splits
from hive.publishing.selection import File, check_limits
from hive.publishing.transfer import _in_threads, batches
from hive.shards.edition import Edition
from hive.shards.facts import read_facts


def answer(status: int, message: str = "", **headers: str) -> HfHubHTTPError:
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): v for name, v in headers.items()})
    response.request = requests.Request("GET", "http://hub.example").prepare()
    return HfHubHTTPError(f"{status} Error", response, server_message=message or None)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 524])
def test_answers_that_pass(status: int) -> None:
    assert judge(answer(status)).passing


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (answer(401), "hf auth login"),
        (answer(403, "no write access"), "--create-pr"),
        (answer(403, "Private repository storage limit reached"), "billing"),
        (answer(402), "billing"),
        (answer(413), "billing"),
        (answer(404), "--repo"),
        (answer(400, "bad yaml"), "mend"),
        (LocalTokenNotFoundError("no token"), "hf auth login"),
        (XetAuthorizationError("no"), "hf auth login"),
        (OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE"),
        (FileNotFoundError("data/x.tar"), "again"),
        (ValueError("LFS batch API returned errors:\nquota exceeded"), "billing"),
    ],
)
def test_answers_that_stay(error: Exception, remedy: str) -> None:
    fault = judge(error)
    assert not fault.passing
    assert remedy in fault.remedy


def test_the_cause_of_an_error_counts() -> None:
    def wrapped(cause: Exception) -> Exception:
        outer = RuntimeError("Error while uploading 'x' to the Hub.")
        outer.__cause__ = cause
        return outer

    assert not judge(wrapped(answer(403))).passing
    assert judge(wrapped(answer(429, Retry_After="7"))).wait == 7.0
    assert judge(wrapped(requests.ConnectionError("reset"))).passing
    assert judge(RuntimeError("hf_xet: broken pipe")).passing


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "12"}, 12.0),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
        ({"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
def test_the_hub_may_say_how_long_to_wait(headers: dict[str, str], wait: float | None) -> None:
    assert judge(answer(429, **headers)).wait == wait


def test_what_passes_is_tried_again_and_told() -> None:
    errors = [answer(503), answer(429, Retry_After="40"), requests.ConnectionError()]
    waited: list[float] = []
    told: list[str] = []

    def action() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    assert persistently(action, "sending x", told.append, sleep=waited.append) == "done"
    assert waited == [WAITS[0], 40.0, WAITS[2]]
    assert len(told) == 3
    assert told[0] == "sending x: the hub answers 503; again in 1 s"


def test_patience_ends_and_says_how_to_go_on() -> None:
    waited: list[float] = []

    def action() -> None:
        raise answer(500)

    with pytest.raises(HiveError, match="sending x: the hub answers 500") as caught:
        persistently(action, "sending x", str, sleep=waited.append)
    assert "same command" in caught.value.remedy
    assert tuple(waited) == WAITS

    def long() -> None:
        raise answer(429, Retry_After="7200")

    with pytest.raises(HiveError, match=r"wait 2\.0 h"):
        persistently(long, "x", str, sleep=waited.append)


def test_errors_of_ours_are_not_tried_again() -> None:
    calls = []

    def action() -> None:
        calls.append(1)
        raise HiveError("changed")

    with pytest.raises(HiveError, match="changed"):
        persistently(action, "x", str)
    assert calls == [1]


def file(number: int, size: int) -> File:
    return File(f"f{number}", Path("x"), size, "0" * 64)


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 7), st.integers(1, 60))
def test_batches_keep_order_and_limits(sizes: list[int], most: int, heaviest: int) -> None:
    files = [file(number, size) for number, size in enumerate(sizes)]
    groups = list(batches(files, most, heaviest))
    assert [one for group in groups for one in group] == files
    for group, following in zip(groups, [*groups[1:], None][: len(groups)], strict=True):
        weight = sum(one.size for one in group)
        assert 0 < len(group) <= most
        assert weight <= heaviest or len(group) == 1
        if following:  # as few as can be
            assert len(group) == most or weight + following[0].size > heaviest


def test_threads_do_everything_once_and_stop_at_a_failure() -> None:
    seen: list[str] = []
    lock = threading.Lock()

    def action(one: File) -> File:
        with lock:
            seen.append(one.name)
        if one.name == "f5":
            raise HiveError("broken")
        return one

    files = [file(number, 1) for number in range(5)]
    assert {one.name for one in _in_threads(action, files, 3)} == {one.name for one in files}
    assert sorted(seen) == sorted(one.name for one in files)
    seen.clear()
    files = [file(number, 1) for number in range(5, 500)]
    with pytest.raises(HiveError, match="broken"):
        list(_in_threads(action, files, 1))
    assert seen == ["f5"]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (["LicenseRef-YouTube"], "YouTube's terms"),
        (["LicenseRef-Unknown"], "not known"),
        (["LicenseRef-BBC-RemArc"], "must not be passed on"),
        (["LicenseRef-Research-Only"], "research or private use only"),
        (["CC-BY-ND-4.0"], "a mixture is one"),
        (["CC-BY-NC-4.0", "CC-BY-SA-4.0"], "CC-BY-SA-4.0 with CC-BY-NC-4.0"),
    ],
)
def test_licences_that_forbid_publishing(built: Path, parts: list[str], told: str) -> None:
    facts = replace(read_facts(built), inherited={"train": [(parts, 9)], "test": [(["MIT"], 2)]})
    with pytest.raises(HiveError, match="9 mixtures") as caught:
        checks.check_licences(facts, Edition("me/x"))
    assert told in caught.value.problem
    assert "--accept licences" in caught.value.remedy
    # Nothing forbids the tables, or the shards of a split that is free.
    checks.check_licences(facts, Edition("me/x", splits=()))
    checks.check_licences(facts, Edition("me/x", splits=("test",)))


def test_licences_that_allow_publishing(built: Path) -> None:
    free = [["CC0-1.0"], ["CC-BY-4.0", "CC0-1.0"], ["CC-BY-NC-4.0"], ["CC-BY-SA-4.0", "MIT"]]
    facts = replace(read_facts(built), inherited={"train": [(parts, 1) for parts in free]})
    checks.check_licences(facts, Edition("me/x"))


@pytest.mark.parametrize(
    "text",
    [
        "/home/anna/sounds/a.wav",
        'made from "/Users/anna/a.wav"',
        r"C:\Users\anna\a.wav",
        r"\\server\share\a.wav",
        "file:///srv/a.wav",
        "s3://our-bucket/pool/a.wav",
        "/data/anna/a.wav",
        "~/home/x/y",
        "recorded by zaphod-42",
        "on deep-thought-7.example",
    ],
)
def test_private_text_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(checks.getpass, "getuser", lambda: "zaphod-42")
    monkeypatch.setattr(checks.socket, "gethostname", lambda: "deep-thought-7")
    path = tmp_path / "LICENSES.csv"
    path.write_text(f"clip_id,attribution\nc1,{text}\n")
    with pytest.raises(HiveError, match=r"LICENSES\.csv, line 2") as caught:
        checks.check_private([path])
    assert "--accept names" in caught.value.remedy


def test_public_text_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.getpass, "getuser", lambda: "root")
    monkeypatch.setattr(checks.socket, "gethostname", lambda: "box")
    path = tmp_path / "LICENSES.csv"
    path.write_text(
        "https://freesound.org/home/people/anna/, Ann and/or Bob, fsd50k/dog/1.flac, "
        "root of it all, https://example.org/data/x, a boxer\n"
    )
    checks.check_private([path])


def test_of_much_private_text_some_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "LICENSES.csv"
    path.write_text("".join(f"/home/anna/{number}.wav\n" for number in range(5000)))
    with pytest.raises(HiveError, match=r"LICENSES\.csv, line 12: ") as caught:
        checks.check_private([path])
    assert caught.value.problem.count("\n") == 12


def test_more_files_than_the_hub_takes() -> None:
    def many(count: int, folders: int = 1) -> list[File]:
        some = [File(f"data/{n}/x", Path("x"), 1, "0" * 64) for n in range(folders)]
        return [some[n % folders] for n in range(count)]

    check_limits(many(9_999))
    with pytest.raises(HiveError, match="10000 files in data/0: the hub takes fewer") as caught:
        check_limits(many(10_000))
    assert "--shard-size" in caught.value.remedy
    with pytest.raises(HiveError, match="100001 files: the hub takes"):
        check_limits(many(100_001, 20))


def test_private_text_in_the_mixture_table_is_found(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = built / "mixtures.parquet"
    monkeypatch.setattr(checks.socket, "gethostname", lambda: "box")
    monkeypatch.setattr(checks.getpass, "getuser", lambda: "root")
    checks.check_private([table])
    monkeypatch.setattr(checks.getpass, "getuser", lambda: "example")
    with pytest.raises(HiveError, match=r"mixtures\.parquet, sources\.attribution: A \|"):
        checks.check_private([table])


def test_wishes_that_cannot_be(tmp_path: Path) -> None:
    for repo in ("name", "a/b/c", "a/ü", "a/..", "../b", "a b/c", "-a/b"):
        with pytest.raises(HiveError, match="--repo"):
            Wish(repo)
    with pytest.raises(HiveError, match="--tag"):
        Wish("a/b", tag="v 1")
    with pytest.raises(HiveError, match="--revision"):
        Wish("a/b", revision="../x")
    with pytest.raises(HiveError, match="--create-pr"):
        Wish("a/b", create_pr=True, tag="v1")
    assert parse_splits("test, validation") == ("validation", "test")
    assert parse_splits("none") == ()
    with pytest.raises(HiveError, match="'dev' is no split"):
        parse_splits("dev")


def test_a_hub_that_never_answers_is_given_up_soon() -> None:
    waited: list[float] = []
    asked = 0

    def away() -> str:
        nonlocal asked
        asked += 1
        raise requests.ConnectionError("no route")

    with pytest.raises(HiveError, match="the connection broke"):
        persistently(away, "asking the hub", lambda _: None, waits=FIRST_WAITS, sleep=waited.append)
    assert (asked, tuple(waited)) == (len(FIRST_WAITS) + 1, FIRST_WAITS)
