"""Using a model on a recording of one's own."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from hive.audio import read
from hive.errors import HiveError
from hive.files import write_bytes
from hive.inference import (
    Item,
    Request,
    batch_limit,
    item_seed,
    reproducible,
    resolve_device,
)
from hive.inference import separate as run_model
from hive.models import load
from hive.separator import Query

_SUBTYPES = {".wav": ("WAV", "FLOAT"), ".flac": ("FLAC", "PCM_24")}


def separate_file(
    source: Path,
    target: Path,
    query: str,
    *,
    model: str,
    negatives: tuple[str, ...] = (),
    options: dict[str, str] | None = None,
    device: str = "auto",
    seed: int = 0,
) -> int:
    """Separate a file, channel by channel, into a file of equal rate, channels and length.

    Args:
        source: Audio file.
        target: File to write: WAV (32-bit float) or FLAC (24-bit), by its suffix.
        query: The sound to keep.
        model: Specification of the model.
        negatives: Sounds to drop.
        options: Options of the model.
        device: Torch device, or "auto".
        seed: Seed of models that draw random numbers.

    Returns:
        Number of samples beyond full scale, which FLAC cannot hold and which were clipped; 0 for
        WAV.

    Raises:
        HiveError: If the input cannot be read, the suffix is another, the model needs the true
            source or takes no negatives, or it fails.
    """
    import soundfile

    if target.suffix.lower() not in _SUBTYPES:
        raise HiveError(f"{target}: cannot write this kind of file", "name it .wav or .flac")
    if not query.strip():
        raise HiveError("the query is empty", "name the sound to keep")
    samples, rate = read(source)
    if not len(samples):
        raise HiveError(f"{source}: holds no samples", "give a recording")
    place = resolve_device(device)
    separator = load(model, device=place, options=options)
    try:
        if getattr(separator, "uses_reference", False):
            raise HiveError(
                f"model {model} needs the true source, which only a benchmark has",
                "choose a model that is no oracle, see hive-bench models",
            )
        if negatives and not getattr(separator, "takes_negatives", False):
            raise HiveError(f"model {model} takes no negative queries", "leave out --without")
        # One seed for all channels, so that a model that draws keeps the stereo image.
        item = Item(source.stem, "s1", item_seed(seed, source.stem, query), rate)
        requests = [
            Request(np.ascontiguousarray(channel), Query(query, negatives), item)
            for channel in samples.T
        ]
        size = batch_limit(separator, len(requests))
        with reproducible():
            estimates = [
                estimate
                for start in range(0, len(requests), size)
                for estimate in run_model(separator, requests[start : start + size], rate, place)
            ]
    except (ValueError, RuntimeError) as error:
        raise HiveError(
            f"model {model} failed on {source}: {error}", "try a shorter file or another device"
        ) from error
    finally:
        if hasattr(separator, "close"):
            separator.close()
    result = np.stack([estimate.samples for estimate in estimates], axis=1)
    container, subtype = _SUBTYPES[target.suffix.lower()]
    buffer = io.BytesIO()
    soundfile.write(buffer, result, rate, format=container, subtype=subtype)
    write_bytes(target, buffer.getvalue())
    return int(np.count_nonzero(np.abs(result) > 1.0)) if container == "FLAC" else 0
