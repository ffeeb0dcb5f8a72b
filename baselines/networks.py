"""The networks of this repository as models of the benchmark and of `hive-bench separate`.

A network is called on windows of the length that it was trained with. One that declares how much
of a window to discard (`context_seconds`: AudioSep's 1 + 3 + 1 s) gets windows that overlap by
twice that; others (ClearSep, whose attention reaches over the whole window) get windows that
overlap by a tenth and are cross-faded. Sound of up to one window is separated whole.

This module is imported to list the models: torch is imported by what is called only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from baselines.adapter import Adapter
from baselines.facts import Facts, Weights
from baselines.locations import RUN_MODEL
from baselines.windows import Windows
from hive.errors import HiveError
from hive.separator import Query

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from baselines.model import SeparationModel

PRECISIONS = ("fp32", "bf16")
POSTERIORS = ("sample", "mode")
_FADE = 0.1  # of a window


class NetworkSeparator(Adapter):
    """A network and its query encoder.

    Args:
        model: The network, in evaluation mode.
        name: Name in results.
        weights: Where its weights come from.
        device: Torch device.
        precision: "fp32", or "bf16" for automatic mixed precision.
        compile: Whether to compile the network; worth it for many windows.
        batch_size: Most windows in one call.
        window: Length of a window in seconds, for networks that take others than the one they were
            trained with; None for that.
        emulate_negatives: Whether what the network finds for negative queries is taken out of the
            mixture before it is asked for the positive one, in place of telling it.
        steps: Steps in which a generative network draws an estimate; None for its own.
        posterior: What it takes of the distribution of what it hears, "sample" or "mode"; None for
            its own.

    Raises:
        HiveError: If an option has a wrong value, or is not one of this network.
    """

    def __init__(
        self,
        model: SeparationModel,
        *,
        name: str,
        weights: Weights | None = None,
        device: str = "cpu",
        precision: str = "fp32",
        compile: bool = False,
        batch_size: int = 4,
        window: float | None = None,
        emulate_negatives: bool = False,
        steps: int | None = None,
        posterior: str | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise HiveError(
                f"model {name}: precision {precision!r} is not known",
                f"choose from {', '.join(PRECISIONS)}",
            )
        self._sampling = _sampling(model, name, steps, posterior)
        if model.generative and emulate_negatives:
            raise HiveError(
                f"model {name}: what it makes up cannot be taken out of a mixture",
                "leave emulate_negatives out",
            )
        negatives = "native" if model.takes_negatives else "refused"
        facts = Facts(
            name=name,
            native_rate=model.sample_rate,
            windows=_windows(model, name, window),
            negatives="emulated" if emulate_negatives else negatives,  # type: ignore[arg-type]
            deterministic=not model.generative,
            is_waveform_aligned=not model.generative,
            level=model.level,
            removes_dc=model.removes_dc,
            weights=weights,
        )
        super().__init__(facts, device=device, windows_at_once=batch_size)
        self._model = self.network = model.to(device)
        self._precision = precision
        self._separate: Callable[..., Tensor] = model
        if compile and model.generative:
            model.compile()
        elif compile:
            import torch

            self._separate = torch.compile(model)
        self.details.update(
            architecture=model.name,
            config=model.config.model_dump(mode="json", exclude={"encoder"}),
            encoder=model.encoder.config(),
            precision=precision,
            compiled=compile,
            **self._sampling,
        )

    def meaning(self, text: str) -> str:
        """Return what the query encoder takes a text for."""
        return self._model.encoder.meaning(text)

    def call(
        self, windows: Tensor, queries: Sequence[Query], generators: Sequence[Generator]
    ) -> Tensor:
        """Separate windows, shape (N, L)."""
        model, device = self._model, windows.device
        positive = model.encoder.prepare([(query.text,) if query.text else () for query in queries])
        negative = model.encoder.prepare([query.negatives for query in queries])
        condition = model.condition(
            model.encoder(positive.to(device)), model.encoder(negative.to(device))
        )
        with self._autocast(device.type):
            if model.generative:
                return model.generate(windows, condition, generators, **self._sampling)
            return self._separate(windows, condition)

    def _autocast(self, kind: str) -> contextlib.AbstractContextManager[Any]:
        import torch

        if self._precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(kind, dtype=torch.bfloat16)


def _windows(model: SeparationModel, name: str, seconds: float | None) -> Windows:
    """Return the windows of a network: kept centres, or cross-faded."""
    context = model.context_seconds
    length = model.window_seconds if seconds is None else seconds
    if context is None and length > model.window_seconds:
        raise HiveError(
            f"model {name}: it takes windows of {model.window_seconds:g} s, not {length:g} s",
            "give a shorter window, or none",
        )
    try:
        if context is None:
            fade = model.fade_seconds or _FADE * length
            return Windows(length, fade=min(fade, length / 4))
        return Windows(length, context=context)
    except ValueError as error:
        raise HiveError(
            f"model {name}: windows of {length:g} s leave nothing to keep", "give a longer window"
        ) from error


def _sampling(
    model: SeparationModel, name: str, steps: int | None, posterior: str | None
) -> dict[str, Any]:
    """Return how a generative network draws estimates; nothing for others."""
    if not model.generative:
        if steps is not None or posterior is not None:
            raise HiveError(
                f"model {name}: it draws nothing, so steps and posterior mean nothing to it",
                "leave them out",
            )
        return {}
    if steps is not None and steps < 1:
        raise HiveError(f"model {name}: {steps} steps", "give a number above 0")
    if posterior not in (None, *POSTERIORS):
        raise HiveError(
            f"model {name}: posterior {posterior!r} is not known",
            f"choose from {', '.join(POSTERIORS)}",
        )
    return {
        "steps": model.config.steps if steps is None else steps,
        "posterior": posterior or model.config.posterior,
    }


class SavedNetwork(NetworkSeparator):
    """A network of a folder, of the hub, or trained here: `trained:FOLDER`.

    Args:
        source: Folder of a saved network or of a run of `hive-bench train`, or OWNER/NAME on the
            hub.
        device: Torch device.
        precision: See `NetworkSeparator`; so are the six below.
        compile: Likewise.
        batch_size: Likewise.
        window: Likewise.
        emulate_negatives: Likewise.
        steps: Likewise.
        posterior: Likewise.

    Raises:
        HiveError: If the network is not there or cannot be loaded.
    """

    def __init__(
        self,
        source: str,
        *,
        device: str = "cpu",
        precision: str = "fp32",
        compile: bool = False,
        batch_size: int = 4,
        window: float | None = None,
        emulate_negatives: bool = False,
        steps: int | None = None,
        posterior: str | None = None,
    ) -> None:
        from baselines.locations import locate
        from baselines.pretrained import load_folder

        folder = locate(source)
        model = load_folder(folder, device=device)
        for missing in _lacking(model.encoder.config()):
            raise missing
        if self._architecture not in ("", model.name):
            raise HiveError(
                f"model {self._name}: {folder} holds the architecture {model.name}, not "
                f"{self._architecture}",
                f"use --model trained:{source}",
            )
        if callable(merge := getattr(model, "merge", None)):
            merge()  # what was adapted becomes plain weights: the same function, faster
        super().__init__(
            model,
            name=self._name or _called(source),
            weights=_weights(source, folder),
            device=device,
            precision=precision,
            compile=compile,
            batch_size=batch_size,
            window=window,
            emulate_negatives=emulate_negatives,
            steps=steps,
            posterior=posterior,
        )

    _name: ClassVar[str] = ""
    _architecture: ClassVar[str] = ""


class _Named(SavedNetwork):
    """A network that is registered by name; with `weights`, its architecture with other ones."""

    sample_rate = 32000
    generative = False
    takes_negatives = False

    def __init__(
        self,
        *,
        weights: str = "",
        device: str = "cpu",
        precision: str = "fp32",
        compile: bool = False,
        batch_size: int = 4,
        window: float | None = None,
        emulate_negatives: bool = False,
    ) -> None:
        for missing in self.missing(weights):
            raise missing
        super().__init__(
            weights or self._name,
            device=device,
            precision=precision,
            compile=compile,
            batch_size=batch_size,
            window=window,
            emulate_negatives=emulate_negatives,
        )

    @classmethod
    def missing(cls, weights: str = "") -> list[HiveError]:
        """Return what stands in the way: nothing where `weights` are given."""
        from baselines.locations import locate
        from baselines.storage import read_description

        if weights:
            return []
        try:
            return _lacking(read_description(locate(cls._name)).encoder)
        except HiveError as error:
            return [error]


class _Shipped(_Named):
    """A network that is part of this package."""

    @classmethod
    def missing(cls, weights: str = "") -> list[HiveError]:
        """Return that the package is not whole, if so."""
        from baselines.locations import shipped

        if weights or cls._name in shipped():
            return []
        return [HiveError("its weights are not in this installation", "install hive-bench again")]


class AudioSepMini(_Shipped):
    """AudioSep at 32 kHz, small and trained here, for the 283 classes; part of the package."""

    _name, _architecture = "audiosep-mini", "audiosep"


class ClearSepMini(_Shipped):
    """ClearSep at 32 kHz, small and trained here, for the 283 classes; part of the package."""

    _name, _architecture = "clearsep-mini", "clearsep"
    takes_negatives = True


class AudioSep(_Named):
    """AudioSep as its authors published it, 4 million steps: ResUNet30, text queries by CLAP."""

    _name, _architecture = "audiosep", "audiosep"


class AudioSepHive(_Named):
    """AudioSep as the authors of Hive trained it on Hive."""

    _name, _architecture = "audiosep-hive", "audiosep"


class ClapSep(_Named):
    """CLAPSep as its authors published it: HTSAT with LoRA, positive and negative queries."""

    _name, _architecture = "clapsep", "clearsep"
    takes_negatives = True


class ClearSep(_Named):
    """ClearSep with weights of your own: CLAPSep's network, trained as ClearSep's paper says."""

    _name, _architecture = "clearsep", "clearsep"
    takes_negatives = True

    @classmethod
    def missing(cls, weights: str = "") -> list[HiveError]:
        """Return that weights are to be given, because none are published."""
        if weights:
            return []
        return [
            HiveError(
                "no weights of ClearSep are published",
                "give --option weights=FOLDER or OWNER/NAME, train it, or use clapsep",
            )
        ]


def _lacking(encoder: dict[str, Any]) -> list[HiveError]:
    """Return what a query encoder needs and this machine has not."""
    from hive.embedding.registry import describe

    if encoder.get("kind") != "clap":
        return []
    try:
        info = describe(encoder["checkpoint"])
    except HiveError as error:
        return [error]
    if info.reason or info.text_reason:
        return [HiveError(info.reason or info.text_reason, info.remedy or info.text_remedy)]
    return []


def _called(source: str) -> str:
    """Return what results call a network: its name, OWNER/NAME, or its folder, if that tells."""
    folder = Path(source).expanduser()
    if not folder.exists():
        return source
    folder = folder.resolve()
    return folder.parent.name if folder.name == RUN_MODEL else folder.name


def _weights(source: str, folder: Path) -> Weights:
    """Return where the weights of a folder come from, as far as the files beside them say."""
    from baselines.storage import CARD, WEIGHTS
    from hive.checkpoints import catalogue, store
    from hive.files import sha256_file

    digest = sha256_file(folder / WEIGHTS)
    if folder.parent == store.root() and (folder / store.MANIFEST).is_file():
        origin = store.inspect(folder.name).manifest.get("source", {})
        if origin.get("published"):
            licence = catalogue.find(folder.name).licence
            return Weights(origin["repo"], origin["file"], origin["revision"], digest, licence)
    # The hub's client keeps a commit in a folder of its name.
    revision = folder.name if folder.parent.name == "snapshots" else None
    return Weights(source, WEIGHTS, revision, digest, _licence(folder / CARD))


def _licence(card: Path) -> str | None:
    """Return the licence that a model card states."""
    import yaml

    try:
        _, head, _ = card.read_text(encoding="utf-8").split("---\n", 2)
        stated = str(yaml.safe_load(head)["license"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return None
    return None if stated == "unknown" else stated
