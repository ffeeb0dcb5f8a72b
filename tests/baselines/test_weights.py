"""Published checkpoints become networks, and `hive-bench weights` handles these."""

from __future__ import annotations

import dataclasses
import json
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent))
from model_hub import TOKEN, ModelHub

from baselines import conversion, locations, published
from baselines.audiosep.config import AudioSepConfig
from baselines.audiosep.model import AudioSep
from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.frontend import mel_filters
from baselines.clearsep.model import ClearSep
from baselines.pretrained import load_pretrained
from benchmarks.speed.reference_audiosep import ReferenceAudioSep
from benchmarks.speed.reference_clearsep import ReferenceClearSep, Sizes
from hive import main
from hive.checkpoints import catalogue, clap_keys, install, store
from hive.errors import HiveError
from hive.files import sha256_file

SMALL = AudioSepConfig(n_fft=128, hop=32, channels=(2, 3, 4, 5, 6, 6))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our collection, whatever is installed."""
    monkeypatch.setattr(catalogue, "collections", lambda: (published.COLLECTION,))
    monkeypatch.setattr(install, "collections", lambda: (published.COLLECTION,))


@pytest.fixture
def store_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path / "store"))
    return tmp_path / "store"


def stir(network: torch.nn.Module) -> torch.nn.Module:
    """Leave nothing at a value that would hide a mistake."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean, 0.0, 0.2)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
    return network.eval()


