"""What a plan depends on, apart from the clips: split, seed, length, sizes, levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hive.cooccurrence import matrix
from hive.errors import HiveError
from hive.files import sha256_json
from hive.tables import SIZES

SNR_RANGE_DB = (-5.0, 5.0)
CROP_SECONDS: Mapping[str, float] = {"train": 4.0, "validation": 4.0, "test": 10.0}
#: Shares of mixtures with 2, 3, 4 and 5 sources: 5-source mixtures dominate (figure 3).
SIZE_SHARES: Mapping[int, float] = {2: 0.15, 3: 0.20, 4: 0.30, 5: 0.35}
#: Raised when the same settings would give other mixtures.
_VERSION = 2


@dataclass(frozen=True)
class PlanSettings:
    """What a plan depends on, apart from the clips and its length.

    Attributes:
        split: Name of the split.
        seed: The run's seed.
        seconds: Length of the mixtures.
        size_shares: Share of each number of sources.
        snr_range_db: Range of the level relative to the first source.
        licences: Rules by which clips were let in (`hive.licences.Filter.describe`).
    """

    split: str
    seed: int
    seconds: float
    size_shares: Mapping[int, float] = field(default_factory=lambda: dict(SIZE_SHARES))
    snr_range_db: tuple[float, float] = SNR_RANGE_DB
    licences: tuple[str, ...] = ()

    @property
    def sizes(self) -> list[int]:
        """The numbers of sources that have a share."""
        return [size for size, share in self.size_shares.items() if share > 0]

    def describe(self, clips_sha256: str) -> dict[str, Any]:
        """Return the settings as stored with the plan."""
        return {
            "split": self.split,
            "seed": self.seed,
            "seconds": self.seconds,
            "size_shares": {str(size): share for size, share in self.size_shares.items()},
            "snr_range_db": list(self.snr_range_db),
            "clips_sha256": clips_sha256,
            "matrix_sha256": sha256_json(matrix().astype(int).tolist()),
            "plan_version": _VERSION,
            **({"licences": list(self.licences)} if self.licences else {}),
        }


def parse_sizes(sizes: str, shares: str | None = None) -> dict[int, float]:
    """Read numbers of sources ("2-5", "3", "2,4") and their shares ("15/20/30/35").

    Raises:
        HiveError: If a size is not 2 to 5, or the shares do not match the sizes.
    """
    chosen: list[int] = []
    try:
        for part in sizes.split(","):
            low, _, high = part.partition("-")
            chosen += range(int(low), int(high or low) + 1)
    except ValueError:
        chosen = []
    if not chosen or not set(chosen) <= set(SIZES) or len(set(chosen)) < len(chosen):
        raise HiveError(f"--sources {sizes!r} cannot be read", "write sizes from 2 to 5, e.g. 2-5")
    if shares is None:
        return {size: SIZE_SHARES[size] for size in chosen}
    try:
        weights = [float(part) for part in shares.split("/")]
    except ValueError:
        weights = []
    if len(weights) != len(chosen) or any(not 0 <= w < float("inf") for w in weights):
        weights = []
    if not sum(weights):
        raise HiveError(
            f"--size-shares {shares!r} does not give a share for each of {chosen}",
            "write one number for each size, e.g. 15/20/30/35",
        )
    return dict(zip(chosen, weights, strict=True))
