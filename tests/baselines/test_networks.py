"""The networks of this repository as models."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import BaseModel
from torch import Tensor

from baselines import networks
from baselines.audiosep.config import AudioSepConfig
from baselines.audiosep.model import AudioSep
from baselines.contract import violations
from baselines.facts import Weights
from baselines.model import SeparationModel
from baselines.networks import NetworkSeparator, SavedNetwork
from baselines.queries.encoder import Query as Texts
from baselines.queries.encoder import QueryEncoder
from hive.checkpoints import catalogue
from hive.errors import HiveError
from hive.inference import Item
from hive.separator import Query

CLASSES = ("Dog", "Cat", "Rain")


class Encoder(QueryEncoder):
    kind = "toy"
    dim = len(CLASSES)

    def prepare(self, queries: Sequence[Texts]) -> Tensor:
        rows = torch.zeros(len(queries), self.dim)
        for row, texts in zip(rows, queries, strict=True):
            for text in texts:
                row[CLASSES.index(self.meaning(text))] += 1
        return rows

    def forward(self, prepared: Tensor) -> Tensor:
        return prepared

    def meaning(self, text: str) -> str:
        if text.title() not in CLASSES:
            raise HiveError(f"{text!r} is no class", "ask for Dog")
        return text.title()

    def config(self) -> dict[str, Any]:
        return {"kind": "toy"}


class Sizes(BaseModel):
    taps: int = 5
    sample_rate: int = 1000
    window_seconds: float = 1.0
    encoder: dict[str, Any] = {"kind": "toy"}


class Tiny(SeparationModel):
    """A filter for each class; negatives, if they are taken, count the other way."""

    name = "tiny"
    takes_negatives = True

    def __init__(self, rate: int = 1000) -> None:
        super().__init__(Sizes(sample_rate=rate), Encoder())
        self.filters = torch.nn.Linear(2 * len(CLASSES), 5)
        self.norm = torch.nn.BatchNorm1d(1)
        with torch.no_grad():
            self.filters.weight.copy_(torch.linspace(-9, 9, 30).reshape(5, 6).sin())
            self.filters.bias.zero_()
        self.batches: list[int] = []

    def condition(self, positive: Tensor, negative: Tensor) -> Tensor:
        return torch.cat([positive, negative], dim=-1)

    def forward(self, mixture: Tensor, condition: Tensor) -> Tensor:
        self.batches.append(len(mixture))
        kernels = self.filters(condition)[:, None]
        rows = self.norm(mixture[:, None]).transpose(0, 1)
        return torch.nn.functional.conv1d(rows, kernels, padding=2, groups=len(mixture))[0]


class Local(Tiny):
    takes_negatives = False
    context_seconds = 0.2


def _separator(kind: type[Tiny] = Tiny, **options: Any) -> NetworkSeparator:
    return NetworkSeparator(kind().eval(), name="tiny", **options)


def _noise(*shape: int) -> Tensor:
    return 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Tiny, {}),
        (Tiny, {"batch_size": 1, "window": 0.5}),
        (Local, {}),
        (Local, {"emulate_negatives": True}),
    ],
)
def test_the_contract_holds(kind: type[Tiny], options: dict[str, Any]) -> None:
    class Faster(kind):  # type: ignore[misc,valid-type]
        def __init__(self) -> None:
            super().__init__(8000)  # a tone of 1 kHz must fit

    assert violations(_separator(Faster, **options), sample_rate=11025) == []


def test_what_a_network_says_is_what_it_is() -> None:
    separator = _separator()
    assert (separator.sample_rate, separator.generative) == (1000, False)
    assert separator.takes_negatives
    record = json.loads(json.dumps(separator.details))
    assert record["architecture"] == "tiny"
    assert record["config"] == {"taps": 5, "sample_rate": 1000, "window_seconds": 1.0}
    assert record["encoder"] == {"kind": "toy"}
    assert (record["precision"], record["compiled"]) == ("fp32", False)
    assert not _separator(Local).takes_negatives


@pytest.mark.parametrize(
    ("kind", "window", "seconds", "hop"),
    [(Tiny, None, 1.0, 0.9), (Tiny, 0.5, 0.5, 0.45), (Local, None, 1.0, 0.6), (Local, 3, 3, 2.6)],
)
def test_windows(kind: type[Tiny], window: float | None, seconds: float, hop: float) -> None:
    windows = _separator(kind, window=window).facts.windows
    assert (windows.seconds, windows.hop) == (seconds, pytest.approx(hop))


def test_a_window_is_what_the_network_says_of_it() -> None:
    separator = _separator()
    mixture = _noise(1, 777)
    expected = separator.network(mixture, torch.tensor([[1.0, 0, 0, 0, 0, 1.0]]))  # type: ignore[misc]
    found = separator.separate(mixture, [Query("dog", ("rain",))])
    torch.testing.assert_close(found, expected)


def test_a_local_network_gives_the_same_in_windows() -> None:
    mixture = _noise(2, 5432)
    queries = [Query("Dog"), Query("Cat")]
    windows = _separator(Local).separate(mixture, queries)
    whole = _separator(Local, window=6.0).separate(mixture, queries)
    torch.testing.assert_close(windows, whole)
    assert not torch.allclose(whole[0], whole[1])


def test_windows_are_batched() -> None:
    separator = _separator(batch_size=3)
    separator.separate(_noise(2, 2800), [Query("Dog"), Query("Cat")])  # 3 windows of 2 mixtures
    assert separator._model.batches == [3, 3]


def test_queries_that_are_no_class() -> None:
    with pytest.raises(HiveError, match="'whale' is no class"):
        _separator().separate(_noise(1, 100), [Query("whale")])
    with pytest.raises(HiveError, match="'whale' is no class"):
        _separator().separate(_noise(1, 100), [Query("dog", ("whale",))])
    item = Item("m", "s1", 0, 1000)
    _separator().separate(_noise(1, 100), [Query("dog", ("Rain",))], [item])
    assert item.notes == ["negatives_native", "taken_for:Dog"]


def test_only_what_is_to_be_dropped() -> None:
    separator = _separator()
    mixture = _noise(1, 100)
    expected = separator.network(mixture, torch.tensor([[0.0, 0, 0, 0, 0, 1.0]]))  # type: ignore[misc]
    torch.testing.assert_close(separator.separate(mixture, [Query("", ("Rain",))]), expected)


def test_bf16_is_near_and_comes_back_as_float32() -> None:
    mixture = _noise(1, 1500)
    full = _separator().separate(mixture, [Query("Dog")])
    half = _separator(precision="bf16").separate(mixture, [Query("Dog")])
    assert half.dtype == torch.float32
    assert not torch.equal(half, full)
    assert (half - full).norm() < 0.02 * full.norm()


def test_compile_compiles_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def remember(model: Any) -> Any:
        compiled.append(model)
        return model

    monkeypatch.setattr(torch, "compile", remember)
    separator = _separator(compile=True)
    assert compiled == [separator.network]
    assert separator.details["compiled"] is True


@pytest.mark.parametrize(
    ("kind", "options", "problem"),
    [
        (Tiny, {"precision": "fp8"}, "precision 'fp8' is not known"),
        (Tiny, {"window": 1.5}, "it takes windows of 1 s, not 1.5 s"),
        (Local, {"window": 0.4}, r"windows of 0\.4 s leave nothing"),
        (Tiny, {"window": -1.0}, "windows of -1 s leave nothing"),
        (Tiny, {"window": 0.0}, "windows of 0 s leave nothing"),
        (Tiny, {"batch_size": 0}, "0 windows at once"),
    ],
)
def test_options_that_make_no_sense(
    kind: type[Tiny], options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(HiveError, match=f"model tiny: {problem}"):
        _separator(kind, **options)


def test_training_mode_is_refused() -> None:
    separator = NetworkSeparator(Tiny().train(), name="tiny")
    with pytest.raises(RuntimeError, match="training mode"):
        separator.separate(_noise(1, 100), [Query("Dog")])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A network on disk, as `save_pretrained` writes it."""
    config = AudioSepConfig(
        n_fft=128, hop=32, channels=(2,) * 6, encoder={"kind": "labels", "dim": 4}
    )
    torch.manual_seed(0)
    folder = tmp_path / "runs" / "small"
    AudioSep(config).save_pretrained(folder)
    return folder


