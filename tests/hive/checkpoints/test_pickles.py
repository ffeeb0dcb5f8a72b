"""Reading state dicts from files that may be anything."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from hive.checkpoints.pickles import read_state_dict
from hive.errors import HiveError

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(7)}


class Bomb:
    """Pickles as a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.mark),))


def same(state: dict[str, torch.Tensor]) -> bool:
    return state.keys() == WEIGHTS.keys() and all(
        torch.equal(state[key], value) for key, value in WEIGHTS.items()
    )


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapped", [True, False])
def test_all_layouts_of_a_state_dict(
    tmp_path: Path, zipped: bool, prefix: str, wrapped: bool
) -> None:
    state = OrderedDict((prefix + key, value) for key, value in WEIGHTS.items())
    content = {"epoch": 3, "state_dict": state, "lr": 1e-3} if wrapped else state
    torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    assert same(read_state_dict(tmp_path / "x.pt"))


@pytest.mark.parametrize(
    "scalar", [np.float64(0.9), np.float32(0.5), np.int64(3)], ids=["f8", "f4", "i8"]
)
@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_numpy_scalars_of_old_and_new_numpy_are_passed_over(
    tmp_path: Path, scalar: np.generic, module: str
) -> None:
    file = tmp_path / "x.pt"
    torch.save({"state_dict": WEIGHTS, "best": scalar}, file)
    _edit_pickle(file, type(scalar).__reduce__(scalar)[0].__module__, module)
    assert same(read_state_dict(file))


def _edit_pickle(file: Path, old: str, new: str) -> None:
    """Rename a module in the pickle of a zipped checkpoint."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            if name.endswith("data.pkl"):
                assert f"c{old}\nscalar".encode() in content
                content = content.replace(f"c{old}\nscalar".encode(), f"c{new}\nscalar".encode())
            archive.writestr(name, content)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_refused_and_never_runs(tmp_path: Path, zipped: bool) -> None:
    mark, file = tmp_path / "ran", tmp_path / "x.pt"
    content = {"state_dict": WEIGHTS, "extra": Bomb(mark)}
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(HiveError, match=r"x\.pt: holds more than weights.*mkdir"):
        read_state_dict(file)
    assert not mark.exists()
    torch.load(file, weights_only=False)  # the trap is armed
    assert mark.exists()


def test_a_bare_pickle_with_code_never_runs(tmp_path: Path) -> None:
    mark, file = tmp_path / "ran", tmp_path / "x.pt"
    file.write_bytes(pickle.dumps(Bomb(mark), protocol=2))
    with pytest.raises(HiveError, match=r"x\.pt: (holds more|is damaged)"):
        read_state_dict(file)
    assert not mark.exists()


def _bytes(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n <!DOCTYPE html><html>Sign in</html>", "a web page"),
        (b'{"error": "not found"}', "a web page or a message"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        (b"RIFF\x00\x00\x00\x00WAVE" + bytes(100), "is damaged or no checkpoint"),
        (_bytes({"state_dict": WEIGHTS})[:-200], "is cut off"),
        (_bytes({"state_dict": WEIGHTS})[:300], "is cut off"),
        (_bytes([1, 2]), "holds list, not a state dict"),
        (_bytes({}), "holds dict, not a state dict"),
        (_bytes({"state_dict": {"a": 1.5}}), "holds float under 'a', not a tensor"),
        (_bytes({3: torch.ones(2)}), "holds Tensor under 3"),
    ],
)
def test_what_is_no_checkpoint_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "x.pt"
    file.write_bytes(content)
    with pytest.raises(HiveError, match=rf"x\.pt: .*({message})") as caught:
        read_state_dict(file, "get it from the hub")
    assert caught.value.remedy


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="cannot be read"):
        read_state_dict(tmp_path / "none.pt")
