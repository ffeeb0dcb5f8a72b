"""Saved networks: written, read back to the bit, refused when they are not what they say."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent))
from model_hub import TOKEN, ModelHub

from baselines import locations
from baselines.audiosep.config import AudioSepConfig
from baselines.audiosep.model import AudioSep
from baselines.cards import CardFacts
from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.model import ClearSep
from baselines.model import SeparationModel
from baselines.pretrained import load_pretrained
from baselines.queries import make_encoder
from baselines.storage import TensorMismatchError
from hive import __version__
from hive.errors import HiveError
from hive.seeding import Stream

LABELS = {"kind": "labels", "dim": 16}
SMALL = AudioSepConfig(
    n_fft=256,
    hop=128,
    channels=(4, 4, 6, 6, 8, 8),
    bands=64,
    compression="log",
    window_seconds=1.0,
    encoder=LABELS,
)
SMALL_CLEAR = ClearSepConfig.mini().model_copy(
    update={
        "embed_dim": 16,
        "depths": (1, 1, 1, 1),
        "heads": (1, 2, 2, 2),
        "decoder_heads": (1, 2, 2, 2),
        "mask_width": 32,
        "mask_ff": 32,
        "mask_layers": 1,
        "encoder": LABELS,
    }
)


def make(config: Any = SMALL) -> SeparationModel:
    """A network with weights and statistics that no other has."""
    torch.manual_seed(7)
    model: SeparationModel = (AudioSep if isinstance(config, AudioSepConfig) else ClearSep)(config)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.05 * torch.rand_like(tensor))
    return model.eval()


def separate(model: SeparationModel, seed: int = 0) -> torch.Tensor:
    drawn = Stream(seed, "test", 0, "mixture").generator().standard_normal((2, 9000))
    mixture = 0.1 * torch.from_numpy(drawn).float()
    positive = model.encoder.prepare([("Dog",), ("Typing",)])
    negative = model.encoder.prepare([("Speech", "Rain"), ()])
    with torch.inference_mode():
        return model.separate(mixture, positive, negative)


def digest(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
    }


@pytest.fixture(scope="module")
def model() -> SeparationModel:
    return make()


@pytest.fixture
def saved(model: SeparationModel, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path / "net")
    return tmp_path / "net"


@pytest.mark.parametrize("config", [SMALL, SMALL_CLEAR], ids=["audiosep", "clearsep"])
def test_what_is_loaded_separates_to_the_bit_as_what_was_saved(config: Any, tmp_path: Path) -> None:
    model = make(config)
    model.encoder.mark_trained(["Dog", "Typing", "Speech", "Rain"])  # type: ignore[operator]
    model.save_pretrained(tmp_path)
    for loaded in (load_pretrained(tmp_path), type(model).from_pretrained(str(tmp_path))):
        assert type(loaded) is type(model)
        assert not loaded.training
        assert loaded.config == model.config.model_copy(update={"encoder": model.encoder.config()})
        for name, tensor in model.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor), name
        assert torch.equal(separate(loaded), separate(model))


def test_the_files_of_a_folder(saved: Path, model: SeparationModel) -> None:
    assert [file.name for file in sorted(saved.iterdir())] == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    config = json.loads((saved / "config.json").read_text())
    assert config == {
        "format": 1,
        "architecture": "audiosep",
        "config": json.loads(SMALL.model_dump_json(exclude={"encoder"})),
        "encoder": model.encoder.config(),
        "storage": "float32",
        "package_version": __version__,
    }


def test_saving_twice_gives_the_same_bytes_in_any_folder(
    model: SeparationModel, saved: Path, tmp_path: Path
) -> None:
    first = digest(saved)
    model.save_pretrained(saved)
    assert digest(saved) == first
    load_pretrained(saved).save_pretrained(tmp_path / "again")
    assert digest(tmp_path / "again") == first


@pytest.mark.parametrize(("storage", "bound"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_matrices_in_half_the_bytes(
    model: SeparationModel, saved: Path, tmp_path: Path, storage: Any, bound: float
) -> None:
    model.save_pretrained(tmp_path / "half", storage=storage)
    loaded = load_pretrained(tmp_path / "half")
    matrices = {name for name, each in model.named_parameters() if each.ndim > 1}
    assert len(matrices) > 20
    for name, tensor in model.state_dict().items():
        found = loaded.state_dict()[name]
        assert found.dtype == tensor.dtype
        if name in matrices:
            # Rounding to nearest: at most half a unit in the last place, or half the least number.
            assert ((found - tensor).abs() <= bound * tensor.abs() + 2**-25).all(), name
        else:
            assert torch.equal(found, tensor), name
    assert any(not torch.equal(loaded.state_dict()[n], model.state_dict()[n]) for n in matrices)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (tmp_path / "half", saved)]
    halved = sum(2 * each.numel() for name, each in model.named_parameters() if name in matrices)
    assert abs(sizes[1] - sizes[0] - halved) < 1000  # the head with its offsets
    # What is loaded from it gives, saved so again, the same file.
    loaded.save_pretrained(tmp_path / "again", storage=storage)
    assert digest(tmp_path / "again") == digest(tmp_path / "half")


def test_a_weight_beyond_the_range_of_the_type_is_not_stored(tmp_path: Path) -> None:
    model = make()
    with torch.no_grad():
        model.network.after.weight[0] = 1e5  # type: ignore[union-attr, index, operator]
    with pytest.raises(HiveError, match=r"network\.after\.weight .* not finite") as caught:
        model.save_pretrained(tmp_path, storage="float16")
    assert "bfloat16" in caught.value.remedy
    model.save_pretrained(tmp_path, storage="bfloat16")
    with torch.no_grad():
        model.network.after.bias[0] = torch.nan  # type: ignore[union-attr, index, operator]
    with pytest.raises(HiveError, match=r"network\.after\.bias"):
        model.save_pretrained(tmp_path)
    # What is left there is no network any more, and says so.
    with pytest.raises(HiveError, match=r"holds no config\.json"):
        load_pretrained(tmp_path)


def test_loading_leaves_the_random_numbers_alone(saved: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    load_pretrained(saved)
    assert torch.equal(torch.rand(4), expected)


def test_files_beside_go_along(model: SeparationModel, tmp_path: Path) -> None:
    log, bad = tmp_path / "training.csv", tmp_path / "config.json"
    log.write_text("step,loss\n1,0.5\n")
    bad.write_text("{}")
    facts = CardFacts(name="net", licence="CC0-1.0")
    model.save_pretrained(tmp_path / "net", extra_files=[log], facts=facts)
    assert (tmp_path / "net" / "training.csv").read_bytes() == log.read_bytes()
    assert "license: cc0-1.0" in (tmp_path / "net" / "README.md").read_text()
    # Saved again without facts, the card stays.
    model.save_pretrained(tmp_path / "net")
    assert "license: cc0-1.0" in (tmp_path / "net" / "README.md").read_text()
    with pytest.raises(HiveError, match="is that of another file"):
        model.save_pretrained(tmp_path / "other", extra_files=[bad])
    with pytest.raises(HiveError, match="is that of another file"):
        model.save_pretrained(tmp_path / "other", extra_files=[log, log])
    with pytest.raises(HiveError, match="there is no such file"):
        model.save_pretrained(tmp_path / "other", extra_files=[tmp_path / "none"])
    assert not (tmp_path / "other").exists()


def test_a_folder_that_cannot_be_written(model: SeparationModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HiveError, match=r"cannot be written"):
        model.save_pretrained(tmp_path / "file" / "net")


def change(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    content = json.loads(file.read_text())
    for name, value in changes.items():
        *parents, last = name.split("__")
        part = content
        for parent in parents:
            part = part[parent]
        part[last] = value
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "told", "remedy"),
    [
        ({"format": 2}, "field format is 2, this version reads 1", "update hive-bench"),
        ({"architecture": "audiosap"}, "architecture 'audiosap' is not known", "audiosep"),
        ({"config__chanels": [1]}, r"key config\.chanels is not known", "did you mean channels"),
        ({"config__hop": 0}, r"field config\.hop: .*greater than 0", "mend"),
        ({"config__n_fft": 255}, "255 is odd", "mend"),
        ({"encoder__dims": 3}, "option 'dims' is not known", "dim"),
        ({"encoder__kind": "label"}, "kind 'label' is not known", "labels"),
        ({"storage": "int8"}, "field storage", "mend"),
        ({"stroage": "float32"}, "key stroage is not known", "did you mean storage"),
        ({"config": []}, "field config", "mend"),
    ],
)
def test_a_configuration_that_is_wrong(
    saved: Path, changes: dict[str, Any], told: str, remedy: str
) -> None:
    change(saved, **changes)
    with pytest.raises(HiveError, match=told) as caught:
        load_pretrained(saved)
    assert str(saved / "config.json") in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", "[" * 100_000])
def test_a_configuration_that_is_no_json(saved: Path, text: str) -> None:
    (saved / "config.json").write_text(text)
    with pytest.raises(HiveError, match=r"config\.json: "):
        load_pretrained(saved)


def test_a_network_of_another_class(saved: Path) -> None:
    with pytest.raises(HiveError, match="this is 'audiosep', not 'clearsep'") as caught:
        ClearSep.from_pretrained(saved)
    assert caught.value.remedy.startswith("use AudioSep.from_pretrained")


def test_weights_that_are_cut_off(saved: Path) -> None:
    file = saved / "model.safetensors"
    content = file.read_bytes()
    for length in (0, 4, 100, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:length])
        with pytest.raises(HiveError, match=r"is empty|is cut off or damaged") as caught:
            load_pretrained(saved)
        assert str(file) in caught.value.problem
    file.unlink()
    with pytest.raises(HiveError, match=r"holds no model\.safetensors"):
        load_pretrained(saved)
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(HiveError, match="Git LFS pointer"):
        load_pretrained(saved)


@pytest.mark.parametrize("start", [b"PK", b"\x80\x04", b"\x00\x7b"])
def test_a_head_of_a_length_that_looks_like_a_pickle(saved: Path, start: bytes) -> None:
    """Safetensors begin with the length of their head, padded with spaces; it may be anything."""
    file = saved / "model.safetensors"
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    wanted = int.from_bytes(start, "little")
    while wanted < length:
        wanted += 1 << (8 * len(start))
    head = content[8 : 8 + length].ljust(wanted)
    file.write_bytes(wanted.to_bytes(8, "little") + head + content[8 + length :])
    assert file.read_bytes().startswith(start)
    assert isinstance(load_pretrained(saved), AudioSep)


class Payload:
    """A pickle that makes a folder where it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_under_the_name_of_safetensors_is_not_opened(
    saved: Path, tmp_path: Path, zipped: bool
) -> None:
    mark, file = tmp_path / "mark", saved / "model.safetensors"
    if zipped:
        torch.save({"a": Payload(mark)}, file)
    else:
        file.write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(HiveError, match="is a pickle, not safetensors") as caught:
        load_pretrained(saved)
    assert "hive-bench checkpoints convert" in caught.value.remedy
    assert not mark.exists()
    # A pickle under its own name is not even looked for.
    file.rename(saved / "pytorch_model.bin")
    with pytest.raises(HiveError, match=r"holds no model\.safetensors"):
        load_pretrained(saved)
    assert not mark.exists()


