"""What is only Ray's: joining a cluster, and machines that differ."""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any

import pytest

from hive._version import __version__
from hive.errors import HiveError
from hive.execution.attempt import Failure, Success
from hive.execution.on_ray import _do, _Sender
from hive.execution.ray_cluster import connect


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that is connected to no cluster."""
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(HiveError, match="Ray is not installed") as caught:
        connect(None, 2)
    assert caught.value.remedy == "pip install 'hive-bench[ray]'"


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "ray://127.0.0.1:1", "no.such.host.invalid:6379"]
)
def test_a_cluster_that_is_not_there(apart: None, address: str) -> None:
    with pytest.raises(HiveError, match=f"no Ray cluster at {address}: ") as caught:
        connect(address, None)
    assert "ray status" in caught.value.remedy


def test_the_address_of_the_environment(apart: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(HiveError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        connect(None, 2)


def test_a_cluster_that_asks_for_a_token(apart: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        try:
            raise RuntimeError("RPC error: InvalidAuthToken: Authentication token is missing")
        except RuntimeError as error:
            raise ConnectionError("Failed to connect to Ray cluster at h:1") from error

    monkeypatch.setattr("hive.execution.ray_cluster._init", refuse)
    with pytest.raises(HiveError, match="the Ray cluster at h:1 asks for a token") as caught:
        connect("h:1", None)
    assert "RAY_AUTH_MODE=token" in caught.value.remedy


def on_a_node(function: Any, task: Any, sender: _Sender) -> Any:
    return _do(pickle.dumps((function, task)), sender, 1, None)


def test_machines_with_other_versions_are_named() -> None:
    end = on_a_node(int, "5", _Sender("0.0.1", "here"))
    assert isinstance(end, Failure)
    assert f"has hive-bench {__version__}, not 0.0.1" in end.error.problem


def test_a_failure_on_another_machine_says_where() -> None:
    assert on_a_node(int, "5", _Sender(__version__, "elsewhere")) == Success(5, 0)
    end = on_a_node(os.stat, "/no/such/folder", _Sender(__version__, "elsewhere"))
    assert isinstance(end, Failure)
    assert "No such file or directory: '/no/such/folder'" in end.error.problem
    assert "which must see the same folders: shared storage" in end.error.remedy
    assert not end.passing