def test_a_saved_network(saved: Path) -> None:
    separator = SavedNetwork(str(saved))
    assert separator.name == "small"
    digest = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert separator.checkpoint_sha256 == digest
    assert separator.facts.weights == Weights(str(saved), "model.safetensors", None, digest, None)
    assert separator.facts.windows.hop == 3.0
    assert separator.meaning("barking dog") == "Dog"
    estimate = separator.separate(_noise(1, 6 * 32000), [Query("Dog")])
    assert estimate.shape == (1, 6 * 32000)


def test_a_run_has_its_network_in_a_folder(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = saved.parent
    saved.rename(run / "model")
    separator = SavedNetwork(str(run))
    assert separator.name == "runs"
    assert separator.facts.weights is not None
    assert separator.facts.weights.repo == str(run)
    assert SavedNetwork(str(run / "model")).name == "runs"
    monkeypatch.chdir(run)
    assert SavedNetwork(".").name == "runs"


def test_a_network_of_the_hub_has_the_name_it_has_there(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = saved.rename(saved.parent / ("0" * 40))
    monkeypatch.setattr("baselines.locations._fetch", lambda repo, download: commit)
    assert SavedNetwork("owner/dog").name == "owner/dog"


def test_a_run_that_goes_on_has_no_network_yet(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(HiveError, match="has not ended") as caught:
        SavedNetwork(str(tmp_path))
    assert "--resume" in caught.value.remedy


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: cc-by-sa-4.0\ntags: [a]\n---\n# Name\n", "cc-by-sa-4.0"),
        ("---\ntags: [a]\n---\n", None),
        ("---\n: [\n---\n", None),
        ("# Name\n", None),
    ],
)
def test_the_licence_is_that_of_the_card(saved: Path, card: str, licence: str | None) -> None:
    (saved / "README.md").write_text(card)
    weights = SavedNetwork(str(saved)).facts.weights
    assert weights is not None
    assert weights.licence == licence


def test_converted_checkpoints_say_what_was_published(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(saved.parent))
    entry = dataclasses.replace(catalogue.find("apollo"), name="small")
    monkeypatch.setattr(catalogue, "CATALOGUE", (entry,))
    origin = {"repo": "a/b", "revision": "c", "file": "d.ckpt", "sha256": "0" * 64}
    files = {
        name: {"size": (saved / name).stat().st_size, "sha256": "0" * 64}
        for name in ("config.json", "model.safetensors")
    }
    for published in (True, False):
        manifest = {"schema": 1, "name": "small", "files": files}
        manifest["source"] = {**origin, "published": published}
        (saved / "checkpoint.json").write_text(json.dumps(manifest))
        weights = SavedNetwork(str(saved)).facts.weights
        assert weights is not None
        found = (weights.repo, weights.file, weights.revision, weights.licence)
        if published:
            assert found == ("a/b", "d.ckpt", "c", "CC-BY-SA-4.0")
        else:
            assert found == (str(saved), "model.safetensors", None, None)


def test_a_named_architecture_with_other_weights(saved: Path) -> None:
    separator = networks.AudioSepHive(weights=str(saved), batch_size=2)
    assert separator.name == "audiosep-hive"
    assert separator.sample_rate == networks.AudioSepHive.sample_rate == 32000
    assert networks.AudioSepHive.missing(weights=str(saved)) == []


def test_another_architecture_is_refused(saved: Path) -> None:
    with pytest.raises(HiveError, match=r"model clapsep: .* architecture audiosep, not clearsep"):
        networks.ClapSep(weights=str(saved))


@pytest.mark.parametrize("kind", [networks.AudioSep, networks.AudioSepHive, networks.ClapSep])
def test_published_weights_that_are_not_here(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path))
    (missing,) = kind.missing()
    assert missing.remedy
    with pytest.raises(HiveError) as caught:
        kind()
    assert caught.value.problem == missing.problem