def test_other_tensors_are_listed_exactly(saved: Path) -> None:
    file = saved / "model.safetensors"
    tensors = load_file(file)
    missing = sorted(tensors)[3]
    del tensors[missing]
    tensors["network.extra"] = torch.zeros(2)
    tensors["network.after.bias"] = torch.zeros(4)
    tensors["encoder.trained"] = tensors["encoder.trained"].float()
    save_file(tensors, file)
    with pytest.raises(TensorMismatchError) as caught:
        load_pretrained(saved)
    error = caught.value
    assert error.missing == (missing,)
    assert error.unexpected == ("network.extra",)
    assert error.reshaped == ("encoder.trained", "network.after.bias")
    assert str(file) in error.problem
    assert f"1 missing: {missing};" in error.problem
    assert "network.after.bias float32[4], expected float32[3]" in error.problem


def test_weights_that_are_not_finite(saved: Path) -> None:
    file = saved / "model.safetensors"
    tensors = load_file(file)
    tensors["network.after.bias"][1] = torch.inf
    save_file(tensors, file)
    with pytest.raises(HiveError, match=r"network\.after\.bias holds values that are not finite"):
        load_pretrained(saved)


def test_the_weights_of_clap_are_named_and_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path / "none"))
    sha256 = "0" * 64
    clap = {"kind": "clap", "checkpoint": "clap-music-audioset", "sha256": sha256}
    model = make(SMALL.model_copy(update={"encoder": clap}))
    assert isinstance(model.encoder, type(make_encoder(clap)))
    model.save_pretrained(tmp_path / "net")
    assert not [k for k in load_file(tmp_path / "net" / "model.safetensors") if "encoder" in k]
    encoder = json.loads((tmp_path / "net" / "config.json").read_text())["encoder"]
    assert (encoder["checkpoint"], encoder["sha256"]) == ("clap-music-audioset", sha256)
    loaded = load_pretrained(tmp_path / "net")
    with pytest.raises(HiveError, match="clap-music-audioset") as caught:
        loaded.encoder.prepare([("dog",)])
    assert "hive-bench checkpoints fetch clap-music-audioset" in caught.value.remedy
    card = (tmp_path / "net" / "README.md").read_text()
    assert "hive-bench checkpoints fetch clap-music-audioset" in card


