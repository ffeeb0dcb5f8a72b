"""Which metrics there are. To add one: write its file and add one entry here.

A name says which definition was computed, so that two columns of one name can be compared. Settings
other than the default show as suffixes: `_L64` (filter of 64 taps), `_d1e-06` (diagonal loading),
`_zm` (mean removed), in this order, after the whole name: `sdr_bss_i_L64`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from hive.errors import HiveError


@dataclass(frozen=True)
class MetricInfo:
    """What a column of that name means, and what computing it takes.

    Attributes:
        name: Name in tables, settings and `get`.
        title: Heading for people.
        unit: "dB", or "" for plain numbers.
        higher_is_better: Direction.
        definition: One sentence.
        source: Where the definition is from.
        target: Function that computes it, "module:attribute".
        requires: Inputs that must be given: "estimate", "reference", "mixture", "sample_rate";
            "estimates" (all tracks of a mixture); "values" (scores of items, one result for all).
        needs: Packages that must be installed, by import name.
        options: Settings that may show as suffixes of the name.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    definition: str
    source: str
    target: str
    requires: tuple[str, ...] = ("estimate", "reference")
    needs: tuple[str, ...] = ("scipy",)
    options: tuple[str, ...] = ()

    @property
    def decibel(self) -> bool:
        """Whether values are in decibels, so that means are also given clipped to a range."""
        return self.unit == "dB"

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages that are needed and not installed."""
        return tuple(name for name in self.needs if importlib.util.find_spec(name) is None)

    @property
    def available(self) -> bool:
        """Whether the metric can be computed here."""
        return not self.missing

    @property
    def reason(self) -> str:
        """Why it cannot be computed here; empty if it can."""
        return f"not installed: {', '.join(self.missing)}" if self.missing else ""

    @property
    def remedy(self) -> str:
        """What to do about it; empty if nothing is to be done."""
        return f"pip install {' '.join(self.missing)}" if self.missing else ""


_PAIR = ("estimate", "reference")
_TRIPLE = ("estimate", "reference", "mixture")
_ABSENT = ("estimate", "mixture")
_TRACKS = ("estimates", "mixture")
_BSS = ("filter_length", "load_diag", "zero_mean")

_ENTRIES = (
    MetricInfo(
        "sdr_bss",
        "SDR",
        "dB",
        True,
        "Energy explained by 512 causal shifts of the reference over the rest of the estimate.",
        "Vincent et al. 2006; torchmetrics signal_distortion_ratio",
        "hive.metrics.sdr_bss:sdr_bss",
        _PAIR,
        options=_BSS,
    ),
    MetricInfo(
        "sdr_bss_i",
        "SDRi",
        "dB",
        True,
        "sdr_bss of the estimate less that of the mixture.",
        "Vincent et al. 2006; torchmetrics signal_distortion_ratio",
        "hive.metrics.sdr_bss:sdr_bss_i",
        _TRIPLE,
        options=_BSS,
    ),
    MetricInfo(
        "sdr_plain",
        "SDR-plain",
        "dB",
        True,
        "Energy of the reference over the energy of its difference from the estimate.",
        "ClearSep, equation 6",
        "hive.metrics.sdr:sdr_plain",
        _PAIR,
    ),
    MetricInfo(
        "sdr_plain_i",
        "SDRi-plain",
        "dB",
        True,
        "sdr_plain of the estimate less that of the mixture.",
        "ClearSep, equation 6",
        "hive.metrics.sdr:sdr_plain_i",
        _TRIPLE,
    ),
    MetricInfo(
        "si_sdr",
        "SI-SDR",
        "dB",
        True,
        "Energy of the estimate's projection on the reference over the rest of the estimate.",
        "Le Roux et al. 2019, without removal of the mean",
        "hive.metrics.sdr:si_sdr",
        _PAIR,
        options=("zero_mean",),
    ),
    MetricInfo(
        "si_sdr_i",
        "SI-SDRi",
        "dB",
        True,
        "si_sdr of the estimate less that of the mixture.",
        "Le Roux et al. 2019, without removal of the mean",
        "hive.metrics.sdr:si_sdr_i",
        _TRIPLE,
        options=("zero_mean",),
    ),
    MetricInfo(
        "stoi",
        "STOI",
        "",
        True,
        "Correlation of third-octave envelopes over 384 ms; a measure of speech.",
        "Taal et al. 2011; pystoi, extended=False",
        "hive.metrics.stoi:stoi",
        (*_PAIR, "sample_rate"),
    ),
    MetricInfo(
        "estoi",
        "ESTOI",
        "",
        True,
        "Correlation of normalised third-octave spectrograms over 384 ms; a measure of speech.",
        "Jensen and Taal 2016; pystoi, extended=True",
        "hive.metrics.stoi:estoi",
        (*_PAIR, "sample_rate"),
    ),
    MetricInfo(
        "silence_sdr",
        "Silence-SDR",
        "dB",
        True,
        "Energy of the mixture over the energy of the output for an absent label.",
        "ClearSep, equation 10",
        "hive.metrics.silence:silence_sdr",
        _ABSENT,
    ),
    MetricInfo(
        "silence_si_sdr",
        "Silence-SISDR",
        "dB",
        True,
        "SI-SDR of the mixture less the output for an absent label, against the mixture.",
        "ClearSep, equation 11",
        "hive.metrics.silence:silence_si_sdr",
        _ABSENT,
    ),
    MetricInfo(
        "silence_sdr_bss",
        "Silence-SDR-BSS",
        "dB",
        True,
        "sdr_bss of the mixture less the output for an absent label, against the mixture.",
        "inferred from ClearSep, table 3",
        "hive.metrics.silence:silence_sdr_bss",
        _ABSENT,
    ),
    MetricInfo(
        "silent_rate",
        "Silent rate",
        "",
        True,
        "Share of silence_sdr values of 60 dB or more.",
        "this package",
        "hive.metrics.silence:silent_rate",
        ("values",),
    ),
    MetricInfo(
        "re_sdr",
        "Re-SDR",
        "dB",
        True,
        "sdr_plain of the sum of all separated tracks against the mixture.",
        "ClearSep, equation 13",
        "hive.metrics.remix:re_sdr",
        _TRACKS,
    ),
    MetricInfo(
        "re_si_sdr",
        "Re-SISDR",
        "dB",
        True,
        "si_sdr of the sum of all separated tracks against the mixture.",
        "ClearSep, equation 15",
        "hive.metrics.remix:re_si_sdr",
        _TRACKS,
    ),
    MetricInfo(
        "re_sdr_bss",
        "Re-SDR-BSS",
        "dB",
        True,
        "sdr_bss of the sum of all separated tracks against the mixture.",
        "inferred from ClearSep, table 4",
        "hive.metrics.remix:re_sdr_bss",
        _TRACKS,
    ),
    MetricInfo(
        "prop_over",
        "Prop>15",
        "",
        True,
        "Share of values strictly above 15 dB.",
        "ClearSep, table 4",
        "hive.metrics.remix:prop_over",
        ("values",),
    ),
)
_METRICS = {info.name: info for info in _ENTRIES}
_SUFFIXES = re.compile(r"(.*?)(?:_L(\d+))?(?:_d(\d[\d.]*(?:e[+-]?\d+)?))?(_zm)?")


def available() -> list[MetricInfo]:
    """List all metrics with their definitions, and whether they can be computed here."""
    return list(_ENTRIES)


def get(name: str) -> Callable[..., Any]:
    """Return the function that computes a metric.

    Args:
        name: Name of a metric, with suffixes for settings, such as "si_sdr" or "sdr_bss_L64".

    Raises:
        HiveError: There is no such metric, or a package that it needs is not installed.
    """
    info, options = lookup(name)
    if info.missing:
        raise HiveError(f"metric {name}: {info.reason}", info.remedy)
    module, attribute = info.target.split(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return functools.partial(function, **options) if options else function


def lookup(name: str) -> tuple[MetricInfo, dict[str, Any]]:
    """Return the metric that a name stands for and the settings in its suffixes.

    Raises:
        HiveError: There is no such metric.
    """
    if name in _METRICS:
        return _METRICS[name], {}
    match = _SUFFIXES.fullmatch(name)
    if match is not None and match[1] in _METRICS:
        info = _METRICS[match[1]]
        options: dict[str, Any] = {}
        if match[2]:
            options["filter_length"] = int(match[2])
        if match[3]:
            options["load_diag"] = float(match[3])
        if match[4]:
            options["zero_mean"] = True
        if options and set(options) <= set(info.options):
            return info, options
    near = get_close_matches(name, _METRICS, n=1, cutoff=0.5)
    raise HiveError(
        f"there is no metric {name!r}",
        f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(_METRICS)}",
    )
