"""The results of a run: `results.json` and `scores.parquet`, their schema, reading and writing.

`results.json` follows the models below; `results.schema.json` beside this file is their JSON
schema, written by `python -m benchmarks.results`. JSON has no infinities: a number that is not
finite is written as the string "inf", "-inf" or "nan".

`scores.parquet` has one row a (mixture, query): the columns of `ROW_SCHEMA`, then one float64
column a metric. There null means that the metric does not apply to the row, NaN that it is not
defined for it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

from benchmarks.settings import Queries
from hive.errors import HiveError
from hive.files import atomic_open, write_text

SCHEMA_VERSION: Literal["3.0"] = "3.0"
SCHEMA_PATH = Path(__file__).with_name("results.schema.json")
RESULTS_NAME = "results.json"
SCORES_NAME = "scores.parquet"

ROW_SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("mix_id", pa.string()),
        ("source_id", pa.string()),
        ("num_sources", pa.int32()),
        ("label", pa.string()),
        ("query", pa.string()),
        ("negatives", pa.list_(pa.string())),
        ("recording_id", pa.string()),
        ("seconds", pa.float64()),
        ("flags", pa.list_(pa.string())),
    ]
)


def _parse_number(value: object) -> object:
    return float(value) if value in ("inf", "-inf", "nan") else value


def _format_number(value: float) -> float | str:
    if math.isnan(value):
        return "nan"
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


Number = Annotated[
    float,
    BeforeValidator(_parse_number),
    PlainSerializer(_format_number),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}),
]
Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Group = Annotated[str, Field(pattern="^([0-9]+|overall|flat)$")]
RelativePath = Annotated[str, Field(pattern=r"^examples/[A-Za-z0-9_.-]+$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetRecord(_Record):
    """What was scored on.

    `fingerprint` covers the whole split, also when `limit` or a list of names took a part;
    `only_sha256` is the hash of that list (`benchmarks.only`).
    """

    name: str
    path: str
    split: str
    fingerprint: Sha256
    num_mixtures: Count
    num_items: Count
    sample_rate: Annotated[int, Field(gt=0)]
    limit: Annotated[int, Field(gt=0)] | None
    only_sha256: Sha256 | None = None


class ModelRecord(_Record):
    """What was scored. `spec` is what was given to --model; `sample_rate` 0 means any."""

    name: str
    spec: str
    sample_rate: Count
    generative: bool
    uses_reference: bool
    checkpoint_sha256: Sha256 | None
    details: dict[str, Any]


class SettingsRecord(_Record):
    """Everything else that a score may depend on."""

    seed: int
    batch_size: Annotated[int, Field(gt=0)]
    device: str
    queries: Queries
    metrics: list[str]
    embedding: str
    judge: str | None
    options: dict[str, str]
    resampler: str
    length_policy: str
    examples: Count


class MachineRecord(_Record):
    """Where it ran. `threads` is torch's number of threads while separating."""

    platform: str
    cpu: str
    threads: Annotated[int, Field(gt=0)]
    gpu: str | None


class IdentityRecord(_Record):
    """What a column's values depend on; see `hive.metrics.identity`."""

    definition: str
    revision: Annotated[int, Field(gt=0)]
    settings: dict[str, Any]
    sample_rate: Annotated[int, Field(gt=0)]
    band: Annotated[int, Field(gt=0)] | None
    resampler: str
    embedding: str | None
    features: Annotated[int, Field(gt=0)] | None
    judge: str | None
    checkpoint_sha256: Sha256 | None


