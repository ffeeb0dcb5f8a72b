"""The process protocol's machinery, apart from what workers are asked for."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from hive.errors import HiveError
from hive.protocol import ClosedError, RefusedError, Worker

HELLO = '{"type": "hello", "protocol": 1, "name": "w", "sample_rate": 8000}'


def _command(tmp_path: Path, body: str) -> str:
    """Write a worker whose body has `say`, and `requests` after a hello that it must answer."""
    script = tmp_path / "script.py"
    script.write_text(
        "import json, os, subprocess, sys, time\n"
        f"HELLO = '{HELLO}'\n"
        "def say(text):\n    sys.stdout.write(text + '\\n'); sys.stdout.flush()\n"
        "requests = (json.loads(line) for line in sys.stdin)\nnext(requests)\n" + body
    )
    return shlex.join([sys.executable, str(script)])


def _worker(command: str, **options: Any) -> Worker:
    settings = {"device": "cpu", "fields": {}, "start_timeout": 20.0, "role": "model"}
    return Worker(command, "separate", **{**settings, "more_time": "wait", **options})


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _gone(pid: int) -> bool:
    """Whether a process ends within some seconds."""
    end = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not _alive(pid)


def _wait_for(happened: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


ECHO = """
say(HELLO)
for request in requests:
    say(json.dumps({"type": "result", "id": request["id"], "ok": True, "seen": request}))
"""


def test_requests_are_numbered_and_answered(tmp_path: Path) -> None:
    worker = _worker(_command(tmp_path, ECHO), fields={"size": (int, 3)})
    try:
        assert worker.hello["task"] == "separate"
        assert (worker.hello["size"], worker.hello["details"]) == (3, {})
        for number in (1, 2):
            reply = worker.ask({"type": "x", "text": "Regen, Föhn"}, 20)
            assert reply["seen"] == {"type": "x", "text": "Regen, Föhn", "id": number}
    finally:
        worker.close()


def test_the_greeting_says_protocol_and_device(tmp_path: Path) -> None:
    script = tmp_path / "repeats.py"
    script.write_text("import sys\nsys.exit(sys.stdin.readline())")
    with pytest.raises(HiveError, match='"type": "hello", "protocol": 1, "device": "cuda:1"'):
        _worker(shlex.join([sys.executable, str(script)]), device="cuda:1")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('"sample_rate": true', "field sample_rate of its hello is True"),
        ('"task": "judge"', "its task is 'judge', not 'separate'"),
        ('"task": 1', "field task of its hello is 1"),
        ('"protocol": 2', "it speaks protocol 2 at 8000 Hz"),
        ('"sample_rate": -1', "at -1 Hz"),
        ('"type": "bye"', "hello was answered by"),
        ('"size": "large"', "field size of its hello is 'large'"),
        ('"details": []', r"field details of its hello is \[\]"),
        ('"checkpoint_sha256": "v2"', "field checkpoint_sha256 of its hello is 'v2', no SHA-256"),
        ('"checkpoint_sha256": 5', "field checkpoint_sha256 of its hello is 5"),
        ('"details": {"loss": NaN}', "field details of its hello is no strict JSON"),
        ('"details": {"a": [{"b": -1e999}]}', "field details of its hello is no strict JSON"),
        (r'"details": {"a": "\\ud800"}', "field details of its hello is no strict JSON"),
        (r'"name": "\\udfff"', "field name of its hello is no strict JSON"),
    ],
)
def test_a_hello_is_checked(tmp_path: Path, change: str, told: str) -> None:
    # The last of two equal keys counts.
    command = _command(tmp_path, f"say(HELLO[:-1] + ', {change}}}')\nlist(requests)")
    with pytest.raises(HiveError, match=told) as caught:
        _worker(command, fields={"size": (int, 1)})
    assert "docs/process-protocol.md" in str(caught.value)


def test_a_field_of_the_task_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="field size of its hello is None"):
        _worker(_command(tmp_path, "say(HELLO)"), fields={"size": (int, ...)})


def test_a_refusal_is_text_that_can_be_recorded_and_leaves_the_worker_running(
    tmp_path: Path,
) -> None:
    body = """
say(HELLO)
for request in requests:
    say('{"type": "result", "id": %d, "ok": false, "error": "a\\\\ud800b"}' % request["id"])
"""
    worker = _worker(_command(tmp_path, body))
    try:
        program = worker._program
        with pytest.raises(RefusedError, match=r": a\?b\. Remedy"):
            worker.ask({"type": "x"}, 20)
        assert worker._program is program
    finally:
        worker.close()


def test_a_reply_nested_too_deep_is_a_fault_of_the_worker(tmp_path: Path) -> None:
    worker = _worker(_command(tmp_path, "say(HELLO)\nnext(requests)\nsay('[' * 200000)"))
    try:
        with pytest.raises(HiveError, match="is no JSON object"):
            worker.ask({"type": "x"}, 20)
    finally:
        worker.close()


def test_another_name_after_a_restart_is_refused(tmp_path: Path) -> None:
    body = f"""
