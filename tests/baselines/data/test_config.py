"""What a `data` section may say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from baselines.data.config import (
    AugmentConfig,
    DataConfig,
    QueryConfig,
    TracksConfig,
    ValidationConfig,
)
from hive.mixing.settings import SIZE_SHARES, SNR_RANGE_DB


def test_an_empty_section_is_the_papers_recipe() -> None:
    config = DataConfig()
    assert config.sizes == dict(SIZE_SHARES)
    assert config.snr_db == SNR_RANGE_DB
    assert config.augment is None
    assert config.queries.positive_only == 1.0
    assert not config.queries.uses_negatives


def test_clearsep_asks_with_negatives() -> None:
    config = QueryConfig(positive_only=0.25, negative_only=0.25, both=0.5, silence=0.05)
    assert config.uses_negatives


@pytest.mark.parametrize(
    "kind", [AugmentConfig, DataConfig, QueryConfig, TracksConfig, ValidationConfig]
)
def test_every_field_is_described(kind: type[BaseModel]) -> None:
    nested = {"queries", "tracks", "validation"}
    lacking = [
        name
        for name, field in kind.model_fields.items()
        if not field.description and name not in nested
    ]
    assert lacking == []


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"unknown": 1}, "unknown"),
        ({"seconds": 0}, "seconds"),
        ({"sizes": {}}, "sizes"),
        ({"sizes": {6: 1.0}}, "sizes"),
        ({"sizes": {2: -1.0, 3: 2.0}}, "sizes"),
        ({"sizes": {2: 0.0}}, "sizes"),
        ({"snr_db": [5, -5]}, "snr_db"),
        ({"snr_db": [float("nan"), 5]}, "snr_db"),
        ({"mixer": "audiosep", "batch_size": 1}, "batch_size"),
        ({"queries": {"positive_only": 0.5}}, "add up"),
        ({"queries": {"positive_only": 0, "negative_only": 1, "silence": 0.1}}, "silence"),
        ({"queries": {"silence": 1.5}}, "silence"),
        ({"augment": {"low_pass_hz": [20, 4000]}}, "low_pass_hz"),
        ({"augment": {"level_db": [-10, 3]}}, "level_db"),
        ({"augment": {"reverb_seconds": [0.5, 0.1]}}, "reverb_seconds"),
        ({"augment": {"semitones": 13}}, "semitones"),
        ({"validation": {"sizes": [2, 2]}}, "sizes"),
        ({"validation": {"sizes": [7]}}, "sizes"),
        ({"validation": {"sizes": []}}, "sizes"),
    ],
)
def test_what_cannot_be_is_refused(told: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        DataConfig.model_validate(told)
