"""Procedural sounds: stand-ins for many Hive classes, made from a seed in plain numpy.

They need no files, so tests, demonstrations and smoke trainings run anywhere. They are synthetic:
simple physical or signal models with drawn parameters, not recordings, and no basis for scores that
are published. Each class is one function of a `Specimen` in the module of its family; how it is
made stands in its docstring and in docs/synth.md.

    >>> wave = synthesise("Church bell", seed=7, index=0, duration=4.0)
    >>> wave.shape
    (176400,)
"""

from __future__ import annotations

import difflib

from hive.errors import HiveError
from hive.sources.synth import (  # noqa: F401  (importing a family registers its classes)
    alarms,
    animals,
    bells,
    drums,
    fire,
    household,
    human,
    mechanisms,
    motors,
    sirens,
    strings,
    tools,
    vehicles,
    water,
    weather,
    winds,
)
from hive.sources.synth.dsp import Signal
from hive.sources.synth.finish import finished, placed
from hive.sources.synth.registry import SOUNDS
from hive.sources.synth.specimen import Specimen

__all__ = ["classes", "describe", "synthesise"]

SHORTEST, LONGEST = 0.5, 120.0  # seconds
LOWEST_RATE, HIGHEST_RATE = 16000, 192000  # Hz


def classes() -> tuple[str, ...]:
    """Return the Hive classes that can be synthesised, sorted."""
    return tuple(sorted(SOUNDS))


def describe(label: str) -> str:
    """Return how the sound of a class is made, in one paragraph.

    Raises:
        HiveError: If the class cannot be synthesised.
    """
    _check_label(label)
    return SOUNDS[label].description


def synthesise(
    label: str, seed: int, index: int, duration: float = 10.0, sample_rate: int = 44100
) -> Signal:
    """Return one specimen of a class.

    The same arguments give the same samples in any order of calls. Another index or seed gives
    another specimen: pitch, tempo, material, distance, timbre. The sound goes on for the whole
    duration in the way that is natural to it; events follow with gaps of two seconds at most.

    Args:
        label: Hive class, one of `classes()`.
        seed: Any integer; specimens of different seeds have nothing in common.
        index: Number of the specimen.
        duration: Seconds, 0.5 to 120.
        sample_rate: Hz, 16000 to 192000.

    Returns:
        Mono signal of shape (round(duration * sample_rate),), float64, peak between 0.3 and 0.9,
        mean 0, faded over 5 ms at both ends, on the 24-bit grid (multiples of 2^-23, so that
        differences in the last bits of sine or exponential between processors drop out).

    Raises:
        HiveError: If the class cannot be synthesised, or a number is out of range.
    """
    _check_label(label)
    if not SHORTEST <= duration <= LONGEST:
        raise HiveError(
            f"duration of {duration} s is out of range", f"choose {SHORTEST} to {LONGEST} s"
        )
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        raise HiveError(
            f"sample_rate of {sample_rate} Hz is out of range",
            f"choose {LOWEST_RATE} to {HIGHEST_RATE} Hz",
        )
    specimen = Specimen(label, seed, index, float(duration), int(sample_rate))
    sound = SOUNDS[label]
    return finished(placed(sound.recipe(specimen), specimen, sound.setting), specimen)


def _check_label(label: str) -> None:
    if label in SOUNDS:
        return
    near = difflib.get_close_matches(label, classes(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise HiveError(
        f"no synthesiser for label {label!r}", f"{hint}available: {'; '.join(classes())}"
    )
