"""Which Hive classes can be synthesised: one decorated function a class.

To add a class, write one function of a `Specimen` in the module of its family and put
`@sound("Hive class name", setting)` above it; its docstring says how the sound is made and goes
into the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hive.sources.synth.dsp import Signal
from hive.sources.synth.specimen import Specimen

Recipe = Callable[[Specimen], Signal]


@dataclass(frozen=True)
class Setting:
    """The place a sound is heard in; each specimen draws from the ranges.

    Attributes:
        reverberation_s: Time to decay by 60 dB, lowest and highest.
        wet_db: Energy of the reverberation relative to the direct sound.
        cutoff_hz: First-order low-pass that stands for distance and microphone.
    """

    reverberation_s: tuple[float, float]
    wet_db: tuple[float, float]
    cutoff_hz: tuple[float, float]


CLOSE = Setting((0.05, 0.15), (-34.0, -24.0), (12000.0, 22000.0))
ROOM = Setting((0.15, 0.5), (-26.0, -14.0), (8000.0, 20000.0))
HALL = Setting((0.8, 1.8), (-18.0, -9.0), (7000.0, 18000.0))
OUTDOORS = Setting((0.3, 1.2), (-32.0, -20.0), (5000.0, 16000.0))


@dataclass(frozen=True)
class Sound:
    """A class that can be synthesised.

    Attributes:
        label: Hive class name.
        recipe: Function from a specimen to its dry sound, of any level.
        setting: Where it is heard.
    """

    label: str
    recipe: Recipe
    setting: Setting

    @property
    def description(self) -> str:
        """How the sound is made, in one paragraph."""
        return " ".join((self.recipe.__doc__ or "").split())


SOUNDS: dict[str, Sound] = {}


def sound(label: str, setting: Setting) -> Callable[[Recipe], Recipe]:
    """Register the decorated recipe for a Hive class.

    Raises:
        ValueError: If the class has a recipe already.
    """

    def register(recipe: Recipe) -> Recipe:
        if label in SOUNDS:
            raise ValueError(f"two recipes for {label!r}")
        SOUNDS[label] = Sound(label, recipe, setting)
        return recipe

    return register
