"""LAION-CLAP's own network with random weights: what its published checkpoints look like.

`import laion_clap` fetches tokenisers, so its modules are imported one by one. No weight is left at
a value that would hide a mistake: running statistics, biases and position tables are drawn too.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

VOCABULARY = 300
MICRO = {"name": "HTSAT-micro", "width": 32, "depths": (1, 1, 2, 1)}
MERGES = ["Ġ t", "h e", "Ġt he", "i n", "Ġ s", "o u", "Ġs ou", "n d", "Ġsou nd", "r e", "o f"]


def _package() -> Any:
    """`laion_clap.clap_module` without what its `__init__` does; it also keeps the networks."""
    name = "laion_clap_module"
    if name not in sys.modules:
        spec = importlib.util.find_spec("laion_clap")
        assert spec is not None
        assert spec.submodule_search_locations is not None
        bare: Any = types.ModuleType(name)
        bare.__path__ = [str(Path(spec.submodule_search_locations[0]) / "clap_module")]
        bare.networks = {}
        sys.modules[name] = bare
    return sys.modules[name]


def laion(size: str) -> Any:
    """LAION-CLAP of HTSAT size "tiny" or "base", with a RoBERTa of two layers.

    "micro" is a size of ours for tests that are not about the size; `MICRO` describes it.
    """
    networks = _package().networks
    if size not in networks:
        networks[size] = _build(size)
    return networks[size]


def _build(size: str) -> torch.nn.Module:
    from transformers import RobertaConfig, RobertaModel

    model = importlib.import_module("laion_clap_module.model")
    htsat = sys.modules["laion_clap_module.htsat"]
    micro = size == "micro"
    roberta = RobertaConfig(
        vocab_size=VOCABULARY,
        num_hidden_layers=1 if micro else 2,
        intermediate_size=64 if micro else 512,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    folder = Path(model.__file__).parent / "model_configs"
    config = json.loads((folder / f"HTSAT-{'tiny' if micro else size}.json").read_text())
    config["text_cfg"]["model_type"] = "roberta"
    config["embed_dim"] = 8 * MICRO["width"] if micro else config["embed_dim"]

    def make_micro(settings: Any, *_: Any) -> Any:
        return htsat.HTSAT_Swin_Transformer(
            patch_stride=(4, 4),
            num_classes=settings.class_num,
            embed_dim=MICRO["width"],
            depths=MICRO["depths"],
            num_heads=[4, 8, 16, 32],
            window_size=8,
            config=settings,
        )

    with (  # what is drawn here is drawn again
        mock.patch.multiple(
            torch.nn.init, kaiming_uniform_=_leave, uniform_=_leave, normal_=_leave
        ),
        mock.patch.object(htsat, "trunc_normal_", _leave),
        mock.patch.object(
            model, "create_htsat_model", make_micro if micro else model.create_htsat_model
        ),
        mock.patch.object(
            model.RobertaModel, "from_pretrained", return_value=RobertaModel(roberta)
        ),
    ):
        network = model.CLAP(config["embed_dim"], config["audio_cfg"], config["text_cfg"])
    _draw(network)
    return network.eval()


def _leave(tensor: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    return tensor


def _draw(network: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(7)

    def normal(value: torch.Tensor, mean: float, deviation: float) -> None:
        value.normal_(mean, deviation, generator=generator)

    with torch.no_grad():
        for name, value in network.named_parameters():
            if "spectrogram_extractor" in name or "logmel_extractor" in name:
                continue
            if "position_bias_table" in name:
                normal(value, 0.0, 0.5)
            elif "embeddings.weight" in name:
                normal(value, 0.0, 0.02)  # as small as RoBERTa's: the epsilon of its norms counts
            elif value.ndim > 1:
                normal(value, 0.0, 1.2 / float(np.sqrt(value[0].numel())))
            else:
                normal(value, 1.0 if name.endswith("weight") else 0.0, 0.2)
        norm = network.audio_branch.bn0
        normal(norm.running_mean, -40.0, 10.0)
        norm.running_var.uniform_(50.0, 400.0, generator=generator)


def checkpoint(size: str, *, wrapped: bool = True) -> dict[str, Any]:
    """What the published file holds: training state, and the weights under "module."."""
    prefix = "module." if wrapped else ""
    state = {prefix + key: value.detach() for key, value in laion(size).state_dict().items()}
    state[prefix + "text_branch.embeddings.position_ids"] = torch.arange(514)[None]
    if not wrapped:
        return state
    moments = {0: {"exp_avg": torch.zeros(3), "step": 15}}
    return {
        "epoch": 15,
        "name": "random",
        "state_dict": state,
        "optimizer": {"state": moments, "param_groups": [{"lr": 1e-4, "params": [0]}]},
        "best_acc": np.float64(0.9014),
    }


def write_tokenizer(folder: Path) -> Path:
    """A byte-level BPE tokenizer in the layout of roberta-base."""
    from transformers.models.roberta.tokenization_roberta import bytes_to_unicode

    folder.mkdir(parents=True, exist_ok=True)
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *bytes_to_unicode().values()]
    pieces += ["".join(merge.split()) for merge in MERGES] + ["<mask>"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    assert len(vocabulary) <= VOCABULARY
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    lines = ["#version: 0.2", *MERGES]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
