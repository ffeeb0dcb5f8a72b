"""What becomes of the channels of a recording, before a model that takes one."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hive.audio import Float


class Channels(str, Enum):
    """A policy: each channel by itself, their mean, or the first one."""

    each = "each"
    mean = "mean"
    first = "first"


def choose(samples: Float, policy: Channels) -> Float:
    """Return the channels to separate: shape (T, C) to (T, C) for "each", otherwise to (T, 1)."""
    from hive.audio import to_mono

    if policy is Channels.each or samples.shape[1] == 1:
        return samples
    return samples[:, :1] if policy is Channels.first else to_mono(samples)[:, None]
