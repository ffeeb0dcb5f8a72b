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
from hive.metrics.registry import lookup
from hive.metrics.validate import Batch, FloatArray, Length, OnBad, Signal, load

_Function: TypeAlias = Callable[[Batch, list[Signal], int | None, dict[str, Any]], FloatArray]
_FUNCTIONS: Mapping[str, _Function] = {
    "sdr_bss": lambda b, tested, _, o: sdr_bss.bss_values(b, tested, sdr_bss.Options(**o)),
    "sdr_plain": lambda b, tested, _, o: sdr.plain_values(b, tested),
    "si_sdr": lambda b, tested, _, o: sdr.si_values(b, tested, **o),
    "stoi": lambda b, tested, rate, o: stoi.stoi_values(b, tested, rate),
    "estoi": lambda b, tested, rate, o: stoi.stoi_values(b, tested, rate, extended=True),
    "sdr_bss_i": lambda b, _, __, o: sdr_bss.bss_improvement(b, sdr_bss.Options(**o)),
    "sdr_plain_i": lambda b, _, __, o: sdr.plain_improvement(b),
    "si_sdr_i": lambda b, _, __, o: sdr.si_improvement(b, **o),
    "silence_sdr": lambda b, _, __, o: silence.silence_values(b),
    "silence_si_sdr": lambda b, _, __, o: silence.silence_si_values(b),
    "silence_sdr_bss": lambda b, _, __, o: silence.silence_bss_values(b),
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

    Returns:
        Values of each metric, shape (...), in the order of `names`; then those of the mixture,
        under "mixture:NAME".

    Raises:
        HiveError: There is no such metric.
        ValueError: A metric cannot be computed here, or see `hive.metrics.validate.load`.
    """
    metrics = {name: lookup(name) for name in (*names, *anchors)}
    if not metrics:
        return {}
    outside = [name for name in names if metrics[name][0].name not in _FUNCTIONS]
    outside += [name for name in anchors if metrics[name][0].name not in _OF_MIXTURE]
    if outside:
        raise ValueError(f"not computed from these signals: {', '.join(outside)}")
    inputs = {one for info, _ in metrics.values() for one in info.requires}
    inputs |= {"mixture"} if anchors else set()
    batch = load(
        estimate=estimate,
        reference=reference,
        mixture=mixture,
        needs=[one for one in ("estimate", "reference", "mixture") if one in inputs],
        length=length,
        on_bad=on_bad,
    )

    def compute(name: str, tested: list[Signal]) -> FloatArray:
        info, options = metrics[name]
        return _FUNCTIONS[info.name](batch, tested, sample_rate, options)

    # Improvements first: they correlate estimate and mixture with the reference in one go.
    order = sorted(names, key=lambda name: "mixture" not in metrics[name][0].requires)
    values = {name: compute(name, batch.estimates) for name in order}
    return {name: values[name] for name in names} | {
        f"mixture:{name}": compute(name, batch.mixtures) for name in anchors
    }
