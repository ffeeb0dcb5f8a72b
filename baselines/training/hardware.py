"""What a run was made on and with, for its record."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hive._version import __version__
from hive.cores import cores

_PACKAGES = ("torch", "lightning", "numpy", "transformers", "safetensors", "soxr", "soundfile")


def hardware() -> dict[str, Any]:
    """Return processor, cores, threads and GPUs."""
    import torch

    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "gpus": gpus,
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, this package and what it computes with."""
    import torch

    found = {"python": platform.python_version(), "hive-bench": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | {"torch": torch.__version__}  # with the kind of build, such as +cu130


def peak_memory_bytes() -> dict[str, int]:
    """Return the most memory that was taken, of this process and of its GPU."""
    import resource

    import torch

    found = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.max_memory_allocated()
    return found


def _processor() -> str:
    """Return the processor's name, where the system tells it."""
    file = Path("/proc/cpuinfo")
    if os.name == "posix" and file.is_file():
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
