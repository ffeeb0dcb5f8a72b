"""croissant.json: a dataset described for programs, in the Croissant 1.0 vocabulary of MLCommons.

Shards are files with a hash each up to `LISTED` of them; more are described by a pattern for each
split and size, since readers take minutes over 20,000 files, and SHA256SUMS has the hashes. The
mixture table is a record set, its sources nested records.

Source of the vocabulary: the Croissant format specification 1.0 (docs.mlcommons.org/croissant).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from hive.shards import citation
from hive.shards.attribution import licence_address
from hive.shards.edition import Edition
from hive.shards.facts import DatasetFacts
from hive.shards.features import row_schema
from hive.shards.layout import ATTRIBUTION, LICENCES, MIXTURES

LISTED = 200
_TYPES = {"string": "sc:Text", "double": "cr:Float64", "int32": "cr:Int32"}
_FORMATS = {
    ".parquet": "application/x-parquet",
    ".csv": "text/csv",
    ".txt": "text/plain",
    ".tar": "application/x-tar",
}
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(
    facts: DatasetFacts, hashes: dict[str, str], edition: Edition | None = None
) -> dict[str, Any]:
    """Return the Croissant description of a dataset.

    Args:
        facts: What it is.
        hashes: SHA-256 of its files, by name: shards, mixture table, licences, attribution.
        edition: In which form it is described; as the folder that it is by default.

    Returns:
        A JSON-LD value.
    """
    edition = edition or Edition()
    owner, _, name = edition.repo.rpartition("/")
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name or "hive-mixtures",
        "description": (
            f"{facts.mixtures} mixtures of single sound events for query-based universal sound "
            f"separation, with their sources, made of {facts.clips} clips of {len(facts.labels)} "
            "classes."
        ),
        "citeAs": citation.PAPER,
        "license": [licence_address(one) or one for one, _ in facts.licences],
        "url": edition.page or citation.PAPER_ADDRESS,
        # Which dataset it is, in the form that SemVer has for that.
        "version": f"1.0.0+{facts.sha256[MIXTURES][:12]}",
        "creator": {
            "@type": "sc:Organization",
            "name": owner or "made with hive-bench",
            **({"url": f"{edition.endpoint}/{owner}"} if owner else {}),
        },
        "keywords": ["audio", "sound separation", "universal sound separation", "mixtures"],
        "inLanguage": "en",
        "isLiveDataset": False,
        "distribution": [
            *(_file(one, hashes[one], edition) for one in (MIXTURES, LICENCES, ATTRIBUTION)),
            *_shards(facts, hashes, edition),
        ],
        "recordSet": [_splits(facts), _mixtures(facts)],
    }


def _file(name: str, sha256: str, edition: Edition) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": edition.address(name),
        "encodingFormat": _FORMATS["." + name.rpartition(".")[2]],
        "sha256": sha256,
    }


def _shards(facts: DatasetFacts, hashes: dict[str, str], edition: Edition) -> list[dict[str, Any]]:
    tars = [name for name in hashes if name.endswith(".tar") and edition.has(name)]
    if len(tars) <= LISTED:
        return [_file(name, hashes[name], edition) for name in tars]
    return [
        {
            "@type": "cr:FileSet",
            "@id": f"{group.split}-{group.num_sources}mix",
            "name": f"{group.split}-{group.num_sources}mix",
            "description": f"{group.shards} shards; their SHA-256 stand in SHA256SUMS.",
            "encodingFormat": _FORMATS[".tar"],
            "includes": f"data/{group.num_sources}mix/{group.split}-*.tar",
        }
        for group in facts.of(edition.shown(facts))
    ]


def _splits(facts: DatasetFacts) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "Names of the splits.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [{"@type": "cr:Field", "@id": "splits/name", "dataType": "sc:Text"}],
        "data": [{"splits/name": name} for name in facts.splits],
    }


def _mixtures(facts: DatasetFacts) -> dict[str, Any]:
    schema = row_schema(tracks=facts.tracks)
    fields = [_field(field, "mixtures", field.name) for field in schema]
    for field in fields:
        if field["@id"] == "mixtures/split":
            field["references"] = {"field": {"@id": "splits/name"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "mixtures",
        "name": "mixtures",
        "description": "One record a mixture: what it is made of, and how.",
        "key": {"@id": "mixtures/mix_id"},
        "field": fields,
    }


def _field(field: pa.Field, parent: str, column: str, path: str = "") -> dict[str, Any]:
    """Return a column as a field; a list of structs as a repeated field of fields."""
    name = f"{parent}/{field.name}"
    described: dict[str, Any] = {"@type": "cr:Field", "@id": name, "name": name}
    if pa.types.is_nested(field.type):
        repeated = pa.types.is_list(field.type)
        members = field.type.value_type if repeated else field.type
        if repeated:
            described["repeated"] = True
        described["subField"] = [_field(one, name, column, one.name) for one in members]
        return described
    source: dict[str, Any] = {"fileObject": {"@id": MIXTURES}, "extract": {"column": column}}
    if path:
        source["transform"] = {"jsonPath": path}
    return {**described, "dataType": _TYPES[str(field.type)], "source": source}
