"""A model in another process: the example worker, and workers that misbehave."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from baselines.adapters.process import ProcessSeparator
from hive.errors import HiveError
from hive.inference import Item, Request, separate
from hive.models import load
from hive.separator import Query

WORKER = Path(__file__).with_name("worker.py")


def _command(mode: str = "halve") -> str:
    return shlex.join([sys.executable, str(WORKER), mode])


@pytest.fixture
def model() -> Iterator[ProcessSeparator]:
    separator = ProcessSeparator(_command(), timeout=20)
    yield separator
    separator.close()


def _ask(
    model: ProcessSeparator, query: str, negatives: tuple[str, ...] = (), seed: int = 7
) -> torch.Tensor:
    mixtures = torch.linspace(-0.5, 0.5, 1000)[None]
    return model.separate(mixtures, [Query(query, negatives)], [Item("m", "s1", seed, 16000)])


def test_a_worker_separates_at_its_rate_without_loss(model: ProcessSeparator) -> None:
    assert (model.name, model.sample_rate, model.generative) == ("halver", 16000, False)
    assert model.takes_negatives is True
    assert model.details == {"device": "cpu"}
    assert torch.equal(_ask(model, "Dog"), 0.5 * torch.linspace(-0.5, 0.5, 1000)[None])


def test_query_negatives_and_seed_reach_the_worker(model: ProcessSeparator) -> None:
    assert _ask(model, "seed", seed=123)[0, 0] == pytest.approx(0.123)
    assert _ask(model, "negatives", ("Cat", "Rain"))[0, 0] == 2.0


def test_through_the_registry_and_the_runner_at_another_rate() -> None:
    model = load(f"process:{_command()}", options={"timeout": "20"})
    tone = np.sin(2 * np.pi * 440 * np.arange(44100) / 44100).astype(np.float32)
    try:
        (estimate,) = separate(model, [Request(tone, Query("x"), Item("m", "s1", 0, 44100))], 44100)
    finally:
        model.close()  # type: ignore[union-attr]
    assert estimate.samples.shape == tone.shape
    assert np.abs(estimate.samples[2000:-2000] - 0.5 * tone[2000:-2000]).max() < 1e-3


def test_rate_zero_means_the_rate_of_the_data() -> None:
    model = ProcessSeparator(_command("any-rate"), timeout=20)
    try:
        assert model.sample_rate == 0
        assert _ask(model, "Dog").shape == (1, 1000)
    finally:
        model.close()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("refuse", "unknown sound"),
        ("crash", "exit status 3; the end of its messages:\nthe card is on fire"),
        ("chatter", "'Loading weights...\\n' on its standard output is no JSON object"),
        ("wrong-id", "was answered by"),
        ("no-ok", "not true or false"),
        ("no-file", "wrote no file"),
        ("wrong-rate", "1 channels at 8000 Hz, not 1 at 16000 Hz"),
    ],
)
def test_a_fault_costs_one_item(model: ProcessSeparator, query: str, told: str) -> None:
    with pytest.raises(HiveError) as caught:
        _ask(model, query)
    assert told in str(caught.value)
    assert _ask(model, "Dog").abs().max() == pytest.approx(0.25)


def test_a_worker_that_hangs_is_stopped() -> None:
    model = ProcessSeparator(_command(), timeout=1.0)
    try:
        with pytest.raises(HiveError, match="no reply within 1 s"):
            _ask(model, "hang")
        assert _ask(model, "Dog").shape == (1, 1000)
    finally:
        model.close()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            _command("no-hello"),
            "exit status 1; the end of its messages:\ncannot find the checkpoint",
        ),
        (_command("slow-hello"), "no reply within 1 s"),
        (_command("bad-rate"), "field sample_rate of its hello is 'fast'"),
        (_command("old"), "protocol 0"),
        (_command("judge"), "its task is 'judge', not 'separate'"),
        ("/no/such/program", "cannot be started"),
        ("program 'unclosed", "No closing quotation"),
    ],
)
def test_a_worker_that_does_not_start(command: str, told: str) -> None:
    limit = 1.0 if "slow" in command else 20.0
    with pytest.raises(HiveError) as caught:
        ProcessSeparator(command, start_timeout=limit)
    assert told in str(caught.value)


def test_close_ends_the_worker_and_removes_its_files(model: ProcessSeparator) -> None:
    _ask(model, "Dog")
    process, folder = model._worker._program.process, model._worker.folder  # type: ignore[union-attr]
    assert folder.is_dir()
    model.close()
    assert process.poll() == 0
    assert not folder.exists()


def test_the_text_of_a_command_is_never_run_by_a_shell(tmp_path: Path) -> None:
    with pytest.raises(HiveError):
        ProcessSeparator(f"true; touch {tmp_path / 'made'}", start_timeout=5)
    assert not (tmp_path / "made").exists()


def test_the_worker_in_the_documentation_works(tmp_path: Path) -> None:
    document = Path(__file__).parents[2] / "docs" / "process-protocol.md"
    (tmp_path / "worker.py").write_text(document.read_text().split("```python")[1].split("```")[0])
    command = shlex.join([sys.executable, str(tmp_path / "worker.py")])
    model = ProcessSeparator(command, timeout=20)
    try:
        assert (model.name, model.sample_rate, model.takes_negatives) == ("half", 32000, False)
        assert _ask(model, "Dog").abs().max() == pytest.approx(0.25)
    finally:
        model.close()
