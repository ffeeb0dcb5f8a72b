"""Numbers as readers want them: real minus signs, fixed digits, infinities by their sign."""

from __future__ import annotations

import math

from hive.metrics.statistics import FLAT, OVERALL

NONE = "–"


def number(value: float, unit: str) -> str:
    """Return a value with two digits after the point for decibels, three for anything else."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{2 if unit == 'dB' else 3}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def interval(low: float, high: float, unit: str) -> str:
    """Return "low to high", or nothing when there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"{number(low, unit)} to {number(high, unit)}"


def left_out(pos_inf: int, neg_inf: int, nan: int) -> str:
    """Say which values the mean leaves out; empty if it leaves out none."""
    parts = [(pos_inf, "at +∞"), (neg_inf, "at −∞"), (nan, "undefined")]
    return ", ".join(f"{count:,} {what}" for count, what in parts if count)


def group(name: str) -> str:
    """Return a group of mixtures in words."""
    return {OVERALL: "Overall", FLAT: "All items"}.get(name, f"{name} sources")


def group_order(name: str) -> tuple[int, int, str]:
    """Sort key: numbers ascending, then anything else, "overall" and "flat" last."""
    last = {OVERALL: 1, FLAT: 2}.get(name, 0)
    return (last, int(name) if name.isdecimal() else 1 << 30, name)
