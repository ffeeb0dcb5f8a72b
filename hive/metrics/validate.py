"""What every signal metric accepts, and what it does with inputs that cannot be scored.

Conventions: signals are numpy arrays or torch tensors of floats, shape (..., T), last axis time.
Estimate and reference have the same shape; a mixture may lack leading axes or have size 1 there
(one mixture, several sources). Everything is computed in float64. One value comes back for each
leading index, as a float64 array of the leading shape (0-d for a single signal).

Policies:
    NaN or Inf in a signal: ValueError naming signal and item; `on_bad="nan"` gives NaN instead.
    Unequal lengths: ValueError; `length="match"` cuts the estimate, or pads it with zeros at the
        end. Nothing is ever aligned in time.
    Silent reference (RMS below 1e-6): NaN, the value is undefined.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
Length: TypeAlias = Literal["strict", "match"]
OnBad: TypeAlias = Literal["raise", "nan"]
T = TypeVar("T")

SILENCE_RMS = 1e-6
"""A signal whose root mean square lies below this counts as silent (-120 dB of full scale)."""


class Signal:
    """One channel of audio and what has been computed about it during one call."""

    def __init__(self, samples: npt.NDArray[Any]) -> None:
        self.samples = samples
        self._memo: dict[Hashable, Any] = {}

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the value of `compute`, which runs the first time that `key` is asked for."""
        if key not in self._memo:
            self._memo[key] = compute()
        value: T = self._memo[key]
        return value

    @cached_property
    def energy(self) -> float:
        """Sum of squares; not finite exactly if a sample is not finite, or above 1e150."""
        with np.errstate(over="ignore", invalid="ignore"):
            samples = self.samples.astype(np.float64, copy=False)
            return float(np.dot(samples, samples))

    @property
    def silent(self) -> bool:
        """Whether the root mean square lies below `SILENCE_RMS`."""
        return math.sqrt(self.energy / self.samples.size) < SILENCE_RMS

    @property
    def centred(self) -> Signal:
        """The signal less its mean."""
        return self.once("centred", lambda: Signal(self.samples - self.samples.mean()))

    def inner(self, other: Signal) -> float:
        """Return the inner product with a signal of the same length."""
        return self.once(("inner", id(other)), lambda: float(np.dot(self.samples, other.samples)))


@dataclass
class Batch:
    """The items of one call, flattened: item i is (estimates[i], references[i], mixtures[i]).

    A signal that several items share is one object, so that work on it is done once.

    Attributes:
        shape: Leading shape of the inputs, which is the shape of the result.
        estimates: One for each item; empty if the metric takes none. So are the other two.
        references: Targets.
        mixtures: Mixtures.
        bad: Items with NaN or Inf in them.
        cache: What one metric has found about pairs of signals, for the next.
    """

    shape: tuple[int, ...]
    estimates: list[Signal] = field(default_factory=list)
    references: list[Signal] = field(default_factory=list)
    mixtures: list[Signal] = field(default_factory=list)
    bad: frozenset[int] = frozenset()
    cache: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def num_items(self) -> int:
        """Number of items."""
        return math.prod(self.shape)

    def map(self, score: Callable[[int], float]) -> FloatArray:
        """Return the score of each item, NaN for bad ones, in the leading shape."""
        values = np.full(self.num_items, np.nan)
        for index in range(self.num_items):
            if index not in self.bad:
                values[index] = score(index)
        return values.reshape(self.shape)


