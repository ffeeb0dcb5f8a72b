"""Stage 1: cut recordings into windows (Hive paper, section 3.1)."""

from __future__ import annotations

WINDOW_SECONDS = 10.0
HOP_SECONDS = 5.0


def windows(num_samples: int, sample_rate: int) -> list[tuple[int, int]]:
    """Return the 10-s windows of a recording, one every 5 s, as sample ranges.

    The tail that does not fill a window is dropped, so a recording shorter than one window
    has none.
    """
    size = round(WINDOW_SECONDS * sample_rate)
    hop = round(HOP_SECONDS * sample_rate)
    return [(start, start + size) for start in range(0, num_samples - size + 1, hop)]