mark = {str(tmp_path / "mark")!r}
say(HELLO.replace('"w"', '"other"') if os.path.exists(mark) else HELLO)
open(mark, "w").close()
next(requests)
"""
    worker = _worker(_command(tmp_path, body))
    try:
        with pytest.raises(HiveError, match="exit status 0"):
            worker.ask({"type": "x"}, 20)
        with pytest.raises(HiveError, match="started again, it says name 'other', and before 'w'"):
            worker.ask({"type": "x"}, 20)
    finally:
        worker.close()


@needs_proc
def test_a_worker_that_closes_its_output_and_stays_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hive.process.GRACE_SECONDS", 0.2)
    worker = _worker(_command(tmp_path, "say(HELLO)\nnext(requests)\nos.close(1)\ntime.sleep(60)"))
    pid = worker._program.process.pid  # type: ignore[union-attr]
    try:
        with pytest.raises(HiveError, match="closed its standard output"):
            worker.ask({"type": "x"}, 20)
        assert _gone(pid)
    finally:
        worker.close()


@needs_proc
def test_a_hanging_worker_is_ended_with_its_children(tmp_path: Path) -> None:
    body = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
say(HELLO[:-1] + f', "details": {{"child": {child.pid}}}}}')
time.sleep(60)
"""
    worker = _worker(_command(tmp_path, body))
    try:
        with pytest.raises(HiveError, match=r"no reply within 0\.2 s") as caught:
            worker.ask({"type": "x"}, 0.2)
        assert caught.value.remedy == "give it more time: wait"
        assert _gone(worker.hello["details"]["child"])
    finally:
        worker.close()


@needs_proc
def test_children_of_a_worker_that_ends_by_itself_are_ended(tmp_path: Path) -> None:
    body = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
say(HELLO[:-1] + f', "details": {{"child": {child.pid}}}}}')
list(requests)
"""
    worker = _worker(_command(tmp_path, body))
    process = worker._program.process  # type: ignore[union-attr]
    assert _alive(worker.hello["details"]["child"])
    worker.close()
    assert process.returncode == 0
    assert _gone(worker.hello["details"]["child"])


def test_a_request_larger_than_a_pipe_arrives_whole(tmp_path: Path) -> None:
    worker = _worker(_command(tmp_path, ECHO))
    text = "0123456789" * 50_000
    try:
        assert worker.ask({"type": "x", "text": text}, 20)["seen"]["text"] == text
    finally:
        worker.close()


@needs_proc
def test_a_worker_that_does_not_read_is_ended_in_time(tmp_path: Path) -> None:
    worker = _worker(_command(tmp_path, "say(HELLO)\ntime.sleep(60)"))
    pid = worker._program.process.pid  # type: ignore[union-attr]
    try:
        with pytest.raises(HiveError, match=r"no reply within 0\.2 s"):
            worker.ask({"type": "x", "text": "x" * (1 << 21)}, 0.2)
        assert _gone(pid)
    finally:
        worker.close()


@needs_proc
def test_close_ends_a_worker_at_work_and_who_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hive.process.GRACE_SECONDS", 50.0)  # is not waited for
    # The child stays, with the worker's standard output open.
    body = f"""
child = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
)
say(HELLO[:-1] + f', "details": {{{{"child": {{child.pid}}}}}}}}}}')
next(requests)
open({str(tmp_path / "mark")!r}, "w").close()
time.sleep(60)
"""
    worker = _worker(_command(tmp_path, body))
    pid = worker._program.process.pid  # type: ignore[union-attr]
    try:
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(worker.ask, {"type": "x"}, 100.0)
            _wait_for((tmp_path / "mark").exists)
            worker.close()
            assert not _alive(pid)
            with pytest.raises(ClosedError, match="was closed"):
                answer.result(20)
        assert not worker.folder.exists()
        with pytest.raises(ClosedError):
            worker.ask({"type": "x"}, 20)
        with pytest.raises(ClosedError):
            worker.write("a.wav", np.zeros(10, np.float32), 8000)
    finally:
        os.kill(worker.hello["details"]["child"], signal.SIGKILL)


@needs_proc
def test_close_ends_a_worker_that_is_being_started_again(tmp_path: Path) -> None:
    body = f"""
mark = {str(tmp_path / "mark")!r}
if os.path.exists(mark):
    with open(mark, "w") as handle:
        handle.write(str(os.getpid()))
    time.sleep(60)
say(HELLO)
open(mark, "w").close()
next(requests)
"""
    worker = _worker(_command(tmp_path, body))
    with pytest.raises(HiveError, match="exit status 0"):
        worker.ask({"type": "x"}, 20)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(worker.ask, {"type": "x"}, 100.0)
        _wait_for((tmp_path / "mark").read_text)
        worker.close()
        with pytest.raises(ClosedError):
            answer.result(20)
    assert _gone(int((tmp_path / "mark").read_text()))


PARENT = """
import sys, time
from hive.protocol import Worker

worker = Worker(sys.argv[1], "separate", device="cpu", fields={}, start_timeout=20.0, role="model",
                more_time="")
sys.stdout.write(f"{worker._program.process.pid}\\n")
sys.stdout.flush()
time.sleep(60)
"""


@needs_proc
def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", PARENT, _command(tmp_path, ECHO)]
    # What a killed parent cannot remove stays in the folder of the test.
    place = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=place) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _alive(pid)
        os.kill(parent.pid, signal.SIGKILL)
    assert _gone(pid)


def test_sound_is_written_without_loss_and_a_lost_folder_is_named(tmp_path: Path) -> None:
    worker = _worker(_command(tmp_path, ECHO))
    samples = np.array([1.5, -2.0, 1e-9], dtype=np.float32)
    try:
        found, rate = soundfile.read(worker.write("a.wav", samples, 44100), dtype="float32")
        assert rate == 44100
        assert np.array_equal(found, samples)
        worker.folder.joinpath("a.wav").unlink()
        worker.folder.rmdir()
        with pytest.raises(HiveError, match=r"a\.wav: cannot be written"):
            worker.write("a.wav", samples, 44100)
    finally:
        worker.close()