def test_what_is_not_found(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "SHIPPED", tmp_path / "shipped")
    shutil.copytree(saved, tmp_path / "shipped" / "dog-mini")
    assert locations.shipped() == ("dog-mini",)
    assert torch.equal(separate(load_pretrained("dog-mini")), separate(load_pretrained(saved)))
    with pytest.raises(HiveError, match="there is no such folder") as caught:
        load_pretrained("dogmini")
    assert "did you mean dog-mini?" in caught.value.remedy
    with pytest.raises(HiveError, match="is a file, not the folder"):
        load_pretrained(saved / "model.safetensors")
    with pytest.raises(HiveError, match=r"holds no config\.json"):
        load_pretrained(tmp_path)
    with pytest.raises(HiveError, match="revision v1 is asked for"):
        load_pretrained(saved, revision="v1")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModelHub]:
    """A hub for this process."""
    from huggingface_hub import constants
    from huggingface_hub.utils import reset_sessions

    with ModelHub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        reset_sessions()
        yield server
        reset_sessions()


def test_pushed_and_loaded_again(hub: ModelHub, model: SeparationModel, tmp_path: Path) -> None:
    log = tmp_path / "training.csv"
    log.write_text("step,loss\n1,0.5\n")
    address = model.push_to_hub(
        "owner/dog", extra_files=[log], commit_message="First", private=True
    )
    repo = hub.repos["owner/dog"]
    assert address.endswith(f"/owner/dog/commit/{repo.branches['main']}")
    assert (repo.private, repo.history()[0].message) == (True, "First")
    files = hub.files("owner/dog")
    model.save_pretrained(tmp_path / "here", extra_files=[log])
    assert {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} == {
        **digest(tmp_path / "here"),
        ".gitattributes": hashlib.sha256(files[".gitattributes"]).hexdigest(),
    }
    first = repo.branches["main"]
    loaded = AudioSep.from_pretrained("owner/dog")
    assert torch.equal(separate(loaded), separate(model))

    other = make(SMALL_CLEAR)
    other.push_to_hub("owner/dog", branch="next")
    assert set(repo.branches) == {"main", "next"}
    assert isinstance(load_pretrained("owner/dog", revision="next"), ClearSep)
    assert isinstance(load_pretrained("owner/dog", revision=first), AudioSep)
    # What is in the cache needs no hub.
    assert isinstance(load_pretrained("owner/dog", local_files_only=True), AudioSep)


