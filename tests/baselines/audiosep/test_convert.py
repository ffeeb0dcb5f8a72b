import math
import pickle

import pytest
import torch

from baselines.audiosep.config import AudioSepConfig
from baselines.audiosep.convert import convert, translate
from baselines.audiosep.model import AudioSep
from baselines.audiosep.published import CLAP_PARAMETERS, count_published, published_table
from benchmarks.speed.reference_audiosep import ReferenceAudioSep
from hive.errors import HiveError


@pytest.fixture
def reference(small, stir):
    torch.manual_seed(3)
    network = stir(ReferenceAudioSep(small.channels, small.n_fft, small.hop, condition=8))
    with torch.no_grad():  # phasors near 0, of any direction, would make rounding count
        network.base.after_conv.weight.mul_(0.3)
        network.base.after_conv.bias.copy_(torch.tensor([0.3, 1.0, -0.5]))
    return network.eval()


@pytest.fixture(scope="module")
def full():
    torch.manual_seed(3)
    network = ReferenceAudioSep()
    for name, value in network.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0.0, 0.2)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return network.eval()


def lightning(network, **other):
    """A checkpoint as the published training writes it."""
    state = {f"ss_model.{key}": value for key, value in network.state_dict().items()}
    state["query_encoder.model.text_projection.0.weight"] = torch.zeros(4, 4)
    return {
        "epoch": 7,
        "global_step": 4_000_000,
        "pytorch-lightning_version": "2.0.0",
        "state_dict": state | other,
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}],
    }


def size(parameters):
    return sum(one.numel() for one in parameters)


def test_published_numbers_of_parameters(full, build):
    counts = count_published(AudioSepConfig.published())
    assert (counts.base, counts.film) == (21_391_813, 5_056_128)
    assert counts.trainable == 26_447_941
    assert counts.transform == 12_587_008
    assert counts.network == 39_034_949
    assert counts.total == 238_599_582
    # The restated network has as many, by construction rather than by table.
    assert size(full.parameters()) == counts.network
    assert size(one for one in full.parameters() if one.requires_grad) == counts.trainable
    assert size(full.film.parameters()) == counts.film
    assert len(list(full.film.children())) == 38
    # Ours does without a normalisation and a condition of each of six stages, and one bin.
    with torch.device("meta"):
        ours = build(AudioSepConfig.published(), dim=512)
    unused = sum((384, 384, 384, 256, 128, 64)) * (2 + 512 + 1) + 2
    assert size(ours.parameters()) == counts.trainable - unused == 25_623_939


def test_mini_is_small(build):
    with torch.device("meta"):
        assert size(build(AudioSepConfig.mini(), dim=128).parameters()) == 3_035_779


def test_parameters_of_clap():
    from transformers import ClapConfig

    from hive.checkpoints.clap_keys import build

    audio = {
        "hidden_size": 1024,
        "patch_embeds_hidden_size": 128,
        "depths": [2, 2, 12, 2],
        "num_attention_heads": [4, 8, 16, 32],
    }
    text = {"vocab_size": 50_265, "type_vocab_size": 1, "max_position_embeddings": 514}
    config = ClapConfig.from_dict({"audio_config": audio, "text_config": text})
    network = size(build("ClapModel", config).parameters())
    mel = 2 * 513 * 1024 + 513 * 64
    tagging = 1024 * 527 * 2 * 3 + 527 + 527 * 527 + 527
    transforms = 2 * 2 * (512 * 512 + 512)
    assert network + mel + tagging + transforms == CLAP_PARAMETERS == 199_564_633


@pytest.mark.parametrize("size", ["small", "full"])
def test_table_is_the_published_layout(size, request, small):
    network = request.getfixturevalue("reference" if size == "small" else "full")
    table = (
        published_table(small, condition=8)
        if size == "small"
        else published_table(AudioSepConfig.published())
    )
    state = network.state_dict()
    assert {key: entry.shape for key, entry in table.items()} == {
        key: tuple(value.shape) for key, value in state.items()
    }
    assert "film.decoder_block1->conv_block2->beta1.weight" in table


def test_published_checkpoint_gives_the_published_output(full, build, tmp_path):
    path = tmp_path / "audiosep_base_4M_steps.ckpt"
    torch.save(lightning(full), path)
    config, state, report = convert(path)
    assert config == AudioSepConfig.published()
    assert report.source == path
    assert (report.kept, sum(report.dropped.values())) == (285, 48)
    with torch.device("meta"):
        model = build(config, dim=512)
    model.load_state_dict(state, assign=True)
    model.eval()
    generator = torch.Generator().manual_seed(0)
    mixture = 0.2 * torch.randn(1, 5000, generator=generator)
    condition = torch.randn(1, 512, generator=generator) / math.sqrt(512)
    with torch.inference_mode():
        published, ours = full(mixture, condition), model(mixture, condition)
    assert float(published.abs().max()) > 0.01
    torch.testing.assert_close(ours, published, rtol=0.0, atol=1e-5)


