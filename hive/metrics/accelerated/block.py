"""Which pairs of signals the metrics of a batch compare, and their computation in chunks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch

from hive.metrics import sdr_bss, silence, stoi
from hive.metrics.accelerated.correlation import explained_energies
from hive.metrics.accelerated.intelligibility import stoi_of_pairs
from hive.metrics.registry import Metric
from hive.metrics.validate import Batch, Signal

MEMORY = {"cuda": 2 << 30, "cpu": 1 << 28}
"""Bytes on a device that a chunk of pairs may take, about."""
SIGNALS_PER_PAIR = 24
"""Memory that a pair takes, in signals."""

#: What is computed of a pair: the inner product, the explained energy of BSS-eval, or STOI.
Want: TypeAlias = str | sdr_bss.Options

_ESTIMATE, _BOTH, _LEFT = ("estimate",), ("estimate", "mixture"), ("left",)
#: For each metric, what it takes and which signals are compared with the reference; "left" is
#: what an output leaves of the mixture, which is compared with the mixture.
_TAKES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "sdr_bss": ("bss", _ESTIMATE),
    "sdr_bss_i": ("bss", _BOTH),
    "sdr_plain": ("inner", _ESTIMATE),
    "sdr_plain_i": ("inner", _BOTH),
    "si_sdr": ("inner", _ESTIMATE),
    "si_sdr_i": ("inner", _BOTH),
    "stoi": ("stoi", _ESTIMATE),
    "estoi": ("estoi", _ESTIMATE),
    "silence_si_sdr": ("inner", _LEFT),
    "silence_sdr_bss": ("bss", _LEFT),
}


_STOI = {False: "stoi", True: "estoi"}


@dataclass
class _Pair:
    """A reference, what is compared with it, the cache of their batch and what is wanted."""

    reference: Signal
    tested: Signal
    cache: dict[Any, Any]
    wants: set[Want] = field(default_factory=set)


def prepare(
    batch: Batch,
    metrics: Iterable[Metric],
    sample_rate: int | None,
    device: str | torch.device,
    anchors: Collection[str] = (),
) -> None:
    """Compute on a device what the metrics of a batch will ask for, and put it into the caches.

    Args:
        batch: Items; afterwards, what was computed is in its cache and in its signals.
        metrics: Metrics that will be computed; those of a library (`_tm`) are left to it.
        sample_rate: Rate of the signals in Hz, if a metric needs it.
        device: "cpu", "cuda" or "cuda:N".
        anchors: Names of those metrics that will be computed for the mixture too.
    """
    pairs: dict[tuple[int, int], _Pair] = {}
    for metric in metrics:
        kind, sources = _TAKES.get(metric.info.name, ("", ()))
        if metric.compat or (kind in ("stoi", "estoi") and not _is_rate(sample_rate)):
            continue
        if metric.name in anchors:
            sources = tuple(dict.fromkeys((*sources, "mixture")))
        for source in sources:
            _add(pairs, batch, metric, kind, source)
    place = torch.device(device)
    num_samples = next((len(pair.reference.samples) for pair in pairs.values()), 1)
    room = MEMORY["cuda" if place.type == "cuda" else "cpu"]
    at_once = max(1, room // (SIGNALS_PER_PAIR * 8 * num_samples))
    ordered = list(pairs.values())
    for start in range(0, len(ordered), at_once):
        _compute(ordered[start : start + at_once], sample_rate, place)


def _is_rate(sample_rate: int | None) -> bool:
    return isinstance(sample_rate, int | np.integer) and sample_rate >= 1


def _add(
    pairs: dict[tuple[int, int], _Pair], batch: Batch, metric: Metric, kind: str, source: str
) -> None:
    """Note what a metric wants of each item's pair."""
    want: Want = sdr_bss.Options(**metric.options) if kind == "bss" else kind
    of = silence.what_is_left(batch) if source == "left" else batch
    tested = of.mixtures if source == "mixture" else of.estimates
    for index, (e, r) in enumerate(zip(tested, of.references, strict=True)):
        if index in batch.bad:
            continue
        if metric.options.get("zero_mean"):
            e, r = e.centred, r.centred
        too_short = isinstance(want, sdr_bss.Options) and len(r.samples) < want.filter_length
        if r.silent or too_short or (kind == "bss" and e.energy == 0):
            continue
        pairs.setdefault((id(r), id(e)), _Pair(r, e, of.cache)).wants.add(want)


def _compute(pairs: Sequence[_Pair], sample_rate: int | None, device: torch.device) -> None:
    """Compute a chunk; where the device has no room for it, in halves, or not at all."""
    try:
        return _compute_at_once(pairs, sample_rate, device)
    except torch.OutOfMemoryError:
        pass  # the error holds on to what the failed attempt took; past this block it is gone
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if len(pairs) > 1:
        half = len(pairs) // 2
        _compute(pairs[:half], sample_rate, device)
        _compute(pairs[half:], sample_rate, device)


def _compute_at_once(pairs: Sequence[_Pair], sample_rate: int | None, device: torch.device) -> None:
    signals = {id(s): s for pair in pairs for s in (pair.reference, pair.tested)}
    row = {key: index for index, key in enumerate(signals)}
    samples = torch.from_numpy(np.stack([s.samples for s in signals.values()])).to(device)

    def rows(chosen: Sequence[_Pair]) -> list[tuple[int, int]]:
        return [(row[id(pair.reference)], row[id(pair.tested)]) for pair in chosen]

    left, right = zip(*rows(pairs), strict=True)
    inner = (samples[list(left)] * samples[list(right)]).sum(1).tolist()
    for pair, value in zip(pairs, inner, strict=True):
        pair.reference.once(("inner", id(pair.tested)), partial(float, value))
    for options in {w for pair in pairs for w in pair.wants if isinstance(w, sdr_bss.Options)}:
        chosen = [pair for pair in pairs if options in pair.wants]
        energies, sound = explained_energies(
            samples, rows(chosen), options.filter_length, options.load_diag or 0.0
        )
        for pair, energy, good in zip(chosen, energies.tolist(), sound.tolist(), strict=True):
            if good:
                pair.cache[id(pair.reference), id(pair.tested), options] = energy
    heard = [pair for pair in pairs if pair.wants & {"stoi", "estoi"}]
    forms = {form for form in (False, True) if any(_STOI[form] in pair.wants for pair in heard)}
    if forms and sample_rate is not None:
        for form, values in stoi_of_pairs(samples, rows(heard), sample_rate, forms).items():
            for pair, value in zip(heard, values.tolist(), strict=True):
                key = stoi.cache_key(sample_rate, form, pair.tested, pair.reference)
                pair.cache[key] = value
