"""The record of a run, and the folder of the trained network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baselines.cards.facts import CardFacts, DataFacts, Result, TrainingFacts
from baselines.model import SeparationModel
from baselines.training import checkpoints
from baselines.training.folder import CONFIG, MODEL, RECORD
from baselines.training.hardware import hardware, peak_memory_bytes, versions
from baselines.training.logs import STEPS
from baselines.training.scores import NAMES
from baselines.training.sections import TrainingConfig
from baselines.training.state import RunState
from hive.errors import HiveError
from hive.files import sha256_json, write_json


def write_record(
    folder: Path,
    config: TrainingConfig,
    data: dict[str, Any],
    state: RunState,
    *,
    finished: bool,
) -> None:
    """Write `training.json`.

    Args:
        folder: The run's folder.
        config: The run.
        data: What its data depend on.
        state: How far it has come.
        finished: Whether it has come to its end.
    """
    record = {
        "name": config.name,
        "seed": config.trainer.seed,
        "finished": finished,
        "steps": state.step,
        "mixtures": state.mixtures,
        "hours": round(state.seconds / 3600, 4),
        "mixtures_per_second": round(state.mixtures / state.seconds, 2) if state.seconds else 0.0,
        "best_step": state.best_step,
        "history": state.history,
        "hardware": hardware(),
        "memory_bytes": peak_memory_bytes(),
        "versions": versions(),
        "data": data,
        "data_fingerprint": sha256_json(data),
        "config": config.model_dump(mode="json"),
    }
    write_json(folder / RECORD, record)


def export(
    model: SeparationModel,
    folder: Path,
    config: TrainingConfig,
    data: dict[str, Any],
    source: str,
    state: RunState,
) -> Path:
    """Save the network with its best weights, its card and its record; return the folder.

    Raises:
        HiveError: If there are none, since nothing was validated yet.
    """
    if not (folder / checkpoints.BEST).is_file():
        raise HiveError(
            f"{folder}: the run has come to step {state.step} and was never validated",
            f"train on, with trainer.max_steps={state.step + 1} or more",
        )
    best = checkpoints.load(folder / checkpoints.BEST)
    model.load_state_dict(best["weights"])
    target = folder / MODEL
    files = [folder / CONFIG, folder / RECORD, folder / STEPS]
    model.cpu().eval().save_pretrained(
        target,
        facts=card(config, data, source, state),
        extra_files=[file for file in files if file.is_file()],
    )
    return target


def card(config: TrainingConfig, data: dict[str, Any], source: str, state: RunState) -> CardFacts:
    """Return what the model card says of a run."""
    scores = best_scores(state)
    results = tuple(
        Result(data="validation mixtures of the run", group=group, metric=name, value=value)
        for group, name, value in table(scores)
    )
    facts = training_facts(config, data, source, state)
    return CardFacts(name=config.name, training=facts, results=results)


def training_facts(
    config: TrainingConfig, data: dict[str, Any], source: str, state: RunState
) -> TrainingFacts:
    """Return what the model card says of the training of a run."""
    machine = hardware()
    gpus = machine["gpus"] if config.trainer.accelerator != "cpu" else []
    used = gpus[0] if gpus else machine["processor"]
    count = config.trainer.devices * config.trainer.num_nodes
    return TrainingFacts(
        data=(DataFacts(name=source, fingerprint=sha256_json(data)),),
        validation=f"The step with the highest mean SI-SDR improvement on {_validation(config)}.",
        recipe=_recipe(config),
        seed=config.trainer.seed,
        steps=state.step,
        examples=state.mixtures,
        hardware=f"{count} x {used}" if count > 1 else used,
        seconds=state.seconds,
    )


def table(scores: Mapping[str, float]) -> list[tuple[str, str, float]]:
    """Return number of sources (empty for all), metric and value of each mean of a validation."""
    rows = []
    for key, value in scores.items():
        name = next((one for one in NAMES if key.startswith(one)), None)
        if name is not None:
            size = key.removeprefix(name).removeprefix("_").removesuffix("mix")
            rows.append((f"{size} sources" if size else "", name, value))
    return rows


def best_scores(state: RunState) -> Mapping[str, float]:
    """Return the scores of the weights that were kept."""
    return next((one for one in state.history if one["step"] == state.best_step), {})


def _validation(config: TrainingConfig) -> str:
    told = config.data.validation
    sizes = ", ".join(map(str, told.sizes))
    return f"{told.mixtures} mixtures each of {sizes} sources of the split {told.split}"


def _recipe(config: TrainingConfig) -> dict[str, str | int | float | bool]:
    settings = config.trainer
    ranks = settings.devices * settings.num_nodes
    return {
        "loss": config.loss.kind,
        "optimiser": "AdamW",
        "learning rate": config.optimiser.lr,
        "weight decay": config.optimiser.weight_decay,
        "schedule": config.schedule.kind,
        "batch size": config.data.batch_size * settings.accumulate * ranks,
        "seconds": config.data.seconds,
        "precision": settings.precision,
        "average of weights": settings.ema_decay or False,
    }