def test_what_the_hub_does_not_have(hub: ModelHub, model: SeparationModel) -> None:
    with pytest.raises(HiveError, match="owner/none on the hub"):
        load_pretrained("owner/none")
    model.push_to_hub("owner/dog")
    with pytest.raises(HiveError, match=r"owner/dog on the hub: config\.json") as caught:
        load_pretrained("owner/dog", revision="v9")
    assert caught.value.remedy
    commit = hub.repos["owner/dog"].history()[0]
    commit.files["pytorch_model.bin"] = commit.files.pop("model.safetensors")
    with pytest.raises(HiveError, match=r"holds no model\.safetensors"):
        load_pretrained("owner/dog", force_download=True)
    hub.writable = False
    with pytest.raises(HiveError, match="owner/dog on the hub") as caught:
        model.push_to_hub("owner/dog")
    assert "token" in caught.value.remedy


def test_both_files_are_of_one_commit(hub: ModelHub, model: SeparationModel) -> None:
    model.push_to_hub("owner/dog")
    load_pretrained("owner/dog")
    sha = hub.repos["owner/dog"].branches["main"]
    assert hub.asked(r"/resolve/main/config\.json$")
    assert hub.asked(rf"/resolve/{sha}/model\.safetensors$")
    assert not hub.asked(r"/resolve/main/model\.safetensors$")
