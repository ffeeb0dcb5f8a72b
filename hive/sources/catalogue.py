"""The sources that clips can come from."""

from __future__ import annotations

from hive.sources import synth


def catalogue() -> list[dict[str, str]]:
    """Return one entry a source: name, what it is, licence, and the command that uses it."""
    return [
        {
            "name": "folder",
            "what": "recordings of your own, with a CSV manifest or a folder for each label",
            "licence": "as the manifest says, for each recording",
            "command": "hive-bench pool import PATH --out POOL",
        },
        {
            "name": "synth",
            "what": f"procedural sounds of {len(synth.classes())} classes, for demos and tests",
            "licence": "CC0-1.0",
            "command": "hive-bench pool synth --out POOL",
        },
    ]
