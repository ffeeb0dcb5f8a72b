"""Running a model on audio of any rate: resampling, seeds, devices and exact length, in one place.

The only resampler is soxr HQ (`hive.audio.resample`), the same for every model; references are
never resampled for scoring. A model's output is put at the length of its input at the model's own
rate, which counts as a fault (`length_fixed`), and brought back to the caller's rate; the rounding
of two resamplings is then cut or padded, which does not.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hive.audio import Float, fit, resample
from hive.errors import HiveError
from hive.models import AnySeparator
from hive.separator import Query

if TYPE_CHECKING:
    from torch import Tensor

LENGTH_POLICY = "output cut or zero-padded at its end to the length of the input; counted"


@dataclass(frozen=True)
class Item:
    """What a model may know of an item besides its sound and its query.

    Attributes:
        mix_id: Identity of the mixture.
        source_id: Which source is asked for, "s1" and so on.
        seed: Seed of this item, 0 to 2^63 - 1.
        sample_rate: Rate of the data set in Hz.
        notes: Facts for the record that the model adds ("resampled").
    """

    mix_id: str
    source_id: str
    seed: int
    sample_rate: int
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """One item to separate: mono mixture (T,), query, identity, and the true source for oracles."""

    mixture: Float
    query: Query
    item: Item
    reference: Float | None = None


@dataclass(frozen=True)
class Estimate:
    """A separated source, shape (T,) like the mixture.

    Attributes:
        samples: Float32 samples at the rate of the mixture.
        seconds: Time the model took, its share of the batch.
        flags: "length_fixed" and what the model noted.
    """

    samples: Float
    seconds: float
    flags: tuple[str, ...]


def item_seed(run_seed: int, mix_id: str, query: str) -> int:
    """Return the seed of an item, the same whatever the batch, the order or the worker."""
    text = "\x1f".join((str(run_seed), mix_id, query))
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def resolve_device(name: str) -> str:
    """Return a torch device for "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        HiveError: If the device does not exist here.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = name.partition(":")
    if kind == "cpu" and not number:
        return name
    if kind != "cuda" or (number and not number.isdigit()):
        raise HiveError(f"--device {name}: no such device", "use auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count()
    if int(number or 0) >= count:
        raise HiveError(
            f"--device {name}: this machine has {count} CUDA devices", "use --device cpu or auto"
        )
    return name


def batch_limit(model: AnySeparator, batch_size: int) -> int:
    """Return how many items to give to a model at once.

    One for a model whose random draws would depend on the rest of the batch.
    """
    limit = getattr(model, "max_batch", None) or batch_size
    return 1 if not _deterministic(model) and not _takes_items(model) else min(limit, batch_size)


@contextlib.contextmanager
def reproducible() -> Iterator[None]:
    """Switch TensorFloat-32 and the search for convolution algorithms off, and gradients, too."""
    import torch

    backends: list[tuple[Any, str, bool]] = [
        (torch.backends.cuda.matmul, "allow_tf32", False),
        (torch.backends.cudnn, "allow_tf32", False),
        (torch.backends.cudnn, "benchmark", False),
        (torch.backends.cudnn, "deterministic", True),
    ]
    before = [getattr(owner, name) for owner, name, _ in backends]
    try:
        for owner, name, value in backends:
            setattr(owner, name, value)
        with torch.no_grad():
            yield
    finally:
        for (owner, name, _), value in zip(backends, before, strict=True):
            setattr(owner, name, value)


def separate(
    model: AnySeparator, requests: Sequence[Request], sample_rate: int, device: str = "cpu"
) -> list[Estimate]:
    """Separate one batch.

    Args:
        model: The model, on `device`.
        requests: Items; all mixtures have the same length.
        sample_rate: Rate of the mixtures and references, Hz.
        device: Torch device that the batch is put on.

    Returns:
        One estimate an item, each as long as its mixture.

    Raises:
        ValueError: If the output has not one row an item, or holds NaN or infinity.
        Exception: Whatever the model raises.
    """
    import torch

    rate = model.sample_rate or sample_rate
    mixtures = _batch([each.mixture for each in requests], sample_rate, rate, device)
    keywords: dict[str, Any] = {}
    if getattr(model, "uses_reference", False):
        references = [each.reference for each in requests if each.reference is not None]
        keywords["references"] = _batch(references, sample_rate, rate, device)
    if _takes_items(model):
        keywords["items"] = [each.item for each in requests]
    queries = [each.query for each in requests]
    cuda = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=[each.index or 0 for each in cuda]):
        torch.manual_seed(requests[0].item.seed)
        started = time.perf_counter()
        output = model.separate(mixtures, queries, **keywords)
        for each in cuda:
            torch.cuda.synchronize(each)
        seconds = (time.perf_counter() - started) / len(requests)
    return _estimates(output, requests, mixtures.shape[-1], rate, sample_rate, seconds)


def _estimates(
    output: Tensor,
    requests: Sequence[Request],
    length: int,
    rate: int,
    sample_rate: int,
    seconds: float,
) -> list[Estimate]:
    if output.ndim != 2 or output.shape[0] != len(requests):
        raise ValueError(
            f"separate returned shape {tuple(output.shape)}, not ({len(requests)}, {length})"
        )
    samples = output.detach().to("cpu").float().numpy()
    if not np.isfinite(samples).all():
        raise ValueError("the estimate holds NaN or infinity")
    flags = ("length_fixed",) if samples.shape[1] != length else ()
    estimates = []
    for row, request in zip(samples, requests, strict=True):
        restored = resample(fit(row, length), rate, sample_rate)
        fitted = np.ascontiguousarray(fit(restored, len(request.mixture)))
        estimates.append(Estimate(fitted, seconds, (*flags, *request.item.notes)))
    return estimates


def _batch(signals: Sequence[Float], source_rate: int, rate: int, device: str) -> Tensor:
    import torch

    # The queries of one mixture share its samples: resample each array once.
    unique = {id(signal): signal for signal in signals}
    ready = {key: resample(signal, source_rate, rate) for key, signal in unique.items()}
    rows = np.stack([ready[id(signal)] for signal in signals]).astype(np.float32, copy=False)
    return torch.from_numpy(rows).to(device)


def _deterministic(model: AnySeparator) -> bool:
    return bool(getattr(model, "deterministic", not model.generative))


def _takes_items(model: AnySeparator) -> bool:
    return "items" in inspect.signature(model.separate).parameters
