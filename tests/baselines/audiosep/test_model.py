import math

import pytest
import torch
from torch import nn

from baselines.audiosep.config import AudioSepConfig
from baselines.audiosep.model import AudioSep
from baselines.spectra import istft, stft


def draw(items, samples, seed=1):
    generator = torch.Generator().manual_seed(seed)
    mixture = 0.1 * torch.randn(items, samples, generator=generator)
    return mixture, torch.randn(items, 8, generator=generator)


def freeze(model, *biases):
    """Let the maps of the mask be constants."""
    with torch.no_grad():
        model.network.after.weight.zero_()
        model.network.after.bias.copy_(torch.tensor(biases))


def without_nyquist(mixture, config, factor=1.0):
    spectrum = stft(mixture, config.n_fft, config.hop)
    spectrum[..., -1] = 0.0
    return istft(spectrum * factor, config.hop, mixture.shape[-1])


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.0, 4.0])
def test_length_comes_back(model, seconds):
    samples = round(32_000 * seconds) + 1
    with torch.inference_mode():
        estimate = model(*draw(2, samples))
    assert estimate.shape == (2, samples)
    assert estimate.dtype == torch.float32
    assert bool(estimate.isfinite().all())
    assert float(estimate.abs().sum()) > 0.0


def test_one_sample(model):
    with torch.inference_mode():
        assert model(*draw(1, 1)).shape == (1, 1)


def test_repeats_exactly(model):
    mixture, condition = draw(2, 5000)
    with torch.inference_mode():
        assert torch.equal(model(mixture, condition), model(mixture, condition))


def test_condition_matters(model):
    mixture, condition = draw(2, 5000)
    with torch.inference_mode():
        difference = model(mixture, condition) - model(mixture, condition.flip(0))
    assert float(difference.abs().max()) > 1e-3


def test_negative_queries_are_not_used(model):
    positive, negative = torch.randn(2, 8), torch.randn(2, 8)
    assert not model.takes_negatives
    assert torch.equal(model.condition(positive, negative), positive)


class TestMask:
    def test_open_mask_gives_the_mixture_without_nyquist(self, model):
        freeze(model, 40.0, 20.0, 0.0)
        mixture, condition = draw(2, 5000)
        expected = without_nyquist(mixture, model.config)
        torch.testing.assert_close(model(mixture, condition), expected, rtol=0.0, atol=1e-6)

    def test_gain_is_the_logistic_function(self, model):
        freeze(model, -1.5, 0.3, 0.0)  # a small phasor is a direction, no gain
        mixture, condition = draw(2, 5000)
        expected = without_nyquist(mixture, model.config, 1.0 / (1.0 + math.exp(1.5)))
        torch.testing.assert_close(model(mixture, condition), expected, rtol=0.0, atol=1e-6)

    def test_phase_turns(self, model):
        freeze(model, 40.0, -0.2, 0.4)
        mixture, condition = draw(2, 5000)
        real, imag = math.tanh(-0.2), math.tanh(0.4)
        factor = complex(real, imag) / math.hypot(real, imag)
        expected = without_nyquist(mixture, model.config, factor)
        torch.testing.assert_close(model(mixture, condition), expected, rtol=0.0, atol=1e-6)

    def test_phasor_without_direction_mutes_with_finite_gradients(self, model):
        freeze(model, 40.0, 0.0, 0.0)
        mixture, condition = draw(2, 5000)
        estimate = model(mixture, condition)
        assert not estimate.any()
        estimate.abs().mean().backward()
        estimate = model(mixture, condition)
        (estimate - mixture).square().mean().backward()
        assert all(bool(one.grad.isfinite().all()) for one in model.parameters())


@pytest.mark.parametrize("training", [False, True])
def test_silence_is_silent_and_can_be_trained_on(model, training):
    model.train(training)
    mixture, condition = torch.zeros(2, 4000), torch.randn(2, 8)
    estimate = model(mixture, condition)
    assert torch.equal(estimate, torch.zeros(2, 4000))
    estimate.abs().mean().backward()
    assert all(bool(one.grad.isfinite().all()) for one in model.parameters())


def test_every_weight_learns(model):
    model.train()
    mixture, condition = draw(3, 6000)
    (model(mixture, condition) - mixture.flip(0)).abs().mean().backward()
    still = [name for name, one in model.named_parameters() if not one.grad.any()]
    assert still == []


