"""Rain, wind, thunder and surf."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import Signal
from hive.sources.synth.filters import band, formants, highpass, tilt
from hive.sources.synth.registry import OUTDOORS, sound
from hive.sources.synth.specimen import Specimen


@sound("Rain", OUTDOORS)
def rain(s: Specimen) -> Signal:
    """Noise of 1-9 kHz from far drops, and 150-600 near ones a second.

    These click around 2.2, 4.2 and 7.5 kHz; 3-10 heavy drops a second at 0.5-1.5 kHz.
    """
    out = 0.15 * s.noise("far", band(1000, 9000, 1)) * (1 + 0.1 * s.wander("gust", 0.5))
    rate = s.draw_log("rate", 150, 600)
    for k, centre in enumerate((2200, 4200, 7500)):
        times = s.poisson(f"near {k}", rate / 3)
        gains = s.draws(f"near gain {k}", len(times)) ** 3
        out += s.strew(times, gains, s.burst(f"near {k}", 0.006, formants((centre, 2, 1))))
    heavy = s.poisson("heavy", s.draw("heavy", 3, 10))
    drop = s.burst("heavy", 0.02, formants((s.draw("roof", 500, 1500), 2, 1)))
    return out + 1.2 * s.strew(heavy, s.draws("heavy gain", len(heavy)) ** 2, drop)


@sound("Wind", OUTDOORS)
def wind(s: Specimen) -> Signal:
    """Noise below 100-750 Hz whose edge and level follow gusts.

    A whistle of 220-800 Hz rises and falls with them.
    """
    gust = 0.5 + 0.35 * s.wander("gust", 0.45) + 0.15 * s.wander("flurry", 1.6)
    low, pitch, howl = (
        s.draw("edge", 100, 250),
        s.draw_log("howl", 300, 600),
        s.draw("howling", 1.0, 4.0),
    )

    def gain(t: Signal, f: Signal) -> Signal:
        now = np.interp(t, s.t, gust)
        tone = pitch * (0.75 + 0.6 * now)
        roar = 1 / (1 + (f / (low * (1 + 2 * now))) ** 2)
        return (0.15 + now**1.5) * roar + howl * now**3 * np.exp(
            -(((f - tone) / (0.05 * tone)) ** 2)
        )

    return s.filter(s.moving(s.white("air"), gain, 4096), highpass(35))


@sound("Thunderstorm", OUTDOORS)
def thunderstorm(s: Specimen) -> Signal:
    """Flash in 3-4.5 s: a crack to 3.5 kHz, then 12 claps that roll on for 3 s and get darker.

    The rolling lies below 260 Hz at first and below 65 Hz at last; thin rain.
    """
    out = 0.008 * s.noise("rain", band(800, 8000, 1))
    for k, start in enumerate(s.beats("flash", s.draw("period", 3.0, 4.5), 0.08)):
        near = s.draw(f"near {k}", 0.2, 1.0)
        s.place(
            out,
            start,
            s.burst(f"crack {k}", s.draw(f"tear {k}", 0.2, 0.6), band(80, 3500)),
            0.9 * near,
        )
        lags = np.sort(s.draws(f"lags {k}", 12, 0.02, 3.0))
        for roll, lag in enumerate(lags):
            clap = s.burst(
                f"clap {k} {roll}", 1.6, band(28, 260 / (1 + lag)), attack=0.05 + 0.05 * lag
            )
            s.place(
                out, start + lag, clap, s.draw(f"clap {k} {roll}", 0.3, 1.0) * np.exp(-0.5 * lag)
            )
    return out


@sound("Waves, surf", OUTDOORS)
def waves(s: Specimen) -> Signal:
    """Breakers every 4-6.5 s: noise swells and brightens from 300 to 3800 Hz, then ebbs as hiss.

    A wash below 400 Hz never stops.
    """
    period, start = s.draw("period", 4.0, 6.5), s.draw("start", 0, 1)
    steep, spread = s.draw("steep", 0.25, 0.4), s.wander("uneven", 0.3)

    def gain(t: Signal, f: Signal) -> Signal:
        place = (t / period + start + 0.05 * np.interp(t, s.t, spread)) % 1
        ebb = np.clip((1 - place) / (1 - steep), 0, 1)
        level = np.where(place < steep, (place / steep) ** 2, ebb * np.exp(-(place - steep) / 0.22))
        edge = 300 + 3500 * level
        washed = 0.25 * np.clip((place - steep) / 0.1, 0, 1) * ebb * level**0.5
        foam = washed * np.exp(-(((f - 5000) / 3000) ** 2))
        return 0.06 / (1 + (f / 400) ** 2) + level / (1 + (f / edge) ** 2) + foam

    return s.filter(s.moving(s.white("water"), gain), highpass(60), tilt(-0.25))
