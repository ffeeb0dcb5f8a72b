from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import ClapAudioConfig, ClapAudioModel

from baselines.clearsep import keys
from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.decoder import PatchExpand, Unpatch
from baselines.clearsep.htsat import Htsat, PatchEmbed, PatchMerging
from baselines.clearsep.swin import DropPath, SwinBlock


@pytest.fixture(scope="module")
def clap(clap_size: ClapAudioConfig) -> ClapAudioModel:
    """transformers' encoder of the same size, every weight drawn."""
    torch.manual_seed(0)
    model = ClapAudioModel(clap_size)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0)
            elif value.is_floating_point():
                value.add_(0.1 * torch.randn_like(value))
    return model.eval()


def test_maps_are_transformers(small: ClearSepConfig, clap: ClapAudioModel) -> None:
    encoder = Htsat(small).eval()
    state = {f"audio_model.{key}": value for key, value in clap.state_dict().items()}
    found = keys.from_transformers(state)
    encoder.load_state_dict({key.removeprefix("htsat."): value for key, value in found.items()})
    mel = torch.randn(3, small.image_frames, small.mels, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = encoder(mel)
        theirs = clap(mel.unsqueeze(1), output_hidden_states=True).hidden_states
    assert [tuple(one.shape[1:]) for one in ours] == [
        (32, 32, 8),
        (16, 16, 16),
        (8, 8, 32),
        (4, 4, 64),
        (4, 4, 64),
    ]
    for one, other in zip(ours, theirs, strict=True):
        assert float(one.std()) > 0.1
        torch.testing.assert_close(one, other.permute(0, 2, 3, 1), rtol=0, atol=1e-5)


def test_shift_of_windows_matters(small: ClearSepConfig) -> None:
    torch.manual_seed(0)
    straight = SwinBlock(8, (8, 8), 2, 4)
    shifted = SwinBlock(8, (8, 8), 2, 4, shifted=True)
    shifted.load_state_dict(straight.state_dict())
    x = torch.randn(1, 8, 8, 8)
    # A token sees the 4 x 4 tokens of its window: from (2, 2) on where windows are shifted.
    moved = x.clone()
    moved[0, 3, 3] = torch.randn(8)
    for block, (low, high) in ((straight, (0, 4)), (shifted, (2, 6))):
        changed = (block(moved) - block(x)).abs().sum(-1)[0] > 0
        expected = torch.zeros(8, 8, dtype=torch.bool)
        expected[low:high, low:high] = True
        assert torch.equal(changed, expected)
    # What the shift brings together from opposite sides stays apart.
    moved = x.clone()
    moved[0, 0, 0] = torch.randn(8)
    changed = (shifted(moved) - shifted(x)).abs().sum(-1)[0] > 0
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[:2, :2] = True
    assert torch.equal(changed, expected)


def test_small_maps_are_one_window() -> None:
    block = SwinBlock(8, (2, 4), 2, 4, shifted=True)
    assert (block.window, block.shift, block.apart) == (2, 0, None)
    assert block(torch.randn(3, 2, 4, 8)).shape == (3, 2, 4, 8)


def test_expansion_undoes_merging() -> None:
    merging, expansion = PatchMerging(6), PatchExpand(12)
    for module in (merging, expansion):
        module.norm = nn.Identity()
    # With an orthonormal reduction of tokens that lie in its span, one undoes the other.
    basis = torch.linalg.qr(torch.randn(24, 12, dtype=torch.float64)).Q
    merging.reduction.weight = nn.Parameter(basis.T)
    expansion.expand.weight = nn.Parameter(basis)
    tokens = torch.randn(2, 3, 5, 12, dtype=torch.float64)
    torch.testing.assert_close(merging(expansion(tokens)), tokens)


def test_unfolding_undoes_folding(small: ClearSepConfig) -> None:
    """With patches as tokens, a spectrogram comes back as it was."""
    embed, unpatch = PatchEmbed(small), Unpatch(small)
    pixels = small.patch**2
    embed.proj = nn.Conv2d(1, pixels, small.patch, small.patch, bias=False)
    embed.proj.weight = nn.Parameter(torch.eye(pixels).view(pixels, 1, small.patch, small.patch))
    embed.norm, unpatch.norm = nn.Identity(), nn.Identity()
    unpatch.weight, unpatch.bias = nn.Parameter(torch.eye(pixels)), nn.Parameter(torch.zeros(1))
    mel = torch.randn(2, small.image_frames, small.mels)
    torch.testing.assert_close(unpatch(embed(mel.transpose(1, 2))), mel)


def test_branches_are_left_out_by_item_and_keep_their_mean() -> None:
    torch.manual_seed(0)
    path = DropPath(0.25)
    out = path(torch.ones(20_000, 2, 1, 3))
    assert out.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert torch.equal(out, out[:, :1, :, :1].expand_as(out))
    assert float(out.mean()) == pytest.approx(1.0, abs=0.02)
    assert torch.equal(path.eval()(out), out)
