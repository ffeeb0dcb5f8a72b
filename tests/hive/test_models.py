"""Finding models by name, scheme and class."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hive import models
from hive.errors import HiveError

MODULE = '''
"""Models for tests."""
from pathlib import Path

import torch

from hive.errors import HiveError


class Good:
    """Halves the mixture.

    More about it.
    """

    sample_rate = 16000
    generative = False

    def __init__(self, gain: float = 0.5, steps: int = 1, fast: bool = False,
                 path: Path | None = None, device: str = "cpu") -> None:
        self.options = (gain, steps, fast, path, device)

    def separate(self, mixtures, queries):
        return 0.5 * mixtures


class Network(torch.nn.Module):
    sample_rate = 0
    generative = True

    def separate(self, mixtures, queries):
        return mixtures


class NoRate:
    generative = False

    def separate(self, mixtures, queries):
        return mixtures


class Wanting(Good):
    @staticmethod
    def missing():
        return [HiveError("no checkpoint", "download it")]


constant = 3
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"models_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


def test_names_and_schemes() -> None:
    assert {"mixture", "silence", "irm", "ibm", "psm"} <= set(models.names())
    assert {"process", "files"} <= set(models.schemes())


def test_listings_say_what_the_oracles_are() -> None:
    found = {each.name: each for each in models.listings()}
    assert found["irm"].uses_reference
    assert not found["mixture"].uses_reference
    assert found["mixture"].sample_rate == 0
    assert found["irm"].summary.startswith("Ideal ratio mask")
    assert found["irm"].missing == ()


def test_a_class_of_the_current_folder_with_options(module: str) -> None:
    options = {"gain": "0.25", "steps": "4", "fast": "true", "path": "a/b"}
    model = models.load(f"python:{module}:Good", device="cpu", options=options)
    assert model.options == (0.25, 4, True, Path("a/b"), "cpu")  # type: ignore[union-attr]


def test_a_network_is_put_into_evaluation_mode(module: str) -> None:
    model = models.load(f"python:{module}:Network")
    assert model.training is False  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("spec", "problem", "remedy"),
    [
        ("irn", "no model 'irn'", "did you mean 'irm'"),
        ("zzzzzz", "no model", "choose from"),
        ("proces:true", "no scheme 'proces'", "process"),
        ("files:", "nothing follows", "hive-bench models"),
        ("files:/no/such/folder", "no such folder", "folder"),
        ("python:nothing", "not of the form", "module"),
        ("python:no_such_module_here:Model", "cannot be imported", "install"),
        ("python:{}:Goood", "has no Goood", "did you mean 'Good'"),
        ("python:{}:constant", "not a class or function", "class"),
        ("python:{}:NoRate", "sample_rate", "protocol"),
        ("python:{}:Wanting", "no checkpoint", "download it"),
        ("python:{}:Path", "no method separate", "protocol"),
    ],
)
def test_what_is_wrong_is_said_with_a_remedy(
    module: str, spec: str, problem: str, remedy: str
) -> None:
    with pytest.raises(HiveError) as caught:
        models.load(spec.format(module))
    assert problem in caught.value.problem
    assert remedy.lower() in caught.value.remedy.lower()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"gian": "1"}, "unknown option 'gian'"),
        ({"device": "cuda"}, "unknown option 'device'"),
        ({"gain": "much"}, "not of type float"),
        ({"fast": "perhaps"}, "not of type bool"),
    ],
)
def test_wrong_options_are_refused(module: str, options: dict[str, str], problem: str) -> None:
    with pytest.raises(HiveError, match=problem):
        models.load(f"python:{module}:Good", options=options)


def test_a_model_without_options_says_so() -> None:
    with pytest.raises(HiveError) as caught:
        models.load("mixture", options={"gain": "1"})
    assert caught.value.remedy == "it takes no options"


def test_parse_options() -> None:
    assert models.parse_options(["a=1", "b=x=y"]) == {"a": "1", "b": "x=y"}
    for bad in (["a"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(HiveError):
            models.parse_options(bad)
