"""LAION-CLAP's checkpoints as transformers' `ClapModel`: converting, checking, loading.

The published files hold the network of LAION-CLAP's own code (HTSAT and RoBERTa-base, no fusion).
transformers has the same network under other names (`hive.checkpoints.clap_keys`) and gives the
same outputs; the parity test compares every tap.

The published conversions `laion/larger_clap_*` are not used: their embeddings are disputed
(huggingface/transformers #26362, LAION-AI/CLAP #126 and #172).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch

from hive.checkpoints.clap_keys import (
    build,
    check_front_end,
    make_config,
    not_finite,
    recognise,
    shorten,
    translate,
)
from hive.checkpoints.pickles import read_state_dict
from hive.embedding.frontend import MELS
from hive.errors import HiveError

if TYPE_CHECKING:
    from transformers import ClapConfig

REVISION = 1
"""Number of this conversion; it grows when the same source gives other weights."""
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
VOCABULARY, MERGES = "vocab.json", "merges.txt"
_BEGIN, _PAD, _END = 0, 1, 2  # RoBERTa's <s>, <pad>, </s>
Tower: TypeAlias = Literal["audio", "text"]
_TOWERS: tuple[Tower, ...] = ("audio", "text")


def convert(source: Path, folder: Path, remedy: str) -> str:
    """Write `model.safetensors` and `config.json` of a published checkpoint.

    Args:
        source: A `.pt` of LAION-CLAP.
        folder: Where to write.
        remedy: What to tell the user whose file is something else.

    Returns:
        Name of the architecture.

    Raises:
        HiveError: If the file is not a CLAP of a known architecture without fusion, if its keys or
            shapes are not exactly those of the architecture, or if a weight is not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    published = read_state_dict(source, remedy)
    with _about(source, remedy):
        architecture = recognise(published)
        config = make_config(architecture, published)
        check_front_end(published)
        tensors = translate(published, config)
    try:
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    except SafetensorError as error:
        raise HiveError(f"{folder}: cannot be written ({error})", "free some space") from error
    (folder / CONFIG).write_text(config.to_json_string(use_diff=False), encoding="utf-8")
    return architecture.name


def check(folder: Path) -> list[str]:
    """Load a converted checkpoint and run both towers once.

    Returns:
        What is wrong with it; nothing if all is well.
    """
    problems: list[str] = []
    for tower in _TOWERS:
        try:
            model = load_tower(folder, tower)
        except HiveError as error:
            problems.append(error.problem)
            continue
        if bad := not_finite(model.state_dict()):
            problems.append(f"{folder / WEIGHTS}: weights are not finite: {shorten(bad)}")
            continue
        with torch.inference_mode():
            vector = _try_audio(model) if tower == "audio" else _try_text(model)
        if not bool(torch.isfinite(vector).all()) or not float(vector.norm()) > 0.0:
            problems.append(f"{folder / WEIGHTS}: the {tower} tower gives no vector")
    return problems


def load_tower(folder: Path, tower: Tower) -> Any:
    """Load one tower of a converted checkpoint with its projection, ready for inference.

    On the CPU the weights stay in the file's pages, which processes share.

    Returns:
        `ClapAudioModelWithProjection` or `ClapTextModelWithProjection`, in evaluation mode.

    Raises:
        HiveError: If the folder holds something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        config = _read_config(folder / CONFIG)
        with safe_open(folder / WEIGHTS, framework="pt", device="cpu") as file:
            names = [name for name in file.keys() if name.startswith(f"{tower}_")]  # noqa: SIM118
            state = {name: file.get_tensor(name) for name in names}
        if tower == "audio":
            model = build("ClapAudioModelWithProjection", config.audio_config)
        else:
            model = build("ClapTextModelWithProjection", config.text_config)
        model.load_state_dict(state, strict=True, assign=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise HiveError(
            f"{folder}: is no converted CLAP ({' '.join(lines[:2])[:300]})",
            f"remove {folder} and fetch the checkpoint again",
        ) from error
    return model.eval().requires_grad_(requires_grad=False)


def load_tokenizer(tokenizer: Path, folder: Path, remedy: str) -> Any:
    """Load RoBERTa's tokenizer from its `vocab.json` and `merges.txt`.

    Args:
        tokenizer: Folder with its files.
        folder: Folder with the model's `config.json`.
        remedy: What to tell the user whose files are others.

    Returns:
        `RobertaTokenizerFast`.

    Raises:
        HiveError: If the files cannot be read, or do not fit the model's vocabulary.
    """
    from transformers import RobertaTokenizerFast

    try:
        factory: Any = RobertaTokenizerFast
        loaded = factory(
            vocab_file=str(tokenizer / VOCABULARY), merges_file=str(tokenizer / MERGES)
        )
        size = _read_config(folder / CONFIG).text_config.vocab_size
    except Exception as error:  # what a damaged file raises is the tokenizer library's affair
        raise HiveError(f"{tokenizer}: holds no tokenizer ({error!r:.200})", remedy) from error
    special = (loaded.bos_token_id, loaded.pad_token_id, loaded.eos_token_id)
    if special != (_BEGIN, _PAD, _END) or len(loaded) > size:
        raise HiveError(
            f"{tokenizer / VOCABULARY}: is not the tokenizer of this model: {len(loaded)} tokens, "
            f"the model has {size}; <s>, <pad>, </s> are {special}, not {(_BEGIN, _PAD, _END)}",
            remedy,
        )
    return loaded


def check_tokenizer(tokenizer: Path, folder: Path, remedy: str) -> None:
    """Raise a `HiveError` if the tokenizer does not fit the model; see `load_tokenizer`."""
    load_tokenizer(tokenizer, folder, remedy)


def _try_audio(model: Any) -> torch.Tensor:
    noise = torch.randn(1, 1, 1001, MELS, generator=torch.Generator().manual_seed(0))
    vector: torch.Tensor = model(10.0 * noise - 40.0).audio_embeds
    return vector


def _try_text(model: Any) -> torch.Tensor:
    vector: torch.Tensor = model(torch.tensor([[_BEGIN, _END]])).text_embeds
    return vector


def _read_config(path: Path) -> ClapConfig:
    from transformers import ClapConfig

    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    parts = {key: content[key] for key in ("text_config", "audio_config", "projection_dim")}
    config: ClapConfig = ClapConfig.from_dict(parts)
    return config


@contextmanager
def _about(source: Path, remedy: str) -> Iterator[None]:
    """Name the file in what is found to be wrong with its content."""
    try:
        yield
    except HiveError as error:
        raise HiveError(f"{source}: {error.problem}", error.remedy or remedy) from error
    except (IndexError, ValueError, RuntimeError) as error:
        raise HiveError(f"{source}: has tensors of unexpected shapes ({error})", remedy) from error
