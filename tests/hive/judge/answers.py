"""A judge for tests, without a model: it answers as the query says."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

MODE = sys.argv[1] if len(sys.argv) > 1 else ""
#: One line a request: the number of its items.
LOG = Path(sys.argv[2]) if len(sys.argv) > 2 else None
HELLO = {
    "type": "hello",
    "protocol": 1,
    "task": "judge",
    "name": "answers",
    "sample_rate": 48000,
    "max_batch": 3,
    "checkpoint_sha256": 16 * "c0de",
}
CHANGES = {
    "wrong-task": {"task": "separate", "generative": False},
    "no-task": {"task": None},
    "old": {"protocol": 0},
    "no-rate": {"sample_rate": 0},
    "no-batch": {"max_batch": 0},
}


def say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def marks(item: dict) -> dict:
    number = float(len(item["query"]))
    scores = {"faithfulness": 4.5, "overall": number, "precision": 3.5, "recall": -0.25}
    if item["query"] == "paths":
        scores["overall"] = float(Path(item["mixture"]).stat().st_size)
        scores["recall"] = float(Path(item["estimate"]).stat().st_size)
    if item["query"] == "nan":
        scores["recall"] = float("nan")
    if item["query"] == "infinite":
        scores["recall"] = float("inf")
    if item["query"] == "huge":
        scores["recall"] = 10**400
    if item["query"] == "text":
        scores["recall"] = "good"
    if item["query"] == "true":
        scores["recall"] = True
    if item["query"] == "missing":
        del scores["precision"]
    return scores


for line in sys.stdin:
    request = json.loads(line)
    if request["type"] == "hello":
        if MODE == "no-start":
            sys.exit("GatedRepoError: ask for access")
        if MODE == "slow":
            time.sleep(60)
        say({**HELLO, "details": {"device": request["device"]}, **CHANGES.get(MODE, {})})
        continue
    queries = [item["query"] for item in request["items"]]
    if LOG is not None:
        with LOG.open("a") as handle:
            handle.write(f"{len(queries)}\n")
    answer = {"type": "result", "id": request["id"], "ok": True}
    if "crash" in queries:
        sys.exit(7)
    if "hang" in queries:
        time.sleep(60)
    if "chatter" in queries:
        sys.stdout.write("loading\n")
    if "refuse" in queries:
        say({**answer, "ok": False, "error": "cannot judge this"})
        continue
    if "wrong-id" in queries:
        answer["id"] = 0
    answer["scores"] = [marks(item) for item in request["items"]]
    if "count" in queries:
        answer["scores"].append(answer["scores"][0])
    if "no-scores" in queries:
        del answer["scores"]
    if "list" in queries:
        answer["scores"] = [list(one.values()) for one in answer["scores"]]
    say(answer)
