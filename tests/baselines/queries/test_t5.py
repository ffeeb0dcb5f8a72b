"""Text states by a tiny T5 that the test saves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from baselines.queries import make_encoder
from baselines.queries import t5 as module
from baselines.queries.t5 import T5TextEncoder
from hive.errors import HiveError

WORDS = ("<pad>", "</s>", "<unk>", "dog", "cat", "and", "barking", "a", "rain", ",")
DIM = 12


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same classes as FLAN-T5's, small."""
    folder = tmp_path_factory.mktemp("t5")
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=words,
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = T5Config(
            vocab_size=len(WORDS),
            d_model=DIM,
            d_kv=4,
            d_ff=16,
            num_layers=2,
            num_heads=3,
            feed_forward_proj="gated-gelu",
        )
        T5EncoderModel(config).save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture
def encoder(saved: Path) -> T5TextEncoder:
    module._load.cache_clear()
    return T5TextEncoder(str(saved), tokens=6, dim=DIM)


def test_states_are_those_of_the_model_with_padding_masked(
    encoder: T5TextEncoder, saved: Path
) -> None:
    """The published code pads texts and masks the padding; states are the same."""
    texts = ["dog", "a dog barking and a cat", ""]
    found = encoder.prepare([("dog",), ("a dog barking and a cat",), ()])
    assert found.shape == (3, 6, DIM + 1)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(saved)
    batch = tokenizer(
        texts, padding="max_length", truncation=True, max_length=6, return_tensors="pt"
    )
    with torch.no_grad():
        states = T5EncoderModel.from_pretrained(saved)(**batch).last_hidden_state
    mask = batch["attention_mask"]
    assert mask.sum(1).tolist() == [2, 6, 1]  # with the mark of the end; the second is cut off
    torch.testing.assert_close(found[..., -1], mask.float())
    torch.testing.assert_close(found[..., :-1], states * mask.unsqueeze(-1), rtol=0, atol=1e-5)
    assert torch.equal(encoder(found), found)


def test_a_text_is_encoded_once_and_by_itself(
    encoder: T5TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    tokenizer, model = module._load(encoder.checkpoint, None)

    def counted(**given: Any) -> Any:
        asked.append(given["input_ids"].tolist())
        return model(**given)

    counted.config = model.config  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "_load", lambda *_: (tokenizer, counted))
    with torch.inference_mode():
        first = encoder.prepare([("dog",), ("cat",), ("dog",)])
    again = encoder.prepare([("cat",)])
    assert asked == [[[3, 1]], [[4, 1]]]
    assert torch.equal(first[0], first[2])
    assert torch.equal(again[0], first[1])
    assert not again.is_inference()
    again.requires_grad_()  # may go into training
    alone = T5TextEncoder(encoder.checkpoint, tokens=6, dim=DIM).prepare([("cat",)])
    assert torch.equal(alone, encoder.prepare([("rain",), ("cat",)])[1:])


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ((), ""),
        (("",), ""),
        ((" dog ",), "dog"),
        (("dog", "cat"), "cat and dog"),
        (("rain", "dog", "cat", "dog"), "cat, dog and rain"),
    ],
)
def test_several_texts_are_one(encoder: T5TextEncoder, query: tuple[str, ...], text: str) -> None:
    assert torch.equal(encoder.prepare([query]), encoder.prepare([(text,)]))


def test_nothing_of_it_is_a_weight(encoder: T5TextEncoder) -> None:
    encoder.prepare([("dog",)])
    assert not encoder.state_dict()
    assert not list(encoder.parameters())
    rebuilt = make_encoder(encoder.config())
    assert rebuilt.config() == encoder.config()
    assert torch.equal(rebuilt.prepare([("dog",)]), encoder.prepare([("dog",)]))
    assert encoder.meaning("Anything at all") == "Anything at all"


def test_only_safetensors_are_read(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    for file in saved.iterdir():
        if file.name != "model.safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    state = T5EncoderModel.from_pretrained(saved).state_dict()
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(HiveError) as error:
        T5TextEncoder(str(folder), dim=DIM).prepare([("dog",)])
    assert str(folder) in error.value.problem
    assert "model.safetensors" in error.value.remedy


def test_what_is_not_here_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, saved: Path
) -> None:
    module._load.cache_clear()
    monkeypatch.setattr("hive.checkpoints.install.hub_answers", lambda: False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(HiveError) as error:
        T5TextEncoder("hive-bench-nobody/no-such-t5").prepare([("dog",)])
    assert "hive-bench-nobody/no-such-t5 cannot be loaded" in error.value.problem
    assert "hf download" in error.value.remedy
    with pytest.raises(HiveError, match="have 12 values, 1024 are configured"):
        T5TextEncoder(str(saved)).prepare([("dog",)])


@pytest.mark.parametrize("options", [{"tokens": 0}, {"dim": "x"}, {"checkpoint": ""}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(HiveError, match="query encoder t5"):
        make_encoder({"kind": "t5", **options})
