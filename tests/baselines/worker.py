"""A worker for `process:`: halves the mixture, or misbehaves as its first argument says."""

from __future__ import annotations

import json
import sys
import time

import soundfile

MODE = sys.argv[1] if len(sys.argv) > 1 else "halve"
HELLO = {
    "type": "hello",
    "protocol": 1,
    "name": "halver",
    "sample_rate": 16000,
    "generative": False,
}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def reply(message: dict) -> None:
    say(json.dumps(message))


for line in sys.stdin:
    request = json.loads(line)
    if request["type"] == "hello":
        if MODE == "no-hello":
            sys.exit("cannot find the checkpoint")
        if MODE == "slow-hello":
            time.sleep(60)
        if MODE == "bad-rate":
            HELLO["sample_rate"] = "fast"
        if MODE == "old":
            HELLO["protocol"] = 0
        if MODE == "judge":
            HELLO["task"] = "judge"
        if MODE == "any-rate":
            HELLO["sample_rate"] = 0
        reply({**HELLO, "negatives": True, "details": {"device": request["device"]}})
        continue
    query = request["query"]
    answer = {"type": "result", "id": request["id"], "ok": True}
    if query == "crash":
        sys.stderr.write("the card is on fire\n")
        sys.exit(3)
    if query == "hang":
        time.sleep(60)
    if query == "refuse":
        reply({**answer, "ok": False, "error": "unknown sound"})
        continue
    if query == "chatter":
        say("Loading weights...")
        continue
    if query == "wrong-id":
        reply({**answer, "id": -1})
        continue
    if query == "no-ok":
        reply({"type": "result", "id": request["id"]})
        continue
    if query == "no-file":
        reply(answer)
        continue
    samples, rate = soundfile.read(request["mixture"], dtype="float32")
    if query == "wrong-rate":
        rate //= 2
    if query == "seed":
        samples[:] = request["seed"] % 1000 / 1000
    elif query == "negatives":
        samples[:] = len(request["negatives"])
    else:
        samples *= 0.5
    soundfile.write(request["output"], samples, rate, subtype="FLOAT")
    reply(answer)
