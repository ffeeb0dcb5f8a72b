"""Weights that a network begins its training with, besides those drawn at random."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from baselines.model import SeparationModel
from hive.errors import HiveError

CLAP = "clap"
FROZEN = "frozen:"


def start(model: SeparationModel, source: str) -> None:
    """Give a network weights of another one.

    Args:
        model: The network; it is changed.
        source: "clap", for the audio encoder of the CLAP that the query encoder names, which
            ClearSep adapts; or what `load_pretrained` takes, for a network of the same sizes; with
            "frozen:" before it, for the parts of that network that are not trained, such as
            FlowSep's autoencoder and vocoder.

    Raises:
        HiveError: If the checkpoint is not here, or is of another network.
    """
    tensors = _clap(model) if source == CLAP else _network(source.removeprefix(FROZEN))
    if source.startswith(FROZEN):
        trained = {key for key, value in model.named_parameters() if value.requires_grad}
        tensors = {key: value for key, value in tensors.items() if key not in trained}
    own = {key: value.shape for key, value in model.state_dict().items()}
    if wrong := sorted(key for key, value in tensors.items() if own.get(key) != value.shape):
        raise HiveError(
            f"model.start: {source} is of other sizes than the network: {wrong[0]} does not fit",
            "take the network's own preset and sizes, or leave model.start out",
        )
    model.load_state_dict(tensors, strict=False)


def _network(source: str) -> dict[str, Tensor]:
    from baselines.pretrained import load_pretrained

    return load_pretrained(Path(source) if Path(source).is_dir() else source).state_dict()


def _clap(model: SeparationModel) -> dict[str, Tensor]:
    """Return the audio encoder of the CLAP that a network asks with."""
    from safetensors.torch import load_file

    from baselines.clearsep.keys import from_transformers
    from hive.checkpoints import store

    name = model.encoder.config().get("checkpoint")
    if model.name != "clearsep" or name is None:
        raise HiveError(
            f"model.start: {model.name} with {model.encoder.kind} queries has no part of a CLAP",
            "leave model.start out",
        )
    status = store.inspect(name)
    if status.state != "ready":
        raise HiveError(
            f"model.start: checkpoint {name}: {status.problem or 'it is not here'}",
            store.remedy(name),
        )
    found = from_transformers(load_file(status.folder / status.weights))
    encoder = {key: value for key, value in found.items() if key.startswith("htsat.")}
    # All that is not learned here: frozen weights, and the statistics of the normalisation.
    adapted = {key for key, value in model.named_parameters() if value.requires_grad}
    needed = {key for key in model.state_dict() if key.startswith("htsat.")} - adapted
    if missing := sorted(needed - encoder.keys() - {"htsat.bn0.num_batches_tracked"}):
        raise HiveError(
            f"model.start: checkpoint {name} lacks {missing[0]}", "take clap-music-audioset"
        )
    return encoder
