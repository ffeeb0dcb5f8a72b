from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Generator, Tensor

from baselines.audiosep.config import AudioSepConfig
from baselines.audiosep.model import AudioSep
from baselines.contract import violations
from baselines.flowsep import model as module
from baselines.flowsep.config import FlowSepConfig, PatchesConfig, UNetConfig
from baselines.flowsep.mel import SILENCE
from baselines.flowsep.model import FlowSep
from baselines.flowsep.pairs import NOTHING
from baselines.flowsep.separator import FlowSepHive
from baselines.networks import NetworkSeparator, SavedNetwork
from baselines.pretrained import load_pretrained
from baselines.queries.encoder import QueryEncoder
from hive.errors import HiveError
from hive.inference import Item
from hive.separator import Query


def _generators(*seeds: int) -> list[Generator]:
    return [Generator().manual_seed(seed) for seed in seeds]


@pytest.fixture
def network(small: FlowSepConfig, encoder: QueryEncoder) -> FlowSep:
    """Random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FlowSep(small, encoder=encoder).eval()


@pytest.fixture
def condition(encoder: QueryEncoder) -> Tensor:
    return encoder.prepare([("dog",), ("a cat",)])


def _labelled(**changes: Any) -> FlowSepConfig:
    """A small network that saves and loads: queries are labels."""
    return FlowSepConfig(
        n_fft=256,
        hop=100,
        mels=16,
        latent=PatchesConfig(stride=2),
        unet=UNetConfig(channels=(8, 16), layers=1, head_channels=8, groups=4),
        vocoder={"kind": "mixture-phase"},
        steps=2,
        empty=0.0,
        window_seconds=0.5,
        encoder={"kind": "labels", "dim": 4},
        **changes,
    )


def test_what_is_frozen_and_what_trains(network: FlowSep) -> None:
    for name, weight in network.named_parameters():
        assert weight.requires_grad == name.startswith("unet."), name
    # Filters follow from the configuration; the scale of the latents does not.
    buffers = network.state_dict().keys() - dict(network.named_parameters()).keys()
    assert buffers == {"latents.scale"}


def test_a_row_does_not_depend_on_the_others(
    network: FlowSep, mixture: Tensor, condition: Tensor
) -> None:
    both = network.generate(mixture, condition, _generators(1, 2))
    swapped = network.generate(mixture.flip(0), condition.flip(0), _generators(2, 1))
    alone = network.generate(mixture[1:], condition[1:], _generators(2))
    torch.testing.assert_close(swapped.flip(0), both, rtol=0.0, atol=1e-6)
    torch.testing.assert_close(alone, both[1:], rtol=0.0, atol=1e-6)
    other = network.generate(mixture, condition, _generators(1, 3))
    torch.testing.assert_close(other[0], both[0], rtol=0.0, atol=1e-6)
    assert float((other[1] - both[1]).abs().max()) > 1e-3


def test_posterior_is_drawn_or_its_mode(
    network: FlowSep, mixture: Tensor, condition: Tensor
) -> None:
    drawn: list[Tensor | None] = []
    encode = network.latents.encode

    def listen(mel: Tensor, noise: Tensor | None) -> Tensor:
        drawn.append(noise)
        return encode(mel, noise)

    with mock.patch.object(network.latents, "encode", listen):
        sampled = network.generate(mixture, condition, _generators(1, 2))
        same = network.generate(mixture, condition, _generators(1, 2), posterior="sample")
        mode = network.generate(mixture, condition, _generators(1, 2), posterior="mode")
    assert drawn[0] is not None
    assert drawn[2] is None
    assert torch.equal(sampled, same)
    assert float((mode - sampled).abs().max()) > 1e-3


def test_steps_are_those_asked_for(network: FlowSep, mixture: Tensor, condition: Tensor) -> None:
    times: list[float] = []
    real = module.velocity

    def listen(unet: Any, noisy: Tensor, heard: Tensor, time: Tensor, asked: Tensor) -> Tensor:
        times.append(float(time[0]))
        return real(unet, noisy, heard, time, asked)

    with mock.patch.object(module, "velocity", listen):
        network.generate(mixture, condition, _generators(1, 2), steps=5)
        assert times == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
        times.clear()
        network.generate(mixture, condition, _generators(1, 2))
        assert len(times) == network.config.steps == 4
        times.clear()
        network(mixture, condition)
        assert len(times) == network.config.validation_steps == 2


def test_short_windows_are_padded_with_silence_and_cut(
    network: FlowSep, mixture: Tensor, condition: Tensor
) -> None:
    short = mixture[:, :700]
    found = network.generate(short, condition, _generators(1, 2))
    padded = torch.nn.functional.pad(short, (0, network.config.window_samples - 700))
    whole = network.generate(padded, condition, _generators(1, 2))
    assert torch.equal(found, whole[:, :700])
    longer = torch.zeros(2, network.config.window_samples + 1)
    with pytest.raises(ValueError, match="more than a window of 1280"):
        network.generate(longer, condition, _generators(1, 2))


def test_forward_restores_level_and_mean_and_repeats(
    network: FlowSep, mixture: Tensor, condition: Tensor
) -> None:
    once = network(mixture, condition)
    assert torch.equal(network(mixture, condition), once)
    quiet = network(0.1 * mixture + 0.02, condition)
    torch.testing.assert_close(quiet, 0.1 * once + 0.02, rtol=1e-3, atol=1e-5)
    alone = network(mixture[1:], condition[1:])
    torch.testing.assert_close(alone, once[1:], rtol=0.0, atol=1e-6)
    silence = network(torch.stack([mixture[0], torch.zeros_like(mixture[1])]), condition)
    assert float(silence[1].abs().max()) == 0.0
    torch.testing.assert_close(silence[0], once[0], rtol=0.0, atol=1e-6)


def test_a_query_of_one_vector_is_a_sequence_of_one_token(network: FlowSep) -> None:
    vectors = torch.arange(12.0).view(2, 6)
    tokens = network.condition(vectors, vectors)
    assert tokens.shape == (2, 1, 7)
    assert torch.equal(tokens[:, 0, :-1], vectors)
    assert torch.equal(tokens[:, 0, -1], torch.ones(2))
    assert network.condition(tokens, vectors) is tokens


# The objective.


def _batch(network: FlowSep) -> tuple[Tensor, Tensor]:
    drawn = Generator().manual_seed(7)
    target = 0.1 * torch.randn(4, network.config.window_samples, generator=drawn)
    return target + 0.1 * torch.randn(target.shape, generator=drawn), target


def _loss(network: FlowSep, positive: Tensor, **changes: Any) -> Tensor:
    network.config = network.config.model_copy(update=changes)
    return network.flow_loss(*_batch(network), positive, Generator().manual_seed(1))


def test_the_loss_is_the_error_of_the_velocity(network: FlowSep, encoder: QueryEncoder) -> None:
    positive = encoder.prepare([("dog",)] * 4)
    seen: dict[str, Tensor] = {}

    def perfect(unet: Any, noisy: Tensor, heard: Tensor, time: Tensor, asked: Tensor) -> Tensor:
        # Where the line is going to and what it comes from give its velocity.
        clean = network.latents.encode(network.mel(seen["target"]), None)
        when = time.view(-1, 1, 1, 1)
        noise = (noisy - when * clean) / (1.0 - (1.0 - 1e-4) * when)
        seen["heard"] = heard
        return clean - (1.0 - 1e-4) * noise

    mixture, target = _batch(network)
    seen["target"] = module.bring_to_level(mixture, target, legacy=False).target
    with mock.patch.object(module, "velocity", perfect):
        loss = _loss(network, positive, posterior="mode", empty=0.0, text_dropout=0.0)
    assert float(loss) < 1e-5
    level = module.bring_to_level(mixture, target, legacy=False).mixture
    torch.testing.assert_close(
        seen["heard"], network.latents.encode(network.mel(level), None), rtol=0.0, atol=1e-5
    )


def test_gradients_reach_the_network_and_nothing_that_is_frozen(
    network: FlowSep, encoder: QueryEncoder
) -> None:
    positive = encoder.prepare([("dog",)] * 4)
    loss = _loss(network, positive)
    assert torch.equal(_loss(network, positive), loss)
    loss.backward()  # type: ignore[no-untyped-call]
    for name, weight in network.named_parameters():
        assert (weight.grad is not None) == name.startswith("unet."), name
    # Half of the outputs are of no use, and are not pulled at.
    gradient = network.unet.conv_out.weight.grad
    assert gradient is not None
    assert bool((gradient[3:] == 0).all())
    assert bool((gradient[:3] != 0).any())


def test_a_label_encoder_learns(small: FlowSepConfig) -> None:
    model = FlowSep(_labelled())
    positive = model.encoder.prepare([("Dog",), ("Rain",)])
    mixture = torch.randn(2, model.config.window_samples)
    model.flow_loss(mixture, 0.5 * mixture, positive).backward()  # type: ignore[no-untyped-call]
    assert float(model.encoder.vectors.grad.abs().sum()) > 0.0  # type: ignore[union-attr]


def _asked(network: FlowSep, encoder: QueryEncoder, **changes: Any) -> tuple[Tensor, list[Tensor]]:
    """Return what the network is asked, and the log-mel spectrograms of mixture and target."""
    mels: list[Tensor] = []
    asked: list[Tensor] = []
    encode, real = network.latents.encode, module.velocity

    def hear(mel: Tensor, noise: Tensor | None) -> Tensor:
        mels.append(mel)
        return encode(mel, noise)

    def ask(unet: Any, noisy: Tensor, heard: Tensor, time: Tensor, tokens: Tensor) -> Tensor:
        asked.append(tokens)
        return real(unet, noisy, heard, time, tokens)

    with (
        mock.patch.object(network.latents, "encode", hear),
        mock.patch.object(module, "velocity", ask),
    ):
        _loss(network, encoder.prepare([("dog",)] * 4), **changes)
    return asked[0], mels


def test_asked_for_nothing_the_target_is_silence(network: FlowSep, encoder: QueryEncoder) -> None:
    asked, (_, target) = _asked(network, encoder, empty=1.0, text_dropout=0.0)
    torch.testing.assert_close(target, torch.full_like(target, SILENCE))
    texts = encoder.prepare([(text,) for text in NOTHING])
    for row in asked:
        assert any(torch.equal(row, text) for text in texts)
    asked, (_, target) = _asked(network, encoder, empty=1.0, text_dropout=0.0, legacy=True)
    assert float(target.abs().max()) == 0.0


def test_without_a_text_the_empty_one_is_asked(network: FlowSep, encoder: QueryEncoder) -> None:
    empty, dog = encoder.prepare([(), ("dog",)])
    asked, _ = _asked(network, encoder, empty=0.0, text_dropout=0.5)
    dropped = [bool(torch.equal(row, empty)) for row in asked]
    assert [bool(torch.equal(row, dog)) for row in asked] == [not each for each in dropped]
    assert 0 < sum(dropped) < 4  # of one batch some
    asked, _ = _asked(network, encoder, empty=0.0, text_dropout=1.0)
    assert torch.equal(asked, empty.expand_as(asked))


def test_training_and_use_hear_the_same_level_unless_legacy(
    network: FlowSep, encoder: QueryEncoder
) -> None:
    options = {"empty": 0.0, "text_dropout": 0.0}
    _, (heard, _) = _asked(network, encoder, **options)
    mixture, _ = _batch(network)
    used = module.to_level(mixture, network.level, removes_dc=True).samples
    torch.testing.assert_close(heard, network.mel(used))
    _, (louder, _) = _asked(network, encoder, **options, legacy=True)
    assert float((louder - heard).mean()) > 0.1


# As a model of the benchmark.


def test_the_contract_holds(small: FlowSepConfig) -> None:
    model = FlowSep(_labelled()).eval()
    separator = NetworkSeparator(model, name="flowsep", batch_size=2)
    assert violations(separator, sample_rate=22050) == []
    facts = separator.facts
    assert (facts.native_rate, facts.negatives) == (16000, "refused")
    assert not facts.deterministic
    assert not facts.is_waveform_aligned
    assert separator.generative
    assert (facts.level.kind, facts.level.value, facts.removes_dc) == ("peak", 0.5, True)
    assert (separator.details["steps"], separator.details["posterior"]) == (2, "sample")


def test_windows_of_the_published_size_are_faded_over_a_second() -> None:
    with torch.device("meta"):
        model = FlowSep(FlowSepConfig.published())
    windows = NetworkSeparator(model, name="flowsep", device="meta").facts.windows
    assert (windows.seconds, windows.fade, windows.hop) == (10.24, 1.0, pytest.approx(9.24))


def test_long_sound_is_drawn_window_by_window(small: FlowSepConfig) -> None:
    model = FlowSep(_labelled()).eval()
    mixture = 0.1 * torch.randn(2, 20_000, generator=Generator().manual_seed(0))
    queries = [Query("Dog"), Query("Rain")]
    items = [Item("a", "s1", 5, 16000), Item("b", "s1", 6, 16000)]
    found = [
        NetworkSeparator(model, name="flowsep", batch_size=size).separate(mixture, queries, items)
        for size in (1, 4)
    ]
    assert found[0].shape == mixture.shape
    torch.testing.assert_close(found[0], found[1], rtol=0.0, atol=1e-5)
    separator = NetworkSeparator(model, name="flowsep")
    one = separator.separate(mixture[1:], queries[1:], items[1:])
    torch.testing.assert_close(one, found[0][1:], rtol=0.0, atol=1e-5)
    other = [Item("b", "s1", 7, 16000)]
    another = separator.separate(mixture[1:], queries[1:], other)
    assert float((another - one).abs().max()) > 1e-4


def test_a_saved_network_takes_its_options(tmp_path: Path) -> None:
    model = FlowSep(_labelled()).eval()
    model.save_pretrained(tmp_path / "net")
    loaded = load_pretrained(tmp_path / "net")
    assert loaded.config.model_dump(exclude={"encoder"}) == model.config.model_dump(
        exclude={"encoder"}
    )
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    source = str(tmp_path / "net")
    separator = SavedNetwork(source, steps=3, posterior="mode", precision="bf16")
    assert separator.generative
    assert (separator.details["steps"], separator.details["posterior"]) == (3, "mode")
    mixture = 0.1 * torch.randn(1, 4000, generator=Generator().manual_seed(0))
    items = [Item("a", "s1", 5, 16000)]
    half = separator.separate(mixture, [Query("Dog")], items)
    full = SavedNetwork(source, steps=3).separate(mixture, [Query("Dog")], items)
    assert half.dtype == full.dtype == torch.float32
    torch.testing.assert_close(half, full, rtol=0.0, atol=0.02)
    named = FlowSepHive(weights=source, steps=3)
    assert named.name == "flowsep-hive"
    assert torch.equal(named.separate(mixture, [Query("Dog")], items), full)
    for options, told in (
        ({"steps": 0}, "0 steps"),
        ({"posterior": "mean"}, "posterior 'mean' is not known"),
        ({"emulate_negatives": True}, "makes up"),
    ):
        with pytest.raises(HiveError, match=told):
            SavedNetwork(source, **options)  # type: ignore[arg-type]


def test_networks_that_draw_nothing_refuse_steps() -> None:
    sizes = AudioSepConfig(n_fft=128, hop=32, channels=(2,) * 6, encoder={"kind": "labels"})
    with pytest.raises(HiveError, match="it draws nothing"):
        NetworkSeparator(AudioSep(sizes).eval(), name="audiosep", steps=3)
