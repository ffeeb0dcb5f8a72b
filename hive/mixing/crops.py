"""Where the crop of a clip starts, so that there is sound in it.

Sixteen places are tried in turn; where the clip is silent at all of them, the crop with the most
energy is taken. The energy of a crop comes from the levels of the clip's frames, which the clip
table holds, so no file is opened.
"""

from __future__ import annotations

from decimal import Context, Decimal

import numpy as np
from numpy.typing import NDArray

from hive import audio
from hive.mixing.clip_arrays import ClipArrays
from hive.mixing.philox import Lanes, Streams

#: Crops start on this grid: seconds that a float holds exactly and any reader truncates alike.
CROP_GRID = 1.0 / 1024.0
_TRIES = 16
#: A crop at most this far below its clip's level counts as having sound in it.
_RANGE = 10.0 ** (-20.0 / 10.0)
_FLOOR = 4.0 * audio.SILENCE_RMS**2
_DIGITS = Context(prec=30)


def _power(level: int) -> float:
    """Return the mean power of a frame of a level (`audio.frame_levels`), rounded correctly.

    numpy's powers differ in the last digit between processors; over an even background that
    decides which of many crops has the most energy, and plans must be the same everywhere.
    """
    exponent = Decimal((level - 128.0) / 10.0)
    return float(_DIGITS.power(Decimal(10), exponent)) if level else 0.0


_POWER = np.array([_power(level) for level in range(256)])


class CropDrawer:
    """Draws where crops start.

    Args:
        clips: The clips.
        seconds: Length of a crop.
    """

    def __init__(self, clips: ClipArrays, seconds: float) -> None:
        self._clips = clips
        self._seconds = seconds
        self._loudest = np.full(len(clips.seconds), np.nan)  # where it was looked for

    def draw(self, streams: Streams, lanes: Lanes, clips: NDArray[np.int32]) -> NDArray[np.float64]:
        """Draw the start of a crop of each clip, in seconds from the clip's start.

        Args:
            streams: Where the numbers come from.
            lanes: Which stream draws for each clip, each at most once, shape (N,).
            clips: Numbers of the clips, shape (N,).
        """
        starts = np.zeros(len(clips))
        room = self._clips.seconds[clips] - self._seconds
        free = np.flatnonzero(room >= CROP_GRID)
        clips, lanes = clips[free], lanes[free]
        steps = _steps(room[free])
        tries = streams.tries(lanes, steps, _TRIES) * CROP_GRID
        frames = self._clips.level_starts[clips + 1] - self._clips.level_starts[clips]
        for count in np.unique(frames):
            alike = np.flatnonzero(frames == count)
            if count:
                starts[free[alike]] = self._first_sounding(clips[alike], tries[:, alike], count)
        return starts

    def _first_sounding(
        self, clips: NDArray[np.int32], tries: NDArray[np.float64], frames: int
    ) -> NDArray[np.float64]:
        """Return the first try with sound, shape (N,), of clips that all have `frames` levels."""
        starts = np.empty(len(clips))
        energy, floor = self._energy(clips, frames)
        waiting = np.arange(len(clips))
        for one in tries:
            start = one[waiting]
            inside = _between(energy, waiting, start, start + self._seconds)
            sounds = inside >= floor[waiting]
            starts[waiting[sounds]] = start[sounds]
            waiting = waiting[~sounds]
            if not waiting.size:
                break
        for row in waiting.tolist():
            clip = clips[row]
            if np.isnan(self._loudest[clip]):
                self._loudest[clip] = self._find_loudest(energy[row], self._clips.seconds[clip])
            starts[row] = self._loudest[clip]
        return starts

    def _energy(
        self, clips: NDArray[np.int32], frames: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each clip's energy up to each frame's start, and the least that a crop must have.

        Returns:
            Shapes (N, frames + 1) and (N,).
        """
        windows = np.lib.stride_tricks.sliding_window_view(self._clips.levels, frames)
        power = _POWER[windows[self._clips.level_starts[clips]]]
        energy = np.zeros((len(clips), frames + 1))
        np.cumsum(power * audio.FRAME_SECONDS, axis=1, out=energy[:, 1:])
        return energy, np.maximum(power.mean(axis=1) * _RANGE, _FLOOR) * self._seconds

    def _find_loudest(self, energy: NDArray[np.float64], seconds: float) -> float:
        """Return the start of the crop with the most energy, the first of equal ones."""
        room = np.array([seconds - self._seconds])
        starts = np.arange(_steps(room)[0]) * CROP_GRID
        rows = np.zeros(len(starts), dtype=np.int64)
        inside = _between(energy[None], rows, starts, starts + self._seconds)
        return float(starts[np.argmax(inside)])


def _steps(room: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return on how many places of the grid a crop can start."""
    return (room / CROP_GRID).astype(np.int64) + 1


def _between(
    energy: NDArray[np.float64],
    rows: NDArray[np.int64],
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the energy from `start` to `stop` in a row each of `energy`."""
    return _until(energy, rows, stop) - _until(energy, rows, start)


def _until(
    energy: NDArray[np.float64], rows: NDArray[np.int64], time: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate `energy`, which is known at the edges of the frames."""
    edges = np.arange(energy.shape[1]) * audio.FRAME_SECONDS
    left = np.minimum(np.searchsorted(edges, time, side="right"), len(edges) - 1) - 1
    before, after = energy[rows, left], energy[rows, left + 1]
    slope = (after - before) / (edges[left + 1] - edges[left])
    inside = slope * (time - edges[left]) + before
    return np.where(time >= edges[-1], after, inside)