@pytest.mark.parametrize("kind", [networks.AudioSepMini, networks.ClearSepMini])
def test_an_installation_without_its_weights(
    kind: Any, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baselines.locations.SHIPPED", tmp_path / "none")
    (missing,) = kind.missing()
    assert missing.remedy == "install hive-bench again"
    assert kind.missing(weights=str(saved)) == []


def test_nobody_published_clearsep() -> None:
    (missing,) = networks.ClearSep.missing()
    assert "weights=" in missing.remedy
    with pytest.raises(HiveError, match="no weights of ClearSep"):
        networks.ClearSep()


@pytest.mark.parametrize("source", ["nowhere/at/all", "~/nothing-here-1234"])
def test_folders_that_do_not_exist(source: str) -> None:
    with pytest.raises(HiveError, match="there is no such folder"):
        SavedNetwork(source)


def test_a_network_whose_queries_need_a_checkpoint_that_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path / "store"))
    config = AudioSepConfig(
        n_fft=128,
        hop=32,
        channels=(2,) * 6,
        encoder={"kind": "clap", "checkpoint": "clap-music-audioset"},
    )
    AudioSep(config).save_pretrained(tmp_path / "small")
    with pytest.raises(HiveError, match="clap-music-audioset is not here") as caught:
        SavedNetwork(str(tmp_path / "small"))
    assert caught.value.remedy == "hive-bench checkpoints fetch clap-music-audioset"
    monkeypatch.setattr("baselines.locations.SHIPPED", tmp_path)
    monkeypatch.setattr(networks.AudioSepHive, "_name", "small")
    assert [each.problem for each in networks.AudioSepHive.missing()] == [caught.value.problem]
