"""What the engine writes down of every window, kept or refused."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from hive.engine.rules import Scores
from hive.engine.windows import Window

#: One row a window, or a recording that gave none.
WINDOW_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("path", pa.string()),
        ("recording_id", pa.string()),
        ("start_second", pa.float64()),
        ("end_second", pa.float64()),
        ("labels", pa.list_(pa.string())),
        ("subset", pa.string()),  # "" where it was refused
        ("reason", pa.string()),  # "" where it was kept
        ("detail", pa.string()),
        ("re_sdr", pa.float64()),  # null where nothing was separated, or where it is infinite
        ("re_si_sdr", pa.float64()),
        ("correlation", pa.float64()),
        ("similarity", pa.float64()),
        ("least_share", pa.float64()),
    ]
)


def window_row(
    window: Window, *, subset: str = "", reason: str = "", detail: str = "", scores: Scores | None
) -> dict[str, Any]:
    """Return the row of a window."""
    return {
        "key": window.key,
        "path": window.path,
        "recording_id": window.recording_id,
        "start_second": window.start,
        "end_second": window.end,
        "labels": list(window.events),
        "subset": subset,
        "reason": reason,
        "detail": detail,
        **(scores.as_row() if scores else {}),
    }
