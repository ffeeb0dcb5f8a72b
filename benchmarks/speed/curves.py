"""Whether two loss curves are the same but for noise.

The noise is that of the order of the data: the reference is trained twice with the same weights and
the same mixtures, in two orders. Curves are averaged over equal stretches of steps, and compared by
the root mean square of their differences there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

STRETCHES = 20
_WIDE = {"color": "0.75", "linewidth": 5.0}  # below the others, which may hide it
_OTHER_ORDER = {"color": "0.5", "linewidth": 1.0, "linestyle": ":"}


@dataclass(frozen=True)
class Comparison:
    """A curve against the reference's.

    Attributes:
        difference: Root mean square of the difference from the reference, same order of the data.
        noise: The same between the two orders of the reference.
        first_step: Difference of the first losses, which no update has touched, relative.
        last: Mean losses of the last stretch: the curve's, and the reference's in both orders.
    """

    difference: float
    noise: float
    first_step: float
    last: tuple[float, float, float]

    @property
    def within(self) -> bool:
        """Whether the difference is at most the noise."""
        return self.difference <= self.noise


def averaged(losses: Sequence[float], stretches: int = STRETCHES) -> npt.NDArray[np.float64]:
    """Return means over consecutive stretches of steps, as equal as can be."""
    parts = np.array_split(np.asarray(losses, dtype=np.float64), min(stretches, len(losses)))
    return np.array([part.mean() for part in parts])


def compare(
    curve: Sequence[float], reference: Sequence[float], other_order: Sequence[float]
) -> Comparison:
    """Compare a curve.

    Args:
        curve: Losses of each step.
        reference: Losses of the reference with the data in the same order.
        other_order: Losses of the reference with the data in another order.

    Raises:
        ValueError: If they are of different lengths, or empty.
    """
    if not len(curve) == len(reference) == len(other_order) or not len(curve):
        raise ValueError(
            f"curves of {len(curve)}, {len(reference)} and {len(other_order)} steps do not compare"
        )
    ours, theirs, others = (averaged(losses) for losses in (curve, reference, other_order))
    return Comparison(
        difference=_distance(ours, theirs),
        noise=_distance(others, theirs),
        first_step=abs(curve[0] - reference[0]) / max(abs(reference[0]), 1e-12),
        last=(float(ours[-1]), float(theirs[-1]), float(others[-1])),
    )


def plot(path: Path, title: str, curves: Mapping[str, Sequence[float]], other: str) -> None:
    """Draw curves, averaged, as a PNG file.

    Args:
        path: Where to write.
        title: Heading.
        curves: Losses of each step by name, the reference's first.
        other: Name of the one with the data in another order.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    for number, (name, losses) in enumerate(curves.items()):
        means = averaged(losses)
        parts = np.array_split(np.arange(len(losses)), len(means))
        steps = [float(part.mean()) + 1.0 for part in parts]
        style: dict[str, Any] = {"linewidth": 1.2, "linestyle": "-" if number % 2 else "--"}
        if number == 0 or name == other:
            style = _OTHER_ORDER if number else _WIDE
        axes.plot(steps, means, label=name, **style)
    axes.set_xlabel("step")
    axes.set_ylabel("training loss")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path)


def _distance(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean((first - second) ** 2)))
