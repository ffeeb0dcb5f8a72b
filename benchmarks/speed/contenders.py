"""Both sides of the comparison: the published networks restated, and ours, with equal weights.

What a side does in a step:

reference
    Encodes the query of each item with CLAP's text tower, AudioSep 512 tokens a text, CLAPSep 77;
    the restated network (`reference_audiosep`, `reference_clearsep`); torch's AdamW.
ours
    `SeparationTask`, as `hive-bench train` runs it: vectors of queries are remembered, the network
    in the precision asked for, compiled or not. Lightning's own loop is left out on both sides.

Loss, optimiser and clipping are those of the recipe, the same for both.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from baselines.architectures import architecture
from baselines.data.examples import Examples
from baselines.model import SeparationModel
from benchmarks.speed.texttower import RememberingEncoder, TextTower

TOKENS = {"audiosep": 512, "clearsep": 77}  # of the published code
_OUR_TOKENS = 77
_RECIPES = {"audiosep": "audiosep-original", "clearsep": "clearsep"}
#: What a mini is here: its sizes in the published design, which alone is restated.
_PUBLISHED_DESIGN: dict[str, dict[str, Any]] = {
    "audiosep": {"bands": None, "compression": "none", "phase_bias": 0.0},
    "clearsep": {
        "compression": "none",
        "lora": "fused",
        "mask_bands": None,
        "mask_query": False,
        "normalise_query": "none",
        "rank": 4,
    },
}
BATCHES = {"audiosep": 12, "clearsep": 16}  # of a GPU in the published code
#: Seconds of a mixture in training.
WINDOWS = {
    "published": {"audiosep": 5.0, "clearsep": 10.0},
    "mini": {"audiosep": 5.0, "clearsep": 4.0},
}


@dataclass(frozen=True)
class Mode:
    """How a side computes.

    Attributes:
        side: "reference" or "ours".
        precision: "fp32", or "bf16" for automatic mixed precision.
        compiled: Whether the network is compiled.
        cached: Whether vectors of queries are remembered; ours always does.
    """

    side: str
    precision: str = "fp32"
    compiled: bool = False
    cached: bool = True

    @property
    def name(self) -> str:
        """What tables call it."""
        parts = [self.side, self.precision]
        parts += ["compiled"] if self.compiled else []
        parts += ["queries remembered"] if self.side == "reference" and self.cached else []
        return ", ".join(parts)


REFERENCE = Mode("reference", cached=False)


@dataclass(frozen=True)
class Setup:
    """What is compared.

    Attributes:
        architecture: "audiosep" or "clearsep".
        preset: "published", or "mini" for the sizes of the minis in the published design.
        device: Torch device.
        batch: Mixtures a step.
        seconds: Their length.
    """

    architecture: str
    preset: str
    device: str
    batch: int
    seconds: float

    @property
    def config(self) -> Any:
        """Return the configuration of our network; it does what the restated one does."""
        kind: Any = architecture(self.architecture).config_class
        preset = getattr(kind, self.preset)().model_dump()
        design = _PUBLISHED_DESIGN[self.architecture] if self.preset == "mini" else {}
        changes = {"window_seconds": self.seconds, "encoder": {"kind": "clap"}}
        if self.architecture == "clearsep":
            changes["drop_path"] = 0.0  # drawn at random, so curves could not be compared
        return kind.model_validate(preset | design | changes)

    @property
    def takes_negatives(self) -> bool:
        """Return whether the network is told what to drop."""
        return bool(architecture(self.architecture).model_class.takes_negatives)

    def training(self) -> list[Mode]:
        """Return how the reference computes in training, the one to compare with first."""
        modes = [REFERENCE, dataclasses.replace(REFERENCE, cached=True)]
        if self.architecture == "clearsep":  # CLAPSep's code trains like this
            modes.append(Mode("reference", "bf16", cached=False))
        return modes


class Contender(Protocol):
    """A side in one mode, with weights and optimiser of its own."""

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        ...

    def remember(self, texts: Sequence[str]) -> None:
        """Encode texts that steps will ask for, where vectors are remembered."""
        ...

    def step(self, batch: Examples) -> Tensor:
        """Make a training step; return the loss before it, on the device."""
        ...


def make_reference(setup: Setup, dim: int, seed: int = 0) -> nn.Module:
    """Return the restated network, on the CPU; `dim` is the size of a query's vector."""
    config = setup.config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if setup.architecture == "audiosep":
            from benchmarks.speed.reference_audiosep import ReferenceAudioSep

            return ReferenceAudioSep(config.channels, config.n_fft, config.hop, dim)
        from baselines.clearsep.frontend import mel_filters
        from benchmarks.speed.reference_clearsep import ReferenceClearSep, Sizes

        names = {field.name for field in dataclasses.fields(Sizes)} & type(
            config
        ).model_fields.keys()
        sizes = Sizes(**{name: getattr(config, name) for name in names}, query_dim=2 * dim)
        return ReferenceClearSep(sizes, mel_filters(config))


