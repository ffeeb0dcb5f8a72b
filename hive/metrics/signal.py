"""Several signal metrics of the same items in one pass.

Checks, energies, inner products, spectra, correlations and the reference's side of STOI are
computed once for all metrics, and the mixture's side once for all sources of a mixture. Values are
those of the single functions, which use the same code.

The pass runs in the calling thread. In worker processes, set OMP_NUM_THREADS=1 before numpy is
imported: the matrices are too small for threads to gain anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy.typing as npt

from hive.metrics import sdr, sdr_bss, silence, stoi
from hive.metrics.registry import Metric, resolve
from hive.metrics.routes import route
from hive.metrics.validate import (
    Batch,
    FloatArray,
    Length,
    OnBad,
    Signal,
    as_floats,
    load,
    match_length,
)

_Function: TypeAlias = Callable[[Batch, list[Signal], int | None, dict[str, Any]], FloatArray]
_FUNCTIONS: Mapping[str, _Function] = {
    "sdr_bss": lambda b, tested, _, o: sdr_bss.bss_values(b, tested, sdr_bss.Options(**o)),
    "sdr_plain": lambda b, tested, _, o: sdr.plain_values(b, tested, **o),
    "si_sdr": lambda b, tested, _, o: sdr.si_values(b, tested, **o),
    "stoi": lambda b, tested, rate, o: stoi.stoi_values(b, tested, rate),
    "stoi_speech": lambda b, tested, rate, o: stoi.stoi_values(b, tested, rate),
    "estoi": lambda b, tested, rate, o: stoi.stoi_values(b, tested, rate, extended=True),
    "sdr_bss_i": lambda b, _, __, o: sdr_bss.bss_improvement(b, sdr_bss.Options(**o)),
    "sdr_plain_i": lambda b, _, __, o: sdr.plain_improvement(b, **o),
    "si_sdr_i": lambda b, _, __, o: sdr.si_improvement(b, **o),
    "silence_sdr": lambda b, _, __, o: silence.silence_values(b),
    "silence_si_sdr": lambda b, _, __, o: silence.silence_si_values(b, **o),
    "silence_sdr_bss": lambda b, _, __, o: silence.silence_bss_values(b, **o),
}
_OF_MIXTURE = ("sdr_bss", "sdr_plain", "si_sdr", "stoi", "estoi")


def signal_metrics(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    names: Sequence[str],
    anchors: Sequence[str] = (),
    length: Length = "strict",
    on_bad: OnBad = "raise",
    device: str | None = None,
) -> dict[str, FloatArray]:
    """Compute several metrics of the same items.

    Args:
        estimate: Outputs, shape (..., T).
        reference: True sources, shape (..., T), if a metric needs them.
        mixture: What the system was given, broadcastable to (..., T), if a metric needs it. Given
            as (T,) for all sources of one mixture, work on it is done once.
        sample_rate: Rate of the signals in Hz, if a metric needs it.
        names: Metrics, as for `hive.metrics.get`; those over tracks or values are not among them.
        anchors: Metrics of these to compute also for the mixture in place of the estimate, what
            doing nothing scores: "sdr_bss", "sdr_plain", "si_sdr", "stoi" or "estoi".
        length: "strict", or "match" to cut or pad the estimates.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.
        device: Where to compute in batches, such as "cuda"; None computes here, item by item.
            Give many items at once: a device is idle with a few.

    Returns:
        Values of each metric, shape (...), in the order of `names`; then those of the mixture,
        under "mixture:NAME".

    Raises:
        HiveError: There is no such metric.
        ValueError: A metric cannot be computed here, or see `hive.metrics.validate.load`.
    """
    metrics = {name: resolve(name) for name in (*names, *anchors)}
    outside = [name for name in names if metrics[name].info.name not in _FUNCTIONS]
    outside += [name for name in anchors if metrics[name].info.name not in _OF_MIXTURE]
    if outside:
        raise ValueError(f"not computed from these signals: {', '.join(outside)}")
    signals = {"estimate": estimate, "reference": reference, "mixture": mixture}
    values: dict[str, FloatArray] = {}
    for group in _by_route(metrics).values():
        batch, rate = _load(group, signals, sample_rate, anchors, length, on_bad)
        if device is not None:
            from hive.metrics.accelerated import prepare

            prepare(batch, group, rate, device, anchors)
        values |= _compute(group, batch, rate, names, anchors)
    return {name: values[name] for name in names} | {
        f"mixture:{name}": values[f"mixture:{name}"] for name in anchors
    }


def _by_route(metrics: Mapping[str, Metric]) -> dict[Any, list[Metric]]:
    """Gather the metrics that see the same signals."""
    groups: dict[Any, list[Metric]] = {}
    for metric in metrics.values():
        groups.setdefault((metric.band, metric.rate, metric.compat), []).append(metric)
    return groups


def _load(
    group: Sequence[Metric],
    signals: Mapping[str, npt.ArrayLike | None],
    sample_rate: int | None,
    anchors: Sequence[str],
    length: Length,
    on_bad: OnBad,
) -> tuple[Batch, int | None]:
    inputs = {one for metric in group for one in metric.info.requires}
    inputs |= {"mixture"} if any(metric.name in anchors for metric in group) else set()
    needs = [name for name in signals if name in inputs]
    first = group[0]
    given: Mapping[str, Any] = signals
    if first.band is not None or first.rate is not None or first.compat:
        arrays = {name: as_floats(signals[name], name) for name in needs}
        if length == "match":
            anchor = next(arrays[name] for name in ("reference", "mixture") if name in arrays)
            arrays["estimate"] = match_length(arrays["estimate"], anchor.shape[-1])
        given, sample_rate = route(first, arrays, sample_rate)
    batch = load(
        estimate=given.get("estimate"),
        reference=given.get("reference"),
        mixture=given.get("mixture"),
        needs=needs,
        length=length,
        on_bad=on_bad,
        keep_dtype=first.compat,
    )
    return batch, sample_rate


def _compute(
    group: Sequence[Metric],
    batch: Batch,
    sample_rate: int | None,
    names: Sequence[str],
    anchors: Sequence[str],
) -> dict[str, FloatArray]:
    def compute(metric: Metric, tested: list[Signal]) -> FloatArray:
        return _FUNCTIONS[metric.info.name](batch, tested, sample_rate, metric.options)

    # Improvements first: they correlate estimate and mixture with the reference in one go.
    order = sorted(group, key=lambda metric: "mixture" not in metric.info.requires)
    values = {
        metric.name: compute(metric, batch.estimates) for metric in order if metric.name in names
    }
    return values | {
        f"mixture:{metric.name}": compute(metric, batch.mixtures)
        for metric in group
        if metric.name in anchors
    }
