"""Published checkpoints become folders that `load_pretrained` opens; see `baselines.published`.

The networks' own packages know the published files (`baselines.audiosep.convert`,
`baselines.clearsep.convert`): every tensor is taken or left out for a reason, and the reasons are
kept beside the weights in `conversion.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.architectures import architecture
from baselines.pretrained import describe, load_folder
from baselines.storage import WEIGHTS, write_description, write_weights
from hive.checkpoints import store
from hive.errors import HiveError
from hive.files import write_json

if TYPE_CHECKING:
    from baselines.model import SeparationModel

REPORT = "conversion.json"
_SECONDS = 0.3


@dataclass(frozen=True)
class NetworkConverter:
    """A `hive.checkpoints.install.Converter` of one architecture.

    Attributes:
        name: Name of the architecture.
        module: Module whose `convert` reads a published file.
        adapts: Checkpoint whose weights the published ones belong to, and which `convert` takes as
            `clap`; None if they are complete.
        REVISION: Number of this conversion; it grows when the same source gives other files.
    """

    name: str
    module: str
    adapts: str | None = None
    REVISION: int = 1

    def convert(self, source: Path, folder: Path, remedy: str) -> str:
        """Write `model.safetensors`, `config.json` and `conversion.json` of a published file.

        Args:
            source: The published file.
            folder: Where to write.
            remedy: What to tell the user whose file is something else.

        Returns:
            Name of the architecture, with the number of its weights.

        Raises:
            HiveError: If the file is not there, is cut off, holds code, or is not exactly what was
                published of this architecture; if the checkpoint that it adapts is not here.
        """
        read: Any = import_module(self.module).convert
        config, state, report = read(source, **self._origin())
        model: SeparationModel = architecture(self.name).model_class(config)
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            raise HiveError(f"{source}: does not fit the network ({error})", remedy) from error
        write_weights(folder, model.state_dict(), "float32", ())
        write_json(folder / REPORT, {"kept": report.kept, "dropped": dict(report.dropped)})
        write_description(folder, describe(model))
        weights = sum(each.numel() for each in model.parameters())
        return f"{architecture(self.name).title}, {weights:,} parameters"

    def check(self, folder: Path) -> list[str]:
        """Load the network and separate a moment of noise, without any text.

        Returns:
            What is wrong; nothing if all is well.
        """
        import torch

        try:
            model = load_folder(folder)
        except HiveError as error:
            return [error.problem]
        drawn = torch.Generator().manual_seed(0)
        samples = round(_SECONDS * model.sample_rate)
        mixture = 0.1 * torch.randn(1, samples, generator=drawn)
        query = torch.nn.functional.normalize(torch.randn(1, model.encoder.dim, generator=drawn))
        with torch.inference_mode():
            estimate = model(mixture, model.condition(query, torch.zeros_like(query)))
        if not bool(estimate.isfinite().all()) or not float(estimate.abs().max()) > 0.0:
            return [f"{folder / WEIGHTS}: gives no sound"]
        return []

    def _origin(self) -> dict[str, Path]:
        if self.adapts is None:
            return {}
        status = store.inspect(self.adapts)
        if status.state != "ready":
            raise HiveError(
                f"these weights adapt checkpoint {self.adapts}, which is {status.state}",
                f"{store.remedy(self.adapts)}, then run the same command again",
            )
        return {"clap": status.folder}


AUDIOSEP = NetworkConverter("audiosep", "baselines.audiosep.convert")
CLEARSEP = NetworkConverter("clearsep", "baselines.clearsep.convert", "clap-music-audioset")
FLOWSEP = NetworkConverter("flowsep", "baselines.flowsep.convert")