def make_ours(
    setup: Setup, encoder: RememberingEncoder, reference: nn.Module | None
) -> SeparationModel:
    """Return our network, on the CPU, with the weights of the restated one, or drawn ones."""
    config = setup.config
    model: SeparationModel = architecture(setup.architecture).model_class(config, encoder=encoder)
    if reference is None:
        return model
    if setup.architecture == "audiosep":
        from baselines.audiosep import convert as audiosep

        state, _ = audiosep.translate(Path("restated"), reference.state_dict(), config, encoder.dim)
    else:
        from baselines.clearsep import convert as clearsep

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "restated.pt"
            torch.save(reference.state_dict(), file)
            state, _ = clearsep.translate(file, None, config, 2 * encoder.dim)
    model.load_state_dict(state)
    return model


def make(
    setup: Setup, mode: Mode, tower: TextTower, reference: nn.Module | None = None
) -> Contender:
    """Return a contender, ready to train on the device.

    Args:
        setup: What is compared.
        mode: How it computes.
        tower: Text tower.
        reference: Restated network with the weights to begin with, which is not changed; None to
            draw them.
    """
    if mode.side == "ours":
        encoder = RememberingEncoder(tower, _OUR_TOKENS)
        return _Ours(setup, mode, make_ours(setup, encoder, reference))
    network = make_reference(setup, tower.dim)
    if reference is not None:
        network.load_state_dict(reference.state_dict())
    return _Reference(setup, mode, network, tower)


class _Ours:
    def __init__(self, setup: Setup, mode: Mode, network: SeparationModel) -> None:
        from baselines.training.losses import make_loss
        from baselines.training.task import SeparationTask

        recipe = training_recipe(setup)
        self.network = network
        self._mode, self._device = mode, setup.device
        if mode.compiled:
            network.compile()
        clip = recipe.trainer.clip
        task = SeparationTask(network, make_loss(recipe.loss), recipe.optimiser, clip)
        self._task = task.to(setup.device).train()
        self._optimiser = task.configure_optimizers()

    def remember(self, texts: Sequence[str]) -> None:
        self.network.encoder.prepare([(text,) for text in texts])

    def step(self, batch: Examples) -> Tensor:
        """Do what Lightning does with the task, in its order."""
        task, optimiser = self._task, self._optimiser
        prepared = type(found := task.on_before_batch_transfer(batch, 0))(
            *(tensor.to(self._device, non_blocking=True) for tensor in found)
        )
        with autocast(self._device, self._mode.precision):
            loss = task.training_step(prepared, 0)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        task.on_after_backward()
        task.configure_gradient_clipping(optimiser)
        optimiser.step()
        return loss.detach()


class _Reference:
    def __init__(self, setup: Setup, mode: Mode, network: nn.Module, tower: TextTower) -> None:
        from baselines.training.losses import make_loss

        recipe = training_recipe(setup)
        self.network = network.to(setup.device).train()
        if setup.architecture == "clearsep":
            network.get_submodule("audio_branch").eval()  # a pretrained one stays as it is
        self._mode, self._device = mode, setup.device
        self._tokens = TOKENS[setup.architecture]
        self._negatives = setup.takes_negatives
        self._tower = tower
        self._known: dict[str, Tensor] = {}
        self._loss, self._clip = make_loss(recipe.loss), recipe.trainer.clip
        settings = recipe.optimiser
        self._optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=settings.lr,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            amsgrad=settings.amsgrad,
        )

    def remember(self, texts: Sequence[str]) -> None:
        if self._mode.cached:
            self._encode(texts)

    def step(self, batch: Examples) -> Tensor:
        mixture = batch.mixture.to(self._device, non_blocking=True)
        target = batch.target.to(self._device, non_blocking=True)
        condition = self._encode([query[0] for query in batch.positive])
        if self._negatives:
            negative = self._encode([query[0] for query in batch.negative])
            condition = torch.cat((condition, negative), dim=-1)
        with autocast(self._device, self._mode.precision):
            estimate = self.network(mixture, condition)
        loss = self._loss(estimate, target, mixture).loss
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self._clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self._clip)
        self._optimiser.step()
        return loss.detach()

    def _encode(self, texts: Sequence[str]) -> Tensor:
        if not self._mode.cached:
            return self._tower(texts, self._tokens)
        for text in texts:
            if text not in self._known:
                self._known[text] = self._tower([text], _OUR_TOKENS)[0]
        return torch.stack([self._known[text] for text in texts])


def training_recipe(setup: Setup) -> Any:
    """Return the shipped configuration whose loss, optimiser and clipping both sides use."""
    from baselines.training.config import load_config

    return load_config(_RECIPES[setup.architecture])


def autocast(device: str, precision: str) -> Any:
    """Return the context that a forward pass runs in."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


@contextmanager
def backend(mode: Mode) -> Iterator[None]:
    """Set what torch does on a GPU as each side's trainer has it, and put it back.

    Our trainer lets cuDNN try its algorithms and, in mixed precision, products of float32 matrices
    use tensor cores; the published ones leave both as torch has them.
    """
    before = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()
    ours = mode.side == "ours"
    torch.backends.cudnn.benchmark = ours
    mixed = ours and mode.precision != "fp32"
    torch.set_float32_matmul_precision("high" if mixed else "highest")
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before[0]
        torch.set_float32_matmul_precision(before[1])


def synchronise(device: str) -> None:
    """Wait until the device has done what it was given."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
