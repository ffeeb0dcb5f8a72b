"""Binding a folder to the settings of the run that fills it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hive.errors import HiveError
from hive.files import json_text, write_new


def claim(path: Path, settings: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Write the settings to `path`, or compare them with those that are there.

    Of several runs that come at once, one writes and the others compare, on S3 too
    (`hive.storage.put_new`).

    Returns:
        What differs from the settings that are there; nothing where the run may go on.

    Raises:
        HiveError: If what is there are no settings.
    """
    if not path.is_file() and write_new(path, json_text(settings).encode("utf-8")):
        return []
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        there = None
    if not isinstance(there, dict):
        raise HiveError(
            f"{path}: these are no settings of a run", "remove the file, then run the command again"
        )
    return differences(there, settings)


def differences(
    before: dict[str, Any], after: dict[str, Any], prefix: str = ""
) -> list[tuple[str, Any, Any]]:
    """Return name, old and new value of each setting that differs; names of parts are dotted."""
    found: list[tuple[str, Any, Any]] = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append((f"{prefix}{key}", old, new))
    return found


def describe(changed: list[tuple[str, Any, Any]]) -> str:
    """Say which settings differ, one a line, as `name: there -> asked for`."""
    return "\n".join(f"  {name}: {old} there -> {new} asked for" for name, old, new in changed)
