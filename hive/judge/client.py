"""Finding a judge and asking it.

A judge is named by `--judge` or by the environment variable HIVE_JUDGE: `process:COMMAND`, a worker
in its own environment (`hive/judge/worker.py` is the one for SAM-Audio Judge, `docs/judge.md` says
how to set it up), or `standin:judge-snr` for tests and demos. HIVE_JUDGE_TIMEOUT and
HIVE_JUDGE_START_TIMEOUT give its worker more time.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hive.audio import Float
from hive.errors import HiveError
from hive.judge import inputs, standin
from hive.judge.base import SCORES, FloatArray, Judge, JudgeInfo, OnFailure
from hive.protocol import ClosedError, RefusedError, Worker

VARIABLE = "HIVE_JUDGE"
WORKER = Path(__file__).with_name("worker.py")
TIMEOUT_VARIABLE = "HIVE_JUDGE_TIMEOUT"
START_TIMEOUT_VARIABLE = "HIVE_JUDGE_START_TIMEOUT"
_TIMEOUT = 600.0
_START_TIMEOUT = 3600.0
_PROCESS = "process:"
_MOST_FAILURES = 3  # in a row; each costs a start of the worker, which may take minutes


def describe(spec: str | None = None) -> JudgeInfo:
    """Say what a specification names and whether it can be used here, without starting it.

    Args:
        spec: `process:COMMAND` or `standin:judge-snr`; None for what HIVE_JUDGE says.
    """
    spec = os.environ.get(VARIABLE, "") if spec is None else spec
    set_up = (
        "make an environment for it as docs/judge.md says and give "
        f'--judge "process:/path/to/its/bin/python {WORKER}", or set {VARIABLE} to that'
    )
    if not spec:
        return JudgeInfo("", "SAM-Audio Judge", reason="no judge is set up", remedy=set_up)
    if spec == standin.NAME:
        return JudgeInfo(
            spec,
            "stand-in: ratios to the true source, no judge",
            standin=True,
            needs_reference=True,
        )
    if not spec.startswith(_PROCESS):
        return JudgeInfo(
            spec,
            "unknown",
            reason=f"there is no judge {spec!r}",
            remedy=f"give process:COMMAND (see docs/judge.md) or {standin.NAME}",
        )
    reason = _cannot_start(spec.removeprefix(_PROCESS))
    return JudgeInfo(spec, "a judge in a process", reason=reason, remedy=set_up if reason else "")


def load(
    spec: str | None = None,
    *,
    device: str = "cpu",
    start_timeout: float | None = None,
    timeout: float | None = None,
) -> Judge:
    """Start a judge.

    Args:
        spec: `process:COMMAND` or `standin:judge-snr`; None for what HIVE_JUDGE says.
        device: Torch device, told to the worker.
        start_timeout: Seconds that it may take to load its model, or to fetch it the first time;
            None for what HIVE_JUDGE_START_TIMEOUT says, else an hour.
        timeout: Seconds that one request, of a few items, may take; None for what
            HIVE_JUDGE_TIMEOUT says, else 600.

    Raises:
        HiveError: If no judge is set up, it cannot be started, or it is no judge; or a variable
            holds no number of seconds.
    """
    info = describe(spec)
    if not info.available:
        raise HiveError(f"judge: {info.reason}", info.remedy)
    if info.standin:
        return standin.SnrJudge()
    command = info.spec.removeprefix(_PROCESS)
    if start_timeout is None:
        start_timeout = _seconds(START_TIMEOUT_VARIABLE, _START_TIMEOUT)
    if timeout is None:
        timeout = _seconds(TIMEOUT_VARIABLE, _TIMEOUT)
    return ProcessJudge(command, device=device, start_timeout=start_timeout, timeout=timeout)


class ProcessJudge:
    """A judge in a worker process; see `load` for the arguments.

    The worker is started again after a crash, a hang or nonsense. A request of several items that
    fails is repeated item by item, so that a bad item costs no other. After three such failures in
    a row it is given up: `score` raises, whether or not it is told where failures go. An item that
    the judge refuses is no such failure.

    `close` may be called while another thread waits in `score`, which then raises.
    """

    standin = False
    needs_reference = False

    def __init__(self, command: str, *, device: str, start_timeout: float, timeout: float) -> None:
        self._timeout = timeout
        self._worker = Worker(
            command,
            "judge",
            device=device,
            fields={"max_batch": (int, 1)},
            start_timeout=start_timeout,
            role="judge",
            more_time=f"set {TIMEOUT_VARIABLE} (a request) or {START_TIMEOUT_VARIABLE} (its start) "
            "to more seconds",
        )
        self._failures: list[HiveError] = []  # since the last scores
        hello = self._worker.hello
        self.name: str = hello["name"]
        self.checkpoint_sha256: str | None = hello["checkpoint_sha256"]
        self.details: dict[str, Any] = hello["details"]
        self._rate: int = hello["sample_rate"]
        self._max_batch: int = hello["max_batch"]
        for name, value in (("sample_rate", self._rate), ("max_batch", self._max_batch)):
            if value < 1:
                self.close()
                raise self._worker.nonsense(f"field {name} of its hello is {value}")

    def score(
        self,
        mixture: inputs.Signals,
        estimates: inputs.Signals,
        queries: Sequence[str],
        sample_rate: int,
        *,
        references: inputs.Signals | None = None,
        on_failure: OnFailure | None = None,
    ) -> FloatArray:
        """See `hive.judge.base.Judge.score`; references are not used.

        Raises:
            HiveError: Also with `on_failure`: the judge is closed, or is given up.
        """
        self._give_up_after_failures()
        pairs = inputs.pairs(mixture, estimates, sample_rate, self._rate)
        if len(queries) != len(pairs):
            raise ValueError(f"{len(pairs)} estimates and {len(queries)} queries")
        values = np.full((len(pairs), len(SCORES)), np.nan)
        todo = list(range(len(pairs)))
        while todo:
            chosen, todo = todo[: self._max_batch], todo[self._max_batch :]
            self._fill(values, chosen, pairs, queries, on_failure)
        return values

    def close(self) -> None:
        """Stop the worker, at once if it is at work, and remove its files."""
        self._worker.close()

    def _fill(
        self,
        values: FloatArray,
        chosen: list[int],
        pairs: Sequence[inputs.Pair],
        queries: Sequence[str],
        on_failure: OnFailure | None,
    ) -> None:
        try:
            values[chosen] = self._ask([(pairs[index], queries[index]) for index in chosen])
            self._failures.clear()
        except ClosedError:
            raise
        except HiveError as error:
            if not isinstance(error, RefusedError):
                self._failures.append(error)
                self._give_up_after_failures()
            if len(chosen) > 1:
                for index in chosen:
                    self._fill(values, [index], pairs, queries, on_failure)
            elif on_failure is None:
                raise
            else:
                on_failure(chosen[0], error)

    def _give_up_after_failures(self) -> None:
        if len(self._failures) >= _MOST_FAILURES:
            last = self._failures[-1]
            raise HiveError(
                f"the judge failed {len(self._failures)} times in a row, the last one with: "
                f"{last.problem}",
                last.remedy,
            ) from last

    def _ask(self, items: Sequence[tuple[inputs.Pair, str]]) -> list[list[float]]:
        mixtures: dict[int, str] = {}
        asked = []
        for number, (pair, query) in enumerate(items):
            key = id(pair.mixture)
            if key not in mixtures:
                mixtures[key] = self._write(f"mixture-{number}.wav", pair.mixture)
            estimate = self._write(f"estimate-{number}.wav", pair.estimate)
            asked.append({"mixture": mixtures[key], "estimate": estimate, "query": query})
        reply = self._worker.ask({"type": "judge", "items": asked}, self._timeout)
        scores = reply.get("scores")
        if not isinstance(scores, list) or len(scores) != len(items):
            raise self._worker.nonsense(f"its scores for {len(items)} items are {scores!r:.200}")
        return [self._row(score) for score in scores]

    def _row(self, score: Any) -> list[float]:
        if not isinstance(score, dict):
            raise self._worker.nonsense(f"the scores of an item are {score!r:.200}")
        for name in SCORES:
            value: Any = score.get(name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not abs(value) <= sys.float_info.max:
                raise self._worker.nonsense(f"score {name} is {value!r:.50}, no finite number")
        return [float(score[name]) for name in SCORES]

    def _write(self, name: str, samples: Float) -> str:
        return str(self._worker.write(name, samples, self._rate))


def _seconds(variable: str, default: float) -> float:
    """Return the time limit in an environment variable."""
    text = os.environ.get(variable, "")
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise HiveError(
            f"{variable} is {text!r}, no number of seconds",
            f"set it to a number above 0, or unset it for {default:g}",
        )
    return seconds


def _cannot_start(command: str) -> str:
    """Why a command cannot be started; empty if nothing speaks against it."""
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        return f"judge process:{command}: {error}"
    if not arguments or shutil.which(arguments[0]) is None:
        return f"judge process:{command}: there is no program {arguments[0] if arguments else ''!r}"
    return ""