def load(
    *,
    estimate: npt.ArrayLike | None = None,
    reference: npt.ArrayLike | None = None,
    mixture: npt.ArrayLike | None = None,
    needs: Sequence[str] = ("estimate", "reference"),
    length: Length = "strict",
    on_bad: OnBad = "raise",
    keep_dtype: bool = False,
) -> Batch:
    """Check the signals of a call and cut them into items.

    Args:
        estimate: Output of a system, shape (..., T).
        reference: True source, shape (..., T).
        mixture: What the system was given, shape broadcastable to (..., T).
        needs: Which of the three the metric uses; the others are ignored.
        length: "strict" or "match", see the module.
        on_bad: "raise" or "nan", see the module.
        keep_dtype: Leave float32 as it is (for values that a library computes in float32).

    Raises:
        ValueError: A signal is missing, empty or not of floats, shapes or lengths do not agree,
            or there is NaN or Inf and `on_bad` is "raise".
    """
    if length not in ("strict", "match"):
        raise ValueError(f'length is {length!r}; it must be "strict" or "match"')
    if on_bad not in ("raise", "nan"):
        raise ValueError(f'on_bad is {on_bad!r}; it must be "raise" or "nan"')
    given = {"reference": reference, "mixture": mixture, "estimate": estimate}
    arrays = {
        name: as_floats(value, name, keep_dtype) for name, value in given.items() if name in needs
    }
    anchor = "reference" if "reference" in arrays else "mixture"
    num_samples = arrays[anchor].shape[-1]
    if "estimate" in arrays and length == "match":
        arrays["estimate"] = match_length(arrays["estimate"], num_samples)
    for name, array in arrays.items():
        if array.shape[-1] != num_samples:
            hint = '; length="match" cuts or pads the estimate' if name == "estimate" else ""
            raise ValueError(
                f"{name} has {array.shape[-1]} samples and {anchor} {num_samples}{hint}"
            )
    shape = arrays["estimate" if "estimate" in arrays else anchor].shape[:-1]
    rows = {name: _rows(array, shape, name) for name, array in arrays.items()}
    bad: set[int] = set()
    for name, signals in rows.items():
        for index, signal in enumerate(signals):
            if not math.isfinite(signal.energy):
                if on_bad == "raise":
                    item = tuple(int(i) for i in np.unravel_index(index, shape)) if shape else ""
                    raise ValueError(
                        f"{name}{f' of item {item}' if shape else ''} has NaN, Inf or samples too "
                        'large to square; on_bad="nan" scores such items as NaN'
                    )
                bad.add(index)
    return Batch(
        shape=shape,
        estimates=rows.get("estimate", []),
        references=rows.get("reference", []),
        mixtures=rows.get("mixture", []),
        bad=frozenset(bad),
    )


def match_length(array: npt.NDArray[Any], num_samples: int) -> npt.NDArray[Any]:
    """Cut the last axis to `num_samples`, or pad it with zeros at the end."""
    missing = num_samples - array.shape[-1]
    if missing <= 0:
        return array[..., :num_samples]
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)])


def as_floats(value: npt.ArrayLike | None, name: str, keep_dtype: bool = False) -> npt.NDArray[Any]:
    """Return a signal as an array of float64 (or, with `keep_dtype`, of float32 if it is)."""
    if value is None:
        raise ValueError(f"{name}= is missing")
    if hasattr(value, "detach"):  # a torch tensor, without importing torch
        tensor = value.detach().cpu()
        value = tensor.numpy() if str(tensor.dtype) != "torch.bfloat16" else tensor.float().numpy()
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise ValueError(
            f"{name} holds {array.dtype}; give floats (16-bit samples divided by 32768)"
        )
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name} has shape {array.shape}; the last axis must hold samples")
    if keep_dtype and array.dtype == np.float32:
        return array
    # Axes that repeat the same memory (a reference shown to several estimates) go on doing so.
    own = array[tuple(slice(0, 1) if step == 0 else slice(None) for step in array.strides[:-1])]
    return np.broadcast_to(own.astype(np.float64, copy=False), array.shape)


def _rows(array: npt.NDArray[Any], shape: tuple[int, ...], name: str) -> list[Signal]:
    """Return one signal for each item; items that share memory share the signal."""
    lead = array.shape[:-1]
    if name != "mixture" and lead != shape:
        raise ValueError(f"{name} has leading shape {lead} and estimate {shape}; they must agree")
    own = array[tuple(slice(0, 1) if step == 0 else slice(None) for step in array.strides[:-1])]
    flat = np.ascontiguousarray(own).reshape(-1, array.shape[-1])
    try:
        order = np.broadcast_to(np.arange(len(flat)).reshape(own.shape[:-1]), shape).ravel()
    except ValueError:
        raise ValueError(
            f"{name} has leading shape {lead}, which does not broadcast to {shape}"
        ) from None
    signals = [Signal(row) for row in flat]
    return [signals[index] for index in order]