class TestLocality:
    """In evaluation, normalisations use stored statistics: nothing far away is heard."""

    def test_items_of_a_batch_do_not_mix(self, model):
        mixture, condition = draw(3, 5000)
        with torch.inference_mode():
            together = model(mixture, condition)
            alone = torch.cat([model(mixture[i : i + 1], condition[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(together, alone, rtol=0.0, atol=1e-6)

    def test_sound_beyond_the_receptive_field_does_not_matter(self, model):
        hop, n_fft = model.config.hop, model.config.n_fft
        # Two 3x3 layers at each of 6 scales down and 6 up and at the centre, and the grid.
        frames = 2 * (1 + 2 + 4 + 8 + 16 + 32) + 2 * 32 + 2 * (32 + 16 + 8 + 4 + 2 + 1) + 2 * 32
        reach = frames * hop + n_fft
        mixture, condition = draw(1, reach + 3000)
        other = mixture.clone()
        other[:, :1000] = 0.0
        with torch.inference_mode():
            one, two = model(mixture, condition), model(other, condition)
        assert float((one - two)[:, :1000].abs().max()) > 1e-3
        torch.testing.assert_close(one[:, 1000 + reach :], two[:, 1000 + reach :])


def test_bfloat16_is_close(model):
    mixture, condition = draw(2, 8000)
    with torch.inference_mode():
        exact = model(mixture, condition)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(mixture, condition)
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).norm() / exact.norm()) < 0.03


def test_pictures_are_kept_channels_last(model):
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)
    parts = [one for one in model.network.children() if one is not model.network.before]
    layers = [one for part in parts for one in part.modules() if isinstance(one, kinds)]
    seen = []
    for layer in layers:
        layer.register_forward_hook(
            lambda _module, inputs, output: seen.extend(
                tensor.is_contiguous(memory_format=torch.channels_last)
                for tensor in (*inputs, output)
            )
        )
    with torch.inference_mode():
        model(*draw(2, 5000))
    assert len(layers) > 70
    assert len(seen) == 2 * len(layers)
    assert all(seen)


def test_small_config_knows_its_windows(build, small):
    model = build(small)
    assert (model.name, model.sample_rate, model.window_seconds) == ("audiosep", 32_000, 5.0)
    assert (model.context_seconds, model.window_seconds) == (1.0, 5.0)


def test_makes_the_encoder_that_its_configuration_names():
    model = AudioSep(AudioSepConfig.mini())
    assert (model.encoder.kind, model.encoder.dim) == ("labels", 128)
    mixture = 0.1 * torch.randn(1, 16_000)
    prepared = [model.encoder.prepare([query]) for query in (("Dog",), ())]
    with torch.inference_mode():
        assert model.eval().separate(mixture, *prepared).shape == (1, 16_000)


def test_state_comes_back_and_holds_no_constants(model, build):
    other = build(model.config, seed=5).eval()
    state = model.state_dict()
    assert {name.split(".")[0] for name in state} == {"network"}
    other.load_state_dict(state)
    mixture, condition = draw(1, 4000)
    with torch.inference_mode():
        assert torch.equal(other(mixture, condition), model(mixture, condition))


@pytest.mark.slow
def test_compiles_as_one_graph_once_for_all_lengths(model):
    from torch._dynamo.testing import CompileCounter

    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    with torch.inference_mode():
        for samples in (4000, 4444, 5555, 8000, 8001):
            mixture, condition = draw(2, samples)
            torch.testing.assert_close(compiled(mixture, condition), model(mixture, condition))
    assert counter.frame_count <= 2


@pytest.mark.slow
def test_compiled_network_trains_the_same(model):
    model.train()
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    mixture, condition = draw(2, 4000)
    results = []
    for one in (model, compiled):
        state = {name: value.clone() for name, value in model.state_dict().items()}
        model.zero_grad()
        estimate = one(mixture, condition)
        estimate.square().sum().backward()
        statistics = [value.clone() for value in model.buffers()]
        gradients = [parameter.grad.clone() for parameter in model.parameters()]
        results.append((estimate.detach(), statistics, gradients))
        model.load_state_dict(state)
    torch.testing.assert_close(results[0], results[1], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_compiled_network_gives_the_same(model):
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True)
    mixture, condition = draw(2, 4000)
    with torch.inference_mode():
        expected = model(mixture, condition)
        torch.testing.assert_close(compiled(mixture, condition), expected, rtol=1e-3, atol=1e-5)