class MetricRecord(_Record):
    """What a column of the scores means.

    `id` is a digest of `identity`: values with equal ids may be compared. `versions` are those of
    the libraries that computed it. A metric of scope "set" has no column, only aggregates. With
    `standin`, no trained model stood behind the values, and they compare with nothing; without
    `published`, the weights were others than those that the embedding is named after.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    definition: str
    formula: str
    source: str
    scope: Literal["item", "mixture", "set", "share"]
    standin: bool
    published: bool
    id: str
    identity: IdentityRecord
    versions: dict[str, str]


class JudgeRecord(_Record):
    """Who judged; `details` are for the record: revision of the weights, versions, device."""

    name: str
    checkpoint_sha256: Sha256 | None
    standin: bool
    details: dict[str, Any]


class UnavailableMetric(_Record):
    """A metric that was asked for and could not be computed here."""

    metric: str
    reason: str
    remedy: str


class Aggregate(_Record):
    """A metric over the items with one number of sources, or over all.

    "overall" is the mean of the means of the numbers of sources, as the Hive paper has it; "flat"
    is over all items at once, as the ClearSep paper has it. `mean` is over the `n` finite values,
    with its 95 % interval from a bootstrap over recordings; `mean_clipped` (decibels only) takes in
    the infinite values, clipped to [-30, 100] dB. For a metric of scope "set", `mean` is its value
    for the `n` items with `n_windows` embeddings, and the interval is a jackknife's.
    """

    metric: str
    group: Group
    n: Count
    mean: Number
    ci_low: Number
    ci_high: Number
    std: Number
    median: Number
    mean_clipped: Number | None
    n_pos_inf: Count
    n_neg_inf: Count
    n_nan: Count
    n_windows: Count | None = None


SanityRow: TypeAlias = Literal["mixture", "silence", "ideal_mask", "reference"]


class Anchor(_Record):
    """The mean of a metric for something else in place of the estimate, for orientation.

    "mixture" is the unprocessed mixture, "silence" zeros, "ideal_mask" the ideal ratio mask and
    "reference" the true source. `n` items have a finite value; where none has, `mean` is the
    infinity that they share, if they do.
    """

    name: SanityRow
    metric: str
    group: Group
    n: Count
    mean: Number


class Counts(_Record):
    """Items asked for, those among them without any scores, and those that stood out."""

    items: Count
    failed: Count
    length_fixed: Count
    silent_estimates: Count
    silent_references: Count


class Failure(_Record):
    """An item without scores, or without one metric, and why."""

    mix_id: str
    source_id: str
    metric: str | None = None
    error: str


class Check(_Record):
    """A statement that must hold for the numbers to be believed."""

    name: str
    passed: bool
    detail: str


class Example(_Record):
    """Sound of one item; paths are relative to the folder of the run. An absent target has none."""

    mix_id: str
    source_id: str
    num_sources: Annotated[int, Field(gt=0)]
    label: str
    si_sdr: Number | None
    si_sdr_i: Number | None
    mixture: RelativePath
    reference: RelativePath | None
    estimate: RelativePath


class Results(_Record):
    """The whole of `results.json`."""

    schema_version: Literal["3.0"] = SCHEMA_VERSION
    created: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    hive_version: str
    task: str
    dataset: DatasetRecord
    model: ModelRecord
    settings: SettingsRecord
    settings_hash: Sha256
    versions: dict[str, str]
    machine: MachineRecord
    metrics: list[MetricRecord]
    unavailable: list[UnavailableMetric]
    judge: JudgeRecord | None
    aggregates: list[Aggregate]
    anchors: list[Anchor]
    counts: Counts
    failures: list[Failure]
    checks: list[Check]
    examples: list[Example]

    def to_json(self) -> str:
        """Return strict JSON text."""
        return json.dumps(self.model_dump(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `results.json`."""
    schema = Results.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def write_results(folder: Path, results: Results, scores: pa.Table) -> None:
    """Write a run's scores, then its results, each atomically."""
    with atomic_open(folder / SCORES_NAME) as handle:
        pq.write_table(scores, handle, compression="zstd")
    write_text(folder / RESULTS_NAME, results.to_json())


def read_results(path: Path) -> Results:
    """Read and check a `results.json`, or the one in a run's folder.

    Raises:
        HiveError: If it is missing or does not follow the schema; the first faulty field is named.
    """
    file = path / RESULTS_NAME if path.is_dir() else path
    try:
        return Results.model_validate_json(file.read_bytes(), strict=False)
    except OSError as error:
        raise HiveError(
            f"{file}: no results there ({error.strerror})",
            "name the --out folder of a finished run",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise HiveError(
            f"{file}: {field}: {first['msg']}", "write it with hive-bench evaluate of this version"
        ) from error


def read_scores(folder: Path) -> pa.Table:
    """Read the scores of a run.

    Raises:
        HiveError: If they are missing, are no Parquet, or lack a column.
    """
    file = folder / SCORES_NAME
    try:
        with file.open("rb") as handle:
            table = pq.read_table(handle)
    except FileNotFoundError as error:
        raise HiveError(f"{file}: no scores there", "name the --out folder of a run") from error
    except pa.ArrowInvalid as error:
        raise HiveError(f"{file}: not a Parquet table ({error})", "evaluate again") from error
    lacking = [name for name in ROW_SCHEMA.names if name not in table.column_names]
    if lacking:
        raise HiveError(f"{file}: column {lacking[0]!r} is missing", "evaluate again")
    return table


if __name__ == "__main__":
    write_text(SCHEMA_PATH, json.dumps(json_schema(), indent=2) + "\n")
