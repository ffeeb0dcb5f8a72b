"""The registry of networks: lazy, exact, helpful with a wrong name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from baselines import architectures
from baselines.architectures import Architecture, architecture
from hive.errors import HiveError


def test_each_name_gives_its_classes() -> None:
    assert architectures.names() == ("audiosep", "clearsep", "flowsep")
    for name in architectures.names():
        found = architecture(name)
        assert found.model_class.name == found.name == name
        assert found.model_class.__name__ == found.title
        assert found.config_class.__name__ == f"{found.title}Config"
        config = found.config_class.mini()  # type: ignore[attr-defined]
        assert isinstance(config, found.config_class)


def test_the_documented_numbers_of_weights() -> None:
    import torch

    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (AudioSep|ClearSep),? (published|mini).*? \| ([\d,]+) \| (.*?) \|", page, re.M
    )
    assert len(rows) == 4
    for title, size, total, trained in rows:
        found = architecture(title.lower())
        with torch.device("meta"):  # nothing is allocated
            model = found.model_class(getattr(found.config_class, size)())  # type: ignore[call-arg]
        counts = [(each.numel(), each.requires_grad) for each in model.parameters()]
        assert f"{sum(count for count, _ in counts):,}" == total
        learns = sum(count for count, trains in counts if trains)
        assert trained == (f"{learns:,}" if learns < sum(count for count, _ in counts) else "all")


def test_a_wrong_name_is_told_the_nearest() -> None:
    with pytest.raises(HiveError, match="'audiosepp' is not known") as caught:
        architecture("audiosepp")
    assert caught.value.remedy == "did you mean audiosep?"
    with pytest.raises(HiveError) as caught:
        architecture("?")
    assert caught.value.remedy == "choose one of audiosep, clearsep, flowsep"


class OddConfig(BaseModel):
    """Of a network of these tests."""


def test_one_line_adds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    added = Architecture("odd", "Odd", __name__, "a.module.that.is.not.there")
    monkeypatch.setattr(architectures, "ARCHITECTURES", (*architectures.ARCHITECTURES, added))
    # The network's module is not imported to look at the configuration.
    assert architecture("odd").config_class is OddConfig
    with pytest.raises(ModuleNotFoundError):
        _ = architecture("odd").model_class


def test_naming_networks_does_not_import_torch() -> None:
    code = (
        "import sys; from baselines import architectures, published, locations; "
        "architectures.architecture('clearsep'); locations.shipped(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
