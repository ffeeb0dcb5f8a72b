"""Signals whose scores follow from a formula on paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hive.metrics import get

Array: TypeAlias = npt.NDArray[np.float64]
#: A case: its name, our value, what it should be.
Case: TypeAlias = tuple[str, npt.ArrayLike, npt.ArrayLike]
T = 16_000
_RATE = 16_000


def _tone(cycles: int, phase: float = 0.0) -> Array:
    """A tone of whole cycles; tones of unlike numbers of cycles are orthogonal, with energy T/2."""
    return np.asarray(np.cos(2 * np.pi * cycles * np.arange(T) / T + phase))


def _noise(seed: int) -> Array:
    return 0.1 * np.random.default_rng(seed).standard_normal(T)


def _score(name: str, **signals: npt.ArrayLike) -> float:
    return float(get(name)(**signals, sample_rate=_RATE))


_R, _O, _N = _tone(200), _tone(317), _tone(441, 0.3)
_SILENCE = np.zeros(T)


def _plain() -> Iterator[Case]:
    """Of r + a o with orthogonal tones of one level: -20 log10 a; of g r: -20 log10 |1 - g|."""
    for a in (3.0, 1.0, 0.1, 1e-3, 1e-5):
        value = _score("sdr_plain", estimate=_R + a * _O, reference=_R)
        yield f"tone at {a:g}", value, -20 * math.log10(a)
    for g in (0.5, -1.0, 1.01, 0.0):
        value = _score("sdr_plain", estimate=g * _R, reference=_R)
        yield f"scaled by {g:g}", value, -20 * math.log10(abs(1 - g))
    yield "exact", _score("sdr_plain", estimate=_R, reference=_R), math.inf
    yield "silent reference", _score("sdr_plain", estimate=_R, reference=_SILENCE), math.nan
    value = _score("sdr_plain_i", estimate=_R + 0.1 * _O, reference=_R, mixture=_R + _O)
    yield "improvement", value, 20.0


def _scale_invariant() -> Iterator[Case]:
    """Of g (r + a o): -20 log10 a, whatever g."""
    for a, g in ((3.0, 1.0), (1.0, -2.0), (0.1, 1e-3), (1e-4, 40.0)):
        value = _score("si_sdr", estimate=g * (_R + a * _O), reference=_R)
        yield f"tone at {a:g}, scaled by {g:g}", value, -20 * math.log10(a)
    value = _score("si_sdr_zm", estimate=_R + 0.1 * _O + 5, reference=_R - 3)
    yield "offsets, mean removed", value, 20.0
    yield "scaled", _score("si_sdr", estimate=-0.5 * _R, reference=_R), math.inf
    yield "silent estimate", _score("si_sdr", estimate=_SILENCE, reference=_R), -math.inf
    yield "silent reference", _score("si_sdr", estimate=_R, reference=_SILENCE), math.nan
    value = _score("si_sdr_i", estimate=_R + 0.01 * _O, reference=_R, mixture=_R + _O)
    yield "improvement", value, 40.0


def _bss() -> Iterator[Case]:
    """A click as reference explains the first L samples after it, whatever they are.

    So an estimate that falls as p^n scores (1 - p^2L) / (p^2L - p^2T) there.
    """
    click = np.eye(1, T)[0]
    for p in (0.9, 0.99, 0.995, 0.999, 0.9999):
        for taps in (512, 64):
            name = "sdr_bss" if taps == 512 else f"sdr_bss_L{taps}"
            if p ** (2 * taps) < 1e-4:
                continue  # above 40 dB
            value = _score(name, estimate=p ** np.arange(T), reference=click)
            explained, rest = 1 - p ** (2 * taps), p ** (2 * taps) - p ** (2 * T)
            yield f"decay by {p:g}, {taps} taps", value, 10 * math.log10(explained / rest)
    noise = _noise(1)
    filtered = np.convolve(noise[: T - 511], np.hanning(512))
    padded = np.concatenate([noise[: T - 511], np.zeros(511)])
    yield "filtered", _score("sdr_bss", estimate=filtered, reference=padded), math.inf
    delayed = np.concatenate([np.zeros(511), noise[: T - 511]])
    yield "delayed", _score("sdr_bss", estimate=delayed, reference=padded), math.inf
    yield "scaled", _score("sdr_bss", estimate=-3 * noise, reference=noise), math.inf
    yield "silent estimate", _score("sdr_bss", estimate=_SILENCE, reference=noise), -math.inf
    yield "silent reference", _score("sdr_bss", estimate=noise, reference=_SILENCE), math.nan


def _one_tap() -> Iterator[Case]:
    """With one tap, BSS-eval is scale-invariant SDR."""
    for level in (0.1, 1.0, 5.0):
        pair = {"estimate": _noise(1) + level * _noise(2), "reference": _noise(1)}
        yield f"noise at {level:g}", _score("sdr_bss_L1", **pair), _score("si_sdr", **pair)


def _stoi(name: str) -> Iterator[Case]:
    noise = _noise(1)
    for g in (1.0, 0.01, -5.0):
        yield f"scaled by {g:g}", _score(name, estimate=g * noise, reference=noise), 1.0
    yield "silent estimate", _score(name, estimate=_SILENCE, reference=noise), 0.0
    yield "silent reference", _score(name, estimate=noise, reference=_SILENCE), math.nan
    short = {"estimate": noise[:5000], "reference": noise[:5000]}
    yield "too short", _score(name, **short), math.nan


def _silence() -> Iterator[Case]:
    """Of p = a x + b o: -10 log10(a^2 + b^2)."""
    for a, b in ((0.1, 0.0), (0.0, 0.01), (0.3, 0.4), (1.0, 0.0)):
        value = _score("silence_sdr", estimate=a * _R + b * _O, mixture=_R)
        yield f"{a:g} of the mixture, {b:g} of another", value, -10 * math.log10(a**2 + b**2)
    yield "silence", _score("silence_sdr", estimate=_SILENCE, mixture=_R), math.inf
    yield "silent mixture", _score("silence_sdr", estimate=_R, mixture=_SILENCE), math.nan


def _silence_si() -> Iterator[Case]:
    """Of p = a x + b o: 20 log10(|1 - a| / b)."""
    for a, b in ((0.1, 0.1), (0.0, 0.01), (0.9, 0.1), (3.0, 1.0)):
        value = _score("silence_si_sdr", estimate=a * _R + b * _O, mixture=_R)
        yield f"{a:g} of the mixture, {b:g} of another", value, 20 * math.log10(abs(1 - a) / b)
    yield "leak", _score("silence_si_sdr", estimate=0.9 * _R, mixture=_R), math.inf
    yield "the mixture", _score("silence_si_sdr", estimate=_R, mixture=_R), -math.inf


def _remix() -> Iterator[Case]:
    """Tracks g r and h o of r + o: errors (1 - g) r and (1 - h) o."""
    for g, h in ((1.0, 0.9), (0.5, 0.5), (0.99, 1.0)):
        value = _score("re_sdr", estimate=np.stack([g * _R, h * _O]), mixture=_R + _O)
        expected = 10 * math.log10(2 / ((1 - g) ** 2 + (1 - h) ** 2))
        yield f"tracks at {g:g} and {h:g}", value, expected
    tracks = np.stack([_R + _O, _SILENCE])
    yield "all in one track", _score("re_sdr", estimate=tracks, mixture=_R + _O), math.inf


def _remix_si() -> Iterator[Case]:
    """Tracks g r and h o: (g + h)^2 / (g - h)^2."""
    for g, h in ((1.0, 0.9), (1.0, 0.0), (2.0, 1.5)):
        value = _score("re_si_sdr", estimate=np.stack([g * _R, h * _O]), mixture=_R + _O)
        yield f"tracks at {g:g} and {h:g}", value, 20 * math.log10((g + h) / abs(g - h))


def _museval() -> Iterator[Case]:
    from hive.metrics.museval import window_sdr

    stems = np.stack([_R, _N])[:, :, None] * np.ones(2)
    gains = np.array([0.5, 0.9, 0.99, 1.001]).repeat(T // 4)[:, None]
    expected = -20 * np.log10(np.abs(1 - gains[:: T // 4, 0]))
    yield "scaled", window_sdr(gains * stems, stems, T // 4), np.stack([expected] * 2)
    silent = stems.copy()
    silent[0, : T // 4, 0] *= -1  # the channels cancel
    values = window_sdr(0.5 * stems, silent, T // 4)
    yield "antiphase", np.isnan(values), [[True, False, False, False]] * 2


def _frechet() -> Iterator[Case]:
    """Normal distributions of commuting covariances: |m1 - m2|^2 + sum (s1 - s2)^2."""
    from hive.metrics.frechet import Moments, distance

    rng = np.random.default_rng(10)
    for size in (1, 3, 64):
        turn = np.linalg.qr(rng.standard_normal((size, size)))[0]
        means, deviations = rng.standard_normal((2, size)), rng.uniform(0.1, 3, (2, size))
        sides = [
            Moments(size + 1, mean, size * (turn * deviation**2) @ turn.T)
            for mean, deviation in zip(means, deviations, strict=True)
        ]
        expected = np.sum((means[0] - means[1]) ** 2 + (deviations[0] - deviations[1]) ** 2)
        yield f"{size} dimensions", distance(*sides), expected


def _prop() -> Iterator[Case]:
    values = [14.9, 15.0, 15.1, math.inf, math.nan, 20.0, -3.0]
    yield "counting", get("prop_over")(values), 0.5


#: Metric, tolerance, cases.
FORMS: Sequence[tuple[str, float, Callable[[], Iterator[Case]]]] = (
    ("sdr_plain", 1e-8, _plain),
    ("si_sdr", 1e-8, _scale_invariant),
    ("sdr_bss", 1e-6, _bss),
    ("sdr_bss_L1", 1e-9, _one_tap),
    ("stoi", 1e-9, lambda: _stoi("stoi")),
    ("estoi", 1e-9, lambda: _stoi("estoi")),
    ("silence_sdr", 1e-9, _silence),
    ("silence_si_sdr", 1e-9, _silence_si),
    ("re_sdr", 1e-9, _remix),
    ("re_si_sdr", 1e-9, _remix_si),
    ("sdr_museval", 1e-9, _museval),
    ("fad", 1e-9, _frechet),
    ("prop_over", 1e-12, _prop),
)
