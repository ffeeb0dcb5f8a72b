"""Which metrics there are, and what the names of their columns say.

To add a metric, write its file with a `METRICS` tuple and add the file's name to `_MODULES`.

A name says which definition was computed, so that two columns of one name can be compared. What is
not the default shows as suffixes after the whole name, in this order:

- `_L64`: filter of 64 taps; `_d1e-06`: diagonal loading; `_zm`: mean removed;
- `_tm`: torchmetrics' handling of odd cases, in float32, as the ClearSep paper's tables have it;
- `_bl16k`: the true source is limited to what a rate of 16 kHz can hold; `_bl` alone stands for
  the rate of the model that is scored;
- `_32k`: all signals are resampled to 32 kHz first;
- `@clap-music-speech`: another embedding than `hive.embedding.registry.DEFAULT`, or a stand-in for
  the judge.

So `sdr_bss_i_L64_32k` and `clap_a@standin:logmel512`.
"""

from __future__ import annotations

import functools
import importlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from hive.errors import HiveError
from hive.metrics.info import MetricInfo

_MODULES = (
    "sdr_bss",
    "sdr",
    "stoi",
    "silence",
    "remix",
    "museval",
    "fad",
    "lpaps",
    "clap",
    "judge",
)
#: Names of the literature for what is a variant here.
_ALIASES = {
    "prop_over": "prop_over_sdr",
    "lpaps_music_speech": "lpaps@clap-music-speech",
    "clap_t_sam": "clap_t@clap-630k",
}
_SUFFIXES = re.compile(
    r"(?P<base>.*?)(?:_L(?P<taps>\d+))?(?:_d(?P<load>\d[\d.]*(?:e[+-]?\d+)?))?(?P<mean>_zm)?"
    r"(?P<library>_tm)?(?P<limited>_bl(?:(?P<band>\d+(?:\.\d+)?)k)?)?(?:_(?P<rate>\d+(?:\.\d+)?)k)?"
)
DEFAULT_TAPS = 512  # of sdr_bss
OF_MODEL = 0
"""The band of a `_bl` whose rate is still to be taken from the model."""


@dataclass(frozen=True)
class Metric:
    """A column: a metric and its settings.

    Attributes:
        name: Name of the column.
        info: The metric.
        options: Settings of its function.
        band: Rate in Hz whose band the true source is limited to, `OF_MODEL`, or None.
        rate: Rate in Hz that signals are brought to first, or None.
        embedding: Name of the embedding, or None if the metric needs none.
    """

    name: str
    info: MetricInfo
    options: dict[str, Any] = field(default_factory=dict)
    band: int | None = None
    rate: int | None = None
    embedding: str | None = None

    @property
    def suffix(self) -> str:
        """What the name says beside the metric."""
        return self.name.removeprefix(self.info.name)

    @property
    def title(self) -> str:
        """Heading for people, with what is not the default."""
        return f"{self.info.title}{self.suffix}"

    @property
    def compat(self) -> bool:
        """Whether values are a library's, in float32."""
        return "compat" in self.options

    @property
    def variant(self) -> str:
        """What is not the default, in words; empty if nothing is."""
        words = [f"{key}={value}" for key, value in self.options.items()]
        if self.band is not None:
            words.append(f"true source limited to a rate of {self.band or 'the model'} Hz")
        if self.rate is not None:
            words.append(f"signals at {self.rate} Hz")
        if self.embedding is not None and "@" in self.name:
            words.append(f"embedding {self.embedding}")
        return ", ".join(words)


@functools.cache
def _metrics() -> dict[str, MetricInfo]:
    modules = [importlib.import_module(f"hive.metrics.{name}") for name in _MODULES]
    return {info.name: info for module in modules for info in module.METRICS}


def available() -> list[MetricInfo]:
    """List all metrics with their definitions."""
    return list(_metrics().values())


def get(name: str) -> Callable[..., Any]:
    """Return the function that computes a metric.

    Args:
        name: Name of a metric, with suffixes for settings, such as "si_sdr" or "sdr_bss_L64".

    Raises:
        HiveError: There is no such metric.
    """
    metric = resolve(name)
    module, _, attribute = metric.info.target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    if metric.info.scope == "share":
        return function
    options = dict(metric.options)
    if "@" in metric.name:
        options["judge" if metric.info.judged else "embedding"] = metric.name.partition("@")[2]
    if options:
        function = functools.partial(function, **options)
    if metric.band is None and metric.rate is None and not metric.compat:
        return function
    from hive.metrics.routes import routed

    return routed(metric, function)


