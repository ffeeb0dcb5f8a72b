"""Numbers of mixtures as people write them: 17500000, 17_500_000, 175k, 1.75M."""

from __future__ import annotations

import re
from decimal import Decimal

from hive.errors import HiveError

_COUNT = re.compile(r"(\d+(?:_\d+)*(?:\.\d+)?)([kM]?)", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_MOST = 10**9  # no plan is as long; a slip of the finger is


def parse_count(text: str) -> int:
    """Read a number of mixtures.

    Raises:
        HiveError: If it is no whole number from 1 to 10^9.
    """
    match = _COUNT.fullmatch(text.strip())
    number = Decimal(match[1].replace("_", "")) * _UNITS[match[2].lower()] if match else Decimal(0)
    if not (1 <= number <= _MOST and number == int(number)):
        raise HiveError(
            f"{text!r} is no number of mixtures",
            "write a whole number of at least 1, e.g. 17500000, 17_500_000, 175k or 1.75M",
        )
    return int(number)


def count_text(count: int) -> str:
    """Return the shortest way to write a number that `parse_count` reads: 175k, 1.75M."""
    texts = [str(count)]
    for unit in "kM":
        number = Decimal(count) / _UNITS[unit.lower()]
        if number >= 1:
            texts.append(f"{number.normalize():f}{unit}")
    return min(reversed(texts), key=len)
