"""Checks that every wrapped model must pass; for the tests of an adapter, some calls each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from unittest import mock

import numpy as np

from baselines.adapter import Adapter
from hive.audio import Float
from hive.errors import HiveError
from hive.inference import Item, Request, item_seed, reproducible, separate
from hive.separator import Query

_TONE = 1000.0  # Hz
_TOLERANCE = 1e-4  # of full scale, between one batch and another


def violations(adapter: Adapter, query: str = "Dog", sample_rate: int = 44100) -> list[str]:
    """Return what an adapter does not keep of the contract; nothing if all is well.

    Args:
        adapter: On the CPU or elsewhere, with weights or without.
        query: Something that it understands.
        sample_rate: Rate of the sound that it is tried with, Hz.
    """
    with reproducible():
        return [
            *_rate(adapter, query, sample_rate),
            *_lengths(adapter, query, sample_rate),
            *_silence(adapter, query),
            *_level(adapter, query),
            *_batches(adapter, query),
            *_negatives(adapter, query),
            *_record(adapter),
        ]


def heard_frequency(adapter: Adapter, query: str = "Dog", sample_rate: int = 44100) -> float:
    """Return the frequency, Hz, that a tone of 1000 Hz has where the network hears it.

    A network takes sound of any rate without complaint, so a wrong rate shows nowhere else. The
    tone goes the way of the benchmark; its frequency in what `call` gets counts at the native rate.
    """
    heard = []

    def listen(windows, queries, generators):  # type: ignore[no-untyped-def]
        heard.append(windows[0].cpu().double().numpy())
        return windows

    tone = 0.5 * np.sin(2 * np.pi * _TONE * np.arange(sample_rate) / sample_rate)
    with mock.patch.object(adapter, "call", listen), reproducible():
        separate(adapter, [_request(tone.astype(np.float32), query, sample_rate)], sample_rate)
    middle = heard[0][: round(0.9 * adapter.sample_rate)]
    middle = middle[round(0.1 * adapter.sample_rate) :]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(spectrum.argmax() * adapter.sample_rate / len(middle))


def _rate(adapter: Adapter, query: str, sample_rate: int) -> Iterator[str]:
    frequency = heard_frequency(adapter, query, sample_rate)
    if abs(frequency - _TONE) > 2.0:  # the resolution is 1.25 Hz
        yield f"rate: the network hears a tone of {_TONE:g} Hz at {frequency:.0f} Hz"


def _lengths(adapter: Adapter, query: str, sample_rate: int) -> Iterator[str]:
    for samples in (1, sample_rate // 100, sample_rate + 1):
        request = _request(_noise(samples, 0), query, sample_rate)
        estimate = separate(adapter, [request], sample_rate)[0]
        if len(estimate.samples) != samples or "length_fixed" in estimate.flags:
            yield f"length: of {samples} samples at {sample_rate} Hz another number comes back"


def _silence(adapter: Adapter, query: str) -> Iterator[str]:
    estimate = _separate(adapter, [np.zeros(adapter.sample_rate, dtype=np.float32)], query)
    if estimate.any():
        yield f"silence: becomes sound with a peak of {np.abs(estimate).max():g}"


def _level(adapter: Adapter, query: str) -> Iterator[str]:
    if adapter.facts.level.kind == "preserved":
        return
    mixture = _noise(adapter.sample_rate, 0)
    loud, quiet = (_separate(adapter, [each], query)[0] for each in (mixture, mixture / 8))
    if np.abs(loud - 8.0 * quiet).max() > _TOLERANCE:
        yield "level: a mixture 18 dB quieter does not give an estimate 18 dB quieter"


def _batches(adapter: Adapter, query: str) -> Iterator[str]:
    mixtures = [_noise(adapter.sample_rate, seed) for seed in range(3)]
    together = _separate(adapter, mixtures, query)
    alone = [_separate(adapter, [each], query, first=i)[0] for i, each in enumerate(mixtures)]
    if np.abs(together - np.stack(alone)).max() > _TOLERANCE:
        yield "batches: an item alone gives another estimate than among others"


def _negatives(adapter: Adapter, query: str) -> Iterator[str]:
    refused = adapter.facts.negatives == "refused"
    if adapter.takes_negatives == refused:
        yield "negatives: takes_negatives does not say what the facts say"
    item = Item("contract-0", "s1", 0, adapter.sample_rate)
    mixture = _noise(adapter.sample_rate, 0)[None]
    try:
        import torch

        adapter.separate(torch.from_numpy(mixture), [Query(query, (query,))], [item])
    except HiveError as error:
        if not refused:
            yield f"negatives: are {adapter.facts.negatives}, but: {error.problem}"
    else:
        if refused:
            yield "negatives: are taken in silence, though the facts refuse them"
        elif f"negatives_{adapter.facts.negatives}" not in item.notes:
            yield "negatives: what became of them is not in the notes of the item"


def _record(adapter: Adapter) -> Iterator[str]:
    try:
        json.dumps(adapter.details, allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"details: are no JSON ({error})"


def _separate(adapter: Adapter, mixtures: list[Float], query: str, first: int = 0) -> Float:
    rate = adapter.sample_rate
    requests = [_request(each, query, rate, first + i) for i, each in enumerate(mixtures)]
    return np.stack([each.samples for each in separate(adapter, requests, rate)])


def _request(samples: Float, query: str, sample_rate: int, number: int = 0) -> Request:
    name = f"contract-{number}"
    item = Item(name, "s1", item_seed(0, name, query), sample_rate)
    return Request(samples, Query(query), item)


def _noise(samples: int, seed: int) -> Float:
    noise = np.random.default_rng(seed).standard_normal(samples, dtype=np.float32)
    return noise * np.float32(0.1)