def translated(reference, small, build):
    state, _ = translate("here", reference.state_dict(), small, condition=8)
    model = build(small, seed=9)
    model.load_state_dict(state)
    return model


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("samples", [100, 3000, 10_007])
def test_outputs_and_statistics_are_the_published_ones(reference, small, build, samples, training):
    model = translated(reference, small, build).train(training)
    reference.train(training)
    mixture, condition = 0.2 * torch.randn(2, samples), torch.randn(2, 8)
    published, ours = reference(mixture, condition), model(mixture, condition)
    torch.testing.assert_close(ours, published, rtol=0.0, atol=1e-5)
    again = translated(reference, small, build).state_dict()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, again[name], rtol=1e-4, atol=1e-5)


def test_gradients_are_the_published_ones(reference, small, build):
    model = translated(reference, small, build).train()
    reference.train()
    mixture, condition = 0.2 * torch.randn(2, 3000), torch.randn(2, 8)
    for network in (model, reference):
        (network(mixture, condition) - mixture.flip(0)).abs().mean().backward()
    # Gradients translate as weights do.
    published = {name: one.grad for name, one in reference.named_parameters()}
    published = {
        name: value if published.get(name) is None else published[name]
        for name, value in reference.state_dict().items()
    }
    expected, _ = translate("here", published, small, condition=8)
    for name, one in model.named_parameters():
        torch.testing.assert_close(one.grad, expected[name], rtol=1e-3, atol=1e-6)


def test_bare_and_parallel_states_are_taken(reference, small):
    plain, report = translate("here", reference.state_dict(), small, condition=8)
    whole, with_query = translate("here", lightning(reference)["state_dict"], small, condition=8)
    assert plain.keys() == whole.keys()
    assert all(torch.equal(value, whole[name]) for name, value in plain.items())
    assert sum(with_query.dropped.values()) == sum(report.dropped.values()) + 1


def test_state_lacks_the_encoder_only(reference, small):
    model = AudioSep(small.model_copy(update={"encoder": {"kind": "labels", "dim": 8}}))
    state, _ = translate("here", reference.state_dict(), small, condition=8)
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert unexpected == []
    assert {name.split(".")[0] for name in missing} == {"encoder"}


class TestWrongFiles:
    @pytest.fixture
    def state(self, reference):
        return dict(reference.state_dict())

    def refused(self, state, small):
        with pytest.raises(HiveError) as caught:
            translate("some.ckpt", state, small, condition=8)
        assert caught.value.remedy
        assert str(caught.value).startswith("some.ckpt: ")
        return caught.value.problem

    def test_missing_key(self, state, small):
        del state["film.conv_block7a->conv_block1->beta2.bias"]
        assert "1 keys are missing: film.conv_block7a->" in self.refused(state, small)

    def test_missing_unused_key(self, state, small):
        del state["base.decoder_block3.bn2.weight"]
        assert "base.decoder_block3.bn2.weight" in self.refused(state, small)

    def test_unknown_key(self, state, small):
        state["base.encoder_block7.weight"] = torch.zeros(2)
        assert "1 keys are not AudioSep's: base.encoder_block7" in self.refused(state, small)

    def test_unknown_key_beside_the_network(self, reference, small):
        state = lightning(reference, loss=torch.zeros(1))["state_dict"]
        assert "1 keys are not AudioSep's: loss" in self.refused(state, small)

    def test_wrong_shape(self, state, small):
        state["base.pre_conv.weight"] = torch.zeros(3, 1, 1, 1)
        problem = self.refused(state, small)
        assert "base.pre_conv.weight (3, 1, 1, 1), not (2, 1, 1, 1)" in problem

    def test_wrong_transform(self, state, small):
        state["base.istft.conv_imag.weight"] = torch.zeros(64, 64, 1)
        assert "base.istft.conv_imag.weight (64, 64, 1)" in self.refused(state, small)

    def test_other_window(self, state, small):
        state["base.stft.conv_real.weight"] = torch.ones(65, 1, 128)
        assert "the window is not Hann's" in self.refused(state, small)

    def test_not_finite(self, state, small):
        state["base.after_conv.bias"] = torch.tensor([0.0, float("nan"), 0.0])
        assert "1 tensors are not finite: base.after_conv.bias" in self.refused(state, small)

    def test_another_architecture(self, tmp_path):
        path = tmp_path / "best_model.ckpt"
        torch.save({"state_dict": {"clap_model.logit_scale_a": torch.zeros(())}}, path)
        with pytest.raises(HiveError, match="another architecture; it holds clap_model") as caught:
            convert(path)
        assert str(path) in caught.value.problem

    def test_another_size(self, reference, tmp_path):
        path = tmp_path / "small.ckpt"
        torch.save(lightning(reference), path)
        with pytest.raises(HiveError, match="shapes are wrong"):
            convert(path)

    def test_cut_off(self, reference, tmp_path):
        path = tmp_path / "cut.ckpt"
        torch.save(lightning(reference), path)
        path.write_bytes(path.read_bytes()[:-3000])
        with pytest.raises(HiveError, match="is cut off"):
            convert(path)

    def test_code_is_not_run(self, reference, tmp_path):
        path, touched = tmp_path / "code.ckpt", tmp_path / "touched"

        class Code:
            def __reduce__(self):
                return (touched.write_text, ("x",))

        torch.save({**lightning(reference), "hyper_parameters": Code()}, path, pickle_module=pickle)
        with pytest.raises(HiveError, match="holds more than weights"):
            convert(path)
        assert not touched.exists()

    def test_not_there(self, tmp_path):
        with pytest.raises(HiveError, match="cannot be read"):
            convert(tmp_path / "nothing.ckpt")
