"""The machines that a run was made on, for the record."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def this_machine(device: str) -> dict[str, Any]:
    """Return the fields of `MachineRecord` for this process.

    Args:
        device: Torch device of the model.
    """
    import torch

    gpu = torch.cuda.get_device_name(torch.device(device)) if device.startswith("cuda") else None
    return {
        "platform": platform.platform(),
        "cpu": _cpu() or platform.machine(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
    }


def together(machines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Describe several machines as one: names that differ are listed, the most threads are taken.

    Args:
        machines: One or more records.
    """
    found = list(machines)

    def names(field: str) -> str | None:
        return "; ".join(dict.fromkeys(one[field] for one in found if one[field])) or None

    return {
        "platform": names("platform"),
        "cpu": names("cpu"),
        "threads": max(one["threads"] for one in found),
        "gpu": names("gpu"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
