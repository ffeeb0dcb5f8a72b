"""Query encoders by their configuration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from baselines.queries import kinds, make_encoder
from hive.errors import HiveError


@pytest.mark.parametrize(
    "config",
    [
        {"kind": "labels", "dim": 8},
        {"kind": "labels", "dim": 4, "untrained": "ancestors"},
        {"kind": "clap"},
        {"kind": "clap", "template": "the sound of {}", "several": "sentence", "dim": 6},
        {"kind": "clap", "checkpoint": "clap-music-audioset", "sha256": "0" * 64},
    ],
)
def test_a_configuration_builds_the_same_encoder_again(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path))
    encoder = make_encoder(config)
    whole = encoder.config()
    assert config.items() <= whole.items()
    assert encoder.kind == config["kind"] in kinds()
    assert make_encoder(whole).config() == whole
    assert encoder.dim == make_encoder(whole).dim


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "no kind.*choose one of labels, clap"),
        ({"kind": "label"}, "'label' is not known.*did you mean 'labels'"),
        ({"kind": "bert"}, "'bert' is not known.*choose one of labels, clap"),
        ({"kind": ["labels"]}, "is not known"),
        ({"kind": "labels", "dims": 8}, "'dims' is not known.*did you mean 'dim'"),
        ({"kind": "labels", "dim": 0}, "dim is 0.*whole number above 0"),
        ({"kind": "labels", "dim": "8"}, "dim is '8'"),
        ({"kind": "labels", "dim": True}, "dim is True"),
        ({"kind": "labels", "untrained": "guess"}, "untrained is 'guess'.*error, ancestors"),
        ({"kind": "labels", "vocabulary": "0" * 64}, "hash '0000.*train it again"),
        ({"kind": "clap", "checkpoint": "clap-musik"}, "'clap-musik' is not known.*did you mean"),
        ({"kind": "clap", "checkpoint": "apollo"}, "'apollo' is not known"),
        ({"kind": "clap", "checkpoint": None}, "None is not known"),
        ({"kind": "clap", "template": "the sound"}, "template is 'the sound'.*once"),
        ({"kind": "clap", "template": "{} and {}"}, "template is"),
        ({"kind": "clap", "several": "max"}, "several is 'max'.*mean, sentence"),
        ({"kind": "clap", "dim": -1}, "dim is -1"),
    ],
)
def test_a_wrong_configuration_is_told(config: dict[str, Any], told: str) -> None:
    with pytest.raises(HiveError, match=told):
        make_encoder(config)


def test_matching_and_the_registry_need_no_torch() -> None:
    code = (
        "import sys, baselines.queries; from baselines.queries.matching import match; "
        "assert match('dogs').name == 'Dog'; "
        "sys.exit(bool({'torch', 'transformers'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
