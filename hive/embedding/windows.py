"""How a sound is cut into the windows of 10 s that embedders take.

Sounds are mono samples at 48 kHz, shape (T,).

full
    The whole sound as one window: what CLAP does with sounds of up to 10 s ("repeatpad").
sliding
    A window every second with zeros after the end: what fadtk does for LAION-CLAP. A sound of 10 s
    gives 10 windows; the first is `full`, the last holds one second of sound.
tail
    The second window that AudioEditingCode's notebooks cut from a sound of more than 9 s: their
    windows of 10 s overlap by 10 %, so one starts at 9 s, and the second or less that it holds is
    repeated. They cut one window from a shorter sound, whose `tail` is `full`.
"""

from __future__ import annotations

import numpy as np

from hive.embedding.base import RATE, WINDOW, Float32

HOP = RATE
"""Samples from one sliding window to the next: 1 s."""
TAIL = 9 * RATE
"""Sample at which a tail starts."""


def full(samples: Float32) -> Float32:
    """Return a sound as one window: repeated in whole copies, then zeros.

    Args:
        samples: Sound of up to 10 s, shape (T,).

    Returns:
        Shape (WINDOW,).

    Raises:
        ValueError: The sound is empty or longer than 10 s.

    Example:
        >>> window = full(np.ones(180_000, np.float32))  # 3.75 s: twice, then zeros
        >>> int(window.sum())
        360000
    """
    if not 0 < len(samples) <= WINDOW:
        raise ValueError(
            f"a sound of {len(samples) / RATE:.3f} s does not fit a window of {WINDOW / RATE:.0f} s"
        )
    window = np.zeros(WINDOW, np.float32)
    copies = WINDOW // len(samples)
    window[: copies * len(samples)] = np.tile(samples, copies)
    return window


def sliding(samples: Float32) -> Float32:
    """Return the windows that start at every full second of a sound of any length.

    Returns:
        Shape (W, WINDOW), W = ceil(T / 48000); a view in which windows share memory.

    Raises:
        ValueError: The sound is empty.
    """
    if not len(samples):
        raise ValueError("a sound without samples has no windows")
    count = -(-len(samples) // HOP)
    padded = np.zeros((count - 1) * HOP + WINDOW, np.float32)
    padded[: len(samples)] = samples
    windows: Float32 = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return windows


def tail(samples: Float32) -> Float32:
    """Return what follows after 9 s as one window, or all of a sound of at most 9 s.

    The mean over `full` and `tail` of a shorter sound is that of its one window.

    Args:
        samples: Sound of up to 10 s, shape (T,).

    Returns:
        Shape (WINDOW,).

    Raises:
        ValueError: The sound is empty or longer than 10 s.
    """
    return full(samples[TAIL:] if TAIL < len(samples) <= WINDOW else samples)