@pytest.fixture
def audiosep(monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """The published network at a small size, which the converter takes for the published one."""
    monkeypatch.setattr(AudioSepConfig, "published", classmethod(lambda _: SMALL))
    reference = ReferenceAudioSep(SMALL.channels, SMALL.n_fft, SMALL.hop)
    with torch.no_grad():
        reference.base.after_conv.bias.copy_(torch.tensor([0.3, 1.0, -0.5]))
    return stir(reference)


@pytest.fixture
def checkpoint(audiosep: torch.nn.Module, tmp_path: Path) -> Path:
    """A checkpoint as its training writes it."""
    state = {f"ss_model.{key}": value for key, value in audiosep.state_dict().items()}
    state["query_encoder.model.logit_scale_a"] = torch.zeros(())
    file = tmp_path / "audiosep_hive.ckpt"
    torch.save({"epoch": 1, "state_dict": state, "optimizer_states": [{"state": {}}]}, file)
    return file


def test_the_entries() -> None:
    entries = {entry.name: entry for entry in published.COLLECTION.checkpoints}
    names = {"audiosep", "audiosep-hive", "clapsep", "flowsep", "flowsep-hive"}
    assert set(entries) == names == set(locations.published())
    for entry in entries.values():
        if entry.kind != "flowsep":  # of whose files nobody has written down the hashes
            assert entry.sha256 is not None
            assert (len(entry.sha256), entry.size is not None) == (64, True)
        converter = install._converter(entry)
        assert isinstance(converter, conversion.NetworkConverter)
    assert entries["audiosep"].url == (
        "https://huggingface.co/spaces/Audio-AGI/AudioSep/resolve/"
        "5638854dccfaea5c5fa4f634c00fe74fbb119244/checkpoint/audiosep_base_4M_steps.ckpt"
    )
    assert entries["audiosep-hive"].url == (
        "https://huggingface.co/AlayaLab/AudioSep-hive/resolve/"
        "113d2e4399a4f19b6a0d567bbde38f2fe1b11794/audiosep_hive.ckpt"
    )
    # AudioSep's hold the network, CLAP, and three moments (AMSGrad) of each weight with a gradient:
    # the decoder's second normalisations (1600 channels) and their conditions have none.
    used = 26_447_941 - 1600 * (2 + 513)
    for name in ("audiosep", "audiosep-hive"):
        assert 0 < entries[name].size - 4 * (238_599_582 + 3 * used) < 4_000_000
    # CLAPSep's file holds what was trained: 44,359,616 weights.
    assert 0 < entries["clapsep"].size - 4 * 44_359_616 < 500_000


def test_audiosep_gives_what_the_published_network_gives(
    store_root: Path, audiosep: torch.nn.Module, checkpoint: Path
) -> None:
    folder = install.convert(checkpoint, "audiosep-hive", allow_other=True)
    assert {file.name for file in folder.iterdir()} == {
        "checkpoint.json",
        "config.json",
        "conversion.json",
        "model.safetensors",
    }
    status = store.inspect("audiosep-hive")
    assert status.state == "ready"
    assert status.manifest["source"]["sha256"] == sha256_file(checkpoint)
    assert status.manifest["source"]["published"] is False
    assert status.sha256 == sha256_file(folder / "model.safetensors")
    model = load_pretrained("audiosep-hive")
    assert isinstance(model, AudioSep)
    count = sum(each.numel() for each in model.parameters())
    assert status.manifest["architecture"] == f"AudioSep, {count:,} parameters"
    report = json.loads((folder / "conversion.json").read_text())
    assert report["kept"] + sum(report["dropped"].values()) == len(audiosep.state_dict()) + 1
    drawn = torch.Generator().manual_seed(1)
    mixture, condition = (
        0.1 * torch.randn(2, 4000, generator=drawn),
        torch.randn(2, 512, generator=drawn),
    )
    with torch.no_grad():
        expected = audiosep(mixture, condition)
        torch.testing.assert_close(model(mixture, condition), expected, rtol=1e-3, atol=1e-5)
    assert expected.std() > 0.01
    assert install.verify("audiosep-hive") == []


def test_another_file_than_the_published_one_is_told(store_root: Path, checkpoint: Path) -> None:
    with pytest.raises(HiveError, match="bytes, published 1264846755") as caught:
        install.convert(checkpoint, "audiosep-hive")
    assert "--allow-other" in caught.value.remedy
    with pytest.raises(HiveError, match="checkpoint audiosep-hive: it is not here") as caught:
        load_pretrained("audiosep-hive")
    assert caught.value.remedy == "hive-bench checkpoints fetch audiosep-hive"


class Payload:
    """A pickle that makes a folder where it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.mkdir, (str(self.mark),)


def cut(file: Path, _: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2000])


def code(file: Path, mark: Path) -> None:
    torch.save({"state_dict": {"ss_model.a": torch.ones(1)}, "hyper": Payload(mark)}, file)


def other(file: Path, _: Path) -> None:
    torch.save({"state_dict": {"encoder.weight": torch.ones(2)}}, file)


def fewer(file: Path, _: Path) -> None:
    content = torch.load(file, weights_only=True)
    del content["state_dict"]["ss_model.base.after_conv.bias"]
    torch.save(content, file)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (cut, "is cut off"),
        (code, "holds more than weights, and is not opened"),
        (other, "is a checkpoint of another architecture"),
        (fewer, r"1 keys are missing: base\.after_conv\.bias"),
    ],
)
def test_files_that_are_no_such_checkpoint(
    store_root: Path,
    checkpoint: Path,
    tmp_path: Path,
    spoil: Callable[[Path, Path], None],
    told: str,
) -> None:
    mark = tmp_path / "mark"
    spoil(checkpoint, mark)
    with pytest.raises(HiveError, match=told) as caught:
        install.convert(checkpoint, "audiosep", allow_other=True)
    assert str(checkpoint) in caught.value.problem
    assert not mark.exists()
    assert not store_root.exists() or not list(store_root.iterdir())


@pytest.fixture
def clap(store_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A small CLAP in the store; its published state dict."""
    path = Path(__file__).parents[1] / "published_clap.py"
    module = SimpleNamespace(**runpy.run_path(str(path)))
    known = (*clap_keys.ARCHITECTURES, clap_keys.Architecture(**module.MICRO))
    monkeypatch.setattr(clap_keys, "ARCHITECTURES", known)
    file = tmp_path / "clap.pt"
    torch.save(module.checkpoint("micro"), file)
    install.convert(file, "clap-music-audioset", allow_other=True)
    return module.laion("micro").state_dict()


def test_clapsep_gives_what_the_published_network_gives(
    store_root: Path,
    clap: dict[str, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = ClearSepConfig(
        embed_dim=32,
        depths=(1, 1, 2, 1),
        mask_width=32,
        mask_heads=4,
        mask_ff=40,
        mask_layers=1,
        normalise_query="none",
        encoder={"kind": "clap", "checkpoint": "clap-music-audioset"},
    )
    monkeypatch.setattr(ClearSepConfig, "published", classmethod(lambda _: small))
    names = {each.name for each in dataclasses.fields(Sizes)} & ClearSepConfig.model_fields.keys()
    reference = ReferenceClearSep(
        Sizes(**{name: getattr(small, name) for name in names}, query_dim=1024), mel_filters(small)
    )
    stir(reference)
    theirs = reference.state_dict()
    for key, value in clap.items():
        if key in theirs and value.shape == theirs[key].shape:
            theirs[key] = value
    reference.load_state_dict(theirs)
    trained = {name for name, each in reference.named_parameters() if each.requires_grad}
    state = {
        key: value
        for key, value in reference.state_dict().items()
        if key in trained or key.startswith("decoder_model.")
    }
    file = tmp_path / "best_model.ckpt"
    torch.save(state, file)

    folder = install.convert(file, "clapsep", allow_other=True)
    model = load_pretrained("clapsep")
    assert isinstance(model, ClearSep)
    drawn = torch.Generator().manual_seed(1)
    mixture = 0.1 * torch.randn(1, small.window_samples, generator=drawn)
    condition = torch.randn(1, 1024, generator=drawn)
    with torch.no_grad():
        expected = reference(mixture, condition)
        torch.testing.assert_close(model(mixture, condition), expected, rtol=1e-3, atol=1e-4)
    assert expected.std() > 0.005
    encoder = json.loads((folder / "config.json").read_text())["encoder"]
    assert encoder["checkpoint"] == "clap-music-audioset"
    manifest = store.inspect("clap-music-audioset").manifest
    assert encoder["sha256"] == manifest["source"]["sha256"]
    assert install.verify("clapsep") == []


def test_clapsep_needs_the_clap_that_it_adapts(store_root: Path, tmp_path: Path) -> None:
    file = tmp_path / "best_model.ckpt"
    torch.save({"decoder_model.a": torch.ones(1)}, file)
    with pytest.raises(HiveError, match="adapt checkpoint clap-music-audioset") as caught:
        install.convert(file, "clapsep", allow_other=True)
    assert caught.value.remedy.startswith("hive-bench checkpoints fetch clap-music-audioset")


def test_a_checkpoint_that_was_changed_does_not_pass(store_root: Path, checkpoint: Path) -> None:
    folder = install.convert(checkpoint, "audiosep", allow_other=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architecture": "clearsep"}))
    [problem] = conversion.AUDIOSEP.check(folder)
    assert "config.json: key config.bands is not known" in problem
    assert "config.json" in install.verify("audiosep")[0]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main.run(["weights", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, " ".join(captured.err.split())

    return run


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = SMALL.model_copy(update={"encoder": {"kind": "labels", "dim": 8}})
    log = tmp_path / "training.csv"
    log.write_text("step,loss\n")
    AudioSep(config).save_pretrained(tmp_path / "net", extra_files=[log])
    return tmp_path / "net"


def test_show(command: Any, saved: Path) -> None:
    code, out, _ = command("show", saved, "--json")
    assert code == 0
    shown = json.loads(out)
    tensors = load_file(saved / "model.safetensors")
    statistics = ("running_mean", "running_var", "num_batches_tracked", "encoder.trained")
    assert shown["parameters"] == sum(
        each.numel() for name, each in tensors.items() if not name.endswith(statistics)
    )
    assert shown["sha256"] == sha256_file(saved / "model.safetensors")
    assert (shown["architecture"], shown["encoder"]) == ("audiosep", "labels")
    assert (shown["storage"], shown["checkpoint"]) == ("float32", None)
    code, out, _ = command("show", saved)
    assert code == 0
    assert "audiosep" in out
    code, _, err = command("show", saved.parent / "none")
    assert code == 1
    assert "there is no such folder" in err


def test_export(command: Any, saved: Path, tmp_path: Path) -> None:
    target = tmp_path / "small"
    (saved / "README.md").write_text("---\nlicense: mit\n---\n\nMine.\n")
    code, _, err = command("export", saved, target, "--storage", "bfloat16")
    assert (code, err) == (0, f"{target}: audiosep, bfloat16")
    assert "Mine." in (target / "README.md").read_text()
    assert (target / "training.csv").read_text() == "step,loss\n"
    assert load_file(target / "model.safetensors")["network.film.weight"].dtype == torch.bfloat16
    code, _, err = command("export", saved, saved)
    assert code == 1
    assert "is where the network is from" in err
    code, _, _ = command("export", saved, target, "--storage", "int8")
    assert code == 2


def test_a_published_checkpoint_is_exported_with_a_card(
    command: Any, store_root: Path, checkpoint: Path, tmp_path: Path
) -> None:
    install.convert(checkpoint, "audiosep", allow_other=True)
    code, _, _ = command("export", "audiosep", tmp_path / "copy")
    assert code == 0
    assert {file.name for file in (tmp_path / "copy").iterdir()} == {
        "README.md",
        "config.json",
        "conversion.json",
        "model.safetensors",
    }


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    from huggingface_hub import constants
    from huggingface_hub.utils import reset_sessions

    with ModelHub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        reset_sessions()
        yield server
        reset_sessions()


def test_push(command: Any, hub: ModelHub, saved: Path, store_root: Path) -> None:
    code, out, _ = command("push", saved, "owner/dog", "--message", "First", "--private")
    assert code == 0
    repo = hub.repos["owner/dog"]
    assert out.strip().endswith(f"/owner/dog/commit/{repo.branches['main']}")
    assert (repo.history()[0].message, repo.private) == ("First", True)
    files = hub.files("owner/dog")
    assert set(files) == {".gitattributes", *(file.name for file in saved.iterdir())}
    assert files["model.safetensors"] == (saved / "model.safetensors").read_bytes()
    (saved / "training.csv").write_text("step,loss\n1,0.5\n")
    code, out, err = command("push", saved, "owner/dog", "--create-pr", "--message", "Second")
    assert code == 0, err
    assert out.strip() == f"{hub.url}/owner/dog/discussions/1"
    assert [request["title"] for request in repo.requests] == ["Second"]
    assert b"1,0.5" in hub.files("owner/dog", "refs/pr/1")["training.csv"]
    assert b"1,0.5" not in hub.files("owner/dog")["training.csv"]
    (saved / "README.md").unlink()
    code, _, err = command("push", saved, "owner/dog")
    assert code == 1
    assert "holds no README.md" in err
    (saved / "model.safetensors").write_bytes(b"")
    code, _, err = command("push", saved, "owner/dog")
    assert code == 1
    assert "is empty" in err
