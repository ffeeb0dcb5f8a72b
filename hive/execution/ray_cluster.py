"""Joining a Ray cluster, or starting one on this machine."""

from __future__ import annotations

import os
import socket
from typing import Any

from hive.cores import cores
from hive.errors import HiveError

_OBJECTS = 128 << 20  # bytes; what tasks get and return is small
_PATIENCE = 10.0


#: What `connect` was asked for when it connected; None while it has not.
_connected: tuple[str | None, int | None] | None = None


def connect(address: str | None, workers: int | None) -> Any:
    """Join the cluster at an address (or at `$RAY_ADDRESS`), or start one here.

    A process that is connected to a cluster already uses that one. One that is started here serves
    all further calls and ends with the process.

    Args:
        address: Its address, `host:port`, `ray://host:port` or `auto`; None starts a cluster
            unless `$RAY_ADDRESS` names one.
        workers: Cores of a cluster that is started; None for all.

    Returns:
        The module `ray`.

    Raises:
        HiveError: If Ray is not installed, or the cluster cannot be joined or started.
    """
    global _connected
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise HiveError(
            f"--engine ray: Ray is not installed ({error})", "pip install 'hive-bench[ray]'"
        ) from error
    address = address or os.environ.get("RAY_ADDRESS") or None
    asked = (address, None if address else workers)
    if ray.is_initialized() and _connected in (None, asked):
        return ray
    disconnect(ray)
    try:
        _init(ray, *asked)
    # Ray raises errors of many kinds for one that cannot be reached, or of another version.
    except (OSError, RuntimeError, ValueError, ImportError, ray.exceptions.RayError) as error:
        raise _unconnected(address, error) from error
    _connected = asked
    return ray


def _unconnected(address: str | None, error: Exception) -> HiveError:
    reason = (str(error).strip() or repr(error)).splitlines()[0]
    if address is None:
        return HiveError(
            f"no Ray cluster can be started here: {reason}",
            "see what `ray start --head` says on this machine",
        )
    if "authentication" in f"{error} {error.__cause__}".lower():
        return HiveError(
            f"the Ray cluster at {address} asks for a token",
            "set RAY_AUTH_MODE=token, with the cluster's token in ~/.ray/auth_token or where "
            "RAY_AUTH_TOKEN_PATH says",
        )
    return HiveError(
        f"no Ray cluster at {address}: {reason}",
        "see that the cluster runs (`ray status`), that this machine is one of its nodes or the "
        "address begins with ray://, and that Ray and Python have the same versions there",
    )


def disconnect(ray: Any) -> None:
    """Leave the cluster that `connect` joined, or end the one that it started."""
    global _connected
    if _connected is not None:
        _connected = None
        ray.shutdown()


def _init(ray: Any, address: str | None, workers: int | None) -> None:
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        ray.init(
            address="local",
            num_cpus=cores() if workers is None else workers,
            include_dashboard=False,
            object_store_memory=_OBJECTS,
            **quiet,
        )
    else:
        _knock(address)
        ray.init(address=address, **quiet)


def _knock(address: str) -> None:
    """See that somebody listens: Ray would wait for minutes, or end the process.

    Raises:
        OSError: If nobody does.
    """
    host, _, port = address.rpartition("://")[2].partition("/")[0].rpartition(":")
    if host and port.isdigit():
        with socket.create_connection((host.strip("[]"), int(port)), _PATIENCE):
            pass
