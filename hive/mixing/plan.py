"""Plans: what each mixture of a split is made of, before anything is rendered.

A plan is a mixture table whose computed fields (gains, normalisation, hashes) are still null;
`hive.mixing.render` fills them. Mixture i depends on (seed, split, i), the clips and the settings
alone, so a longer plan begins with the shorter one.
"""

from hive.mixing.plan_file import write_plan, write_subset
from hive.mixing.planner import Planner
from hive.mixing.settings import (
    CROP_SECONDS,
    SIZE_SHARES,
    SNR_RANGE_DB,
    PlanSettings,
    parse_sizes,
)

__all__ = [
    "CROP_SECONDS",
    "SIZE_SHARES",
    "SNR_RANGE_DB",
    "PlanSettings",
    "Planner",
    "parse_sizes",
    "write_plan",
    "write_subset",
]
