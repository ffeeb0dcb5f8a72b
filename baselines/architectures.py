"""The networks of this repository by name. To add one, add a line to `ARCHITECTURES`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from hive.checkpoints.catalogue import suggestion
from hive.errors import HiveError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from baselines.model import SeparationModel


@dataclass(frozen=True)
class Architecture:
    """A network and its configuration.

    Attributes:
        name: What configurations, files and the command line call it.
        title: What people call it, which is also the name of its class.
        config_module: Module with the class of its configuration, `<title>Config`, of pydantic.
        model_module: Module with the class of the network, which is built from the configuration.
    """

    name: str
    title: str
    config_module: str
    model_module: str

    @property
    def config_class(self) -> type[BaseModel]:
        """The configuration's class, imported when it is asked for."""
        found: type[BaseModel] = getattr(import_module(self.config_module), f"{self.title}Config")
        return found

    @property
    def model_class(self) -> type[SeparationModel]:
        """The network's class, imported when it is asked for."""
        found: type[SeparationModel] = getattr(import_module(self.model_module), self.title)
        return found


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture("audiosep", "AudioSep", "baselines.audiosep.config", "baselines.audiosep.model"),
    Architecture("clearsep", "ClearSep", "baselines.clearsep.config", "baselines.clearsep.model"),
    Architecture("flowsep", "FlowSep", "baselines.flowsep.config", "baselines.flowsep.model"),
)


def names() -> tuple[str, ...]:
    """Return the names of all architectures."""
    return tuple(each.name for each in ARCHITECTURES)


def architecture(name: str) -> Architecture:
    """Return the architecture of that name.

    Raises:
        HiveError: If there is none, naming those that are near.
    """
    for each in ARCHITECTURES:
        if each.name == name:
            return each
    raise HiveError(f"architecture {name!r} is not known", suggestion(name, names()))
