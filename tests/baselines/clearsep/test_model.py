from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.convert import translate
from baselines.clearsep.model import ClearSep
from baselines.queries.encoder import QueryEncoder
from benchmarks.speed.reference_clearsep import ReferenceClearSep


@pytest.fixture(scope="module")
def state(
    tmp_path_factory: pytest.TempPathFactory, reference: ReferenceClearSep, small: ClearSepConfig
) -> dict[str, Tensor]:
    path = Path(tmp_path_factory.mktemp("published")) / "best_model.ckpt"
    torch.save({"state_dict": reference.state_dict()}, path)
    return translate(path, None, small, reference.sizes.query_dim)[0]


@pytest.fixture
def model(small: ClearSepConfig, encoder: QueryEncoder, state: dict[str, Tensor]) -> ClearSep:
    network = ClearSep(small, encoder=encoder)
    network.load_state_dict(state)
    return network.eval()


@pytest.fixture
def free(small: ClearSepConfig, encoder: QueryEncoder) -> ClearSep:
    """A network whose encoder trains as a whole."""
    torch.manual_seed(0)
    return ClearSep(small.model_copy(update={"lora": None}), encoder=encoder)


def test_estimates_are_the_published_networks(
    model: ClearSep, reference: ReferenceClearSep, mixture: Tensor, condition: Tensor
) -> None:
    with torch.no_grad():
        ours, theirs = model(mixture, condition), reference(mixture, condition)
    assert float(theirs.std()) > 0.02
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "part", ["htsat.bn0", "lora_A", "attn.qkv.bias", "film.gamma", "expand", "mask_net.layers.1"]
)
def test_estimates_depend_on_every_part(
    model: ClearSep, mixture: Tensor, condition: Tensor, part: str
) -> None:
    with torch.no_grad():
        before = model(mixture, condition)
        for name, value in model.named_parameters():
            if part in name:
                value.add_(0.3 * torch.randn_like(value))
        assert float((model(mixture, condition) - before).abs().max()) > 1e-4


def test_merged_weights_give_the_same(model: ClearSep, mixture: Tensor, condition: Tensor) -> None:
    with torch.no_grad():
        before = model(mixture, condition)
        after = model.merge()(mixture, condition)
    torch.testing.assert_close(after, before, rtol=0, atol=1e-6)
    assert not [name for name in model.state_dict() if "lora_" in name]


@pytest.mark.parametrize("samples", [1, 320, 513, 40_000, 80_000])
def test_length_is_kept_and_silence_follows(
    model: ClearSep, mixture: Tensor, condition: Tensor, samples: int
) -> None:
    short = mixture[:, :samples]
    followed = nn.functional.pad(short, (0, mixture.shape[1] - samples))
    with torch.no_grad():
        estimate = model(short, condition)
        assert torch.equal(estimate, model(followed, condition)[:, :samples])
    assert estimate.shape == short.shape
    assert bool(estimate.isfinite().all())


def test_longer_sound_is_refused(model: ClearSep, condition: Tensor) -> None:
    with pytest.raises(ValueError, match=r"80001 samples are longer than the window of 80000 "):
        model(torch.zeros(2, 80_001), condition)


@pytest.mark.parametrize("samples", [320, 80_000])
def test_silence_gives_zeros(model: ClearSep, condition: Tensor, samples: int) -> None:
    assert not bool(model(torch.zeros(2, samples), condition).any())


def test_items_do_not_depend_on_their_neighbours(
    model: ClearSep, mixture: Tensor, condition: Tensor
) -> None:
    with torch.no_grad():
        both = model(mixture, condition)
        alone = torch.cat([model(mixture[:1], condition[:1]), model(mixture[1:], condition[1:])])
    torch.testing.assert_close(alone, both, rtol=0, atol=1e-6)


def test_condition_is_joined_and_normalised_as_configured(
    small: ClearSepConfig, encoder: QueryEncoder
) -> None:
    positive = torch.tensor([[3.0] + [0.0] * 5, [0.0] * 6])
    negative = torch.tensor([[4.0] + [0.0] * 5, [0.0] * 6])
    plain = ClearSep(small, encoder=encoder)
    unit = ClearSep(small.model_copy(update={"normalise_query": "concat"}), encoder=encoder)
    joined = plain.condition(positive, negative)
    assert joined[0].tolist() == [3.0, *[0.0] * 5, 4.0, *[0.0] * 5]
    assert unit.condition(positive, negative)[0].norm() == pytest.approx(1.0)
    assert not bool(unit.condition(positive, negative)[1].any())
    assert ClearSep.takes_negatives
    assert plain.separate(torch.zeros(2, 99), positive, negative).shape == (2, 99)


def test_pretrained_encoder_stays_as_it_is_in_training(
    model: ClearSep, mixture: Tensor, condition: Tensor
) -> None:
    before = copy.deepcopy(model.state_dict())
    assert model.train() is model
    assert model.decoder.training
    assert model.mask_net.training
    assert not any(module.training for module in model.htsat.modules())
    optimiser = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-2)
    model(mixture, condition).square().mean().backward()
    optimiser.step()
    after = model.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    frozen = {
        key
        for key in before
        if key.startswith("htsat.")
        and "lora_" not in key
        and not key.endswith(("attn.qkv.bias", "attn.proj.bias"))
    }
    assert not changed & frozen
    assert changed >= {key for key in before if key not in frozen and "num_batches" not in key}


def test_whole_encoder_trains_without_adaptation(
    free: ClearSep, mixture: Tensor, condition: Tensor
) -> None:
    assert all(module.training for module in free.htsat.modules())
    mean = free.htsat.bn0.running_mean.clone()
    free(mixture, condition).square().mean().backward()
    assert all(parameter.grad is not None for parameter in free.parameters())
    assert not torch.equal(free.htsat.bn0.running_mean, mean)
    assert not any(module.training for module in free.eval().modules())


def test_drop_path_grows_with_the_depth(free: ClearSep) -> None:
    encoder = [block.drop_path.probability for stage in free.htsat.layers for block in stage.blocks]
    decoder = [level.block.drop_path.probability for level in free.decoder.levels]
    assert encoder == pytest.approx([0.1 * number / 6 for number in range(7)])
    assert decoder == pytest.approx([0.1, 0.2 / 3, 0.1 / 3, 0.0])


def test_half_precision_stays_near(model: ClearSep, mixture: Tensor, condition: Tensor) -> None:
    with torch.no_grad():
        exact = model(mixture, condition)
        with torch.autocast("cpu", torch.bfloat16):
            near = model(mixture, condition)
    assert near.dtype == torch.float32
    assert 0.0 < float((near - exact).std() / exact.std()) < 0.05


def test_training_in_half_precision_gives_gradients(
    free: ClearSep, mixture: Tensor, condition: Tensor
) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        loss = (free(mixture, condition) - 0.5 * mixture).square().mean()
    loss.backward()
    assert all(bool(value.grad.isfinite().all()) for value in free.parameters())


@pytest.mark.slow  # tracing takes a while
def test_network_is_one_graph(model: ClearSep, mixture: Tensor, condition: Tensor) -> None:
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        estimate = compiled(mixture, condition)
        torch.testing.assert_close(estimate, model(mixture, condition), rtol=0, atol=1e-6)