def resolve(name: str) -> Metric:
    """Return the metric and the settings that a name stands for.

    Raises:
        HiveError: There is no such metric, or it has no such setting.
    """
    text, _, embedding = _ALIASES.get(name, name).partition("@")
    match = _SUFFIXES.fullmatch(text)
    known = _metrics()
    info = known.get(text) or (known.get(match["base"]) if match else None)
    takes = info is not None and (info.features or info.judged)
    if info is None or (embedding and not takes) or name.endswith("@"):
        raise _unknown(name)
    found = match.groupdict() if match and text not in known else {}
    _check_numbers(name, found)
    text = _canonical(info.name, found)
    metric = Metric(
        name=f"{text}@{embedding}" if embedding else text,
        info=info,
        options=_options(found),
        band=_hertz(found.get("band")) if found.get("limited") else None,
        rate=_hertz(found["rate"]) if found.get("rate") else None,
        embedding=(embedding or default_embedding()) if info.features else None,
    )
    if not set(metric.options) <= set(info.options) or (
        (metric.band is not None or metric.rate is not None) and not is_signal(info)
    ):
        raise _unknown(name)
    return metric


def with_band(metric: Metric, rate: int) -> Metric:
    """Give a metric with `_bl` the rate of a model in Hz."""
    name = re.sub(r"_bl(?=_|$)", f"_bl{rate / 1000:g}k", metric.name)
    return replace(metric, name=name, band=rate)


def with_embedding(metric: Metric, embedding: str) -> Metric:
    """Give a metric whose name says no embedding another one than the default."""
    if not metric.info.features or "@" in metric.name or embedding == default_embedding():
        return metric
    return replace(metric, name=f"{metric.name}@{embedding}", embedding=embedding)


def with_judge(metric: Metric, judge: str) -> Metric:
    """Name a stand-in for a judge in a metric's name."""
    if not metric.info.judged or "@" in metric.name:
        return metric
    return replace(metric, name=f"{metric.name}@{judge}")


def default_embedding() -> str:
    """Return the embedding of names that say none."""
    from hive.embedding.registry import DEFAULT

    return DEFAULT


def is_signal(info: MetricInfo) -> bool:
    """Return whether a metric compares signals (..., T), at any rate and in any band."""
    if info.features or info.judged or "references" in info.requires:
        return False
    return info.scope != "set"


def _check_numbers(name: str, found: Mapping[str, str | None]) -> None:
    """Refuse numbers in suffixes that mean nothing."""
    try:
        taps, load = int(found.get("taps") or 1), float(found.get("load") or 0)
    except ValueError:
        load, taps = math.inf, 1
    rates = [_hertz(found[key]) for key in ("band", "rate") if found.get(key)]
    if taps < 1 or not math.isfinite(load) or not all(1000 <= rate <= 768_000 for rate in rates):
        raise HiveError(
            f"metric {name!r}: a number in its suffixes is out of range",
            "taps are 1 or more, rates lie between 1k and 768k",
        )


def _canonical(base: str, found: Mapping[str, str | None]) -> str:
    """Return the one spelling of a name; a filter of 512 taps is the default."""
    taps, load = found.get("taps"), found.get("load")
    parts = [base]
    parts += [f"_L{int(taps)}"] if taps and int(taps) != DEFAULT_TAPS else []
    parts += [f"_d{float(load):g}"] if load else []
    parts += [found[key] or "" for key in ("mean", "library") if found.get(key)]
    if found.get("limited"):
        parts.append(f"_bl{_kilohertz(found.get('band'))}")
    if found.get("rate"):
        parts.append(f"_{_kilohertz(found.get('rate'))}")
    return "".join(parts)


def _kilohertz(text: str | None) -> str:
    return f"{float(text):g}k" if text else ""


def _options(found: Mapping[str, str | None]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if (taps := found.get("taps")) and int(taps) != DEFAULT_TAPS:
        options["filter_length"] = int(taps)
    if load := found.get("load"):
        options["load_diag"] = float(load)
    if found.get("mean"):
        options["zero_mean"] = True
    if found.get("library"):
        options["compat"] = "torchmetrics"
    return options


def _hertz(kilohertz: str | None) -> int:
    return round(1000 * float(kilohertz)) if kilohertz else OF_MODEL


def _unknown(name: str) -> HiveError:
    known = _metrics()
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return HiveError(
        f"there is no metric {name!r}",
        f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}",
    )
