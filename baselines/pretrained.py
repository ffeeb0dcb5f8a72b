"""Saving, loading and publishing networks: the folder format of `baselines.storage`, and the hub.

    model.save_pretrained("dog-separator")
    model = AudioSep.from_pretrained("dog-separator")   # or OWNER/NAME on the hub
    model = load_pretrained("audiosep")                 # any architecture, also published ones
    model.push_to_hub("OWNER/NAME")

Built on `huggingface_hub.PyTorchModelHubMixin`, whose loader is replaced: that one also opens
pickles, takes weights that do not fit, and leaves out keys that it does not know.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from huggingface_hub import PyTorchModelHubMixin

from baselines.architectures import architecture
from baselines.locations import Download, locate
from baselines.storage import (
    CARD,
    CONFIG,
    FORMAT,
    WEIGHTS,
    Description,
    Storage,
    parse,
    read_description,
    read_weights,
    write_description,
    write_weights,
)
from hive._version import __version__
from hive.errors import HiveError
from hive.files import explained, write_bytes, write_text

if TYPE_CHECKING:
    from huggingface_hub import ModelCard

    from baselines.cards.facts import CardFacts
    from baselines.model import SeparationModel

_Self = TypeVar("_Self", bound="Pretrained")
OWN_FILES = (CONFIG, WEIGHTS, CARD)


class Pretrained(PyTorchModelHubMixin, library_name="hive-bench", pipeline_tag="audio-to-audio"):
    """Gives a `SeparationModel` its `from_pretrained`, `save_pretrained` and `push_to_hub`."""

    @classmethod
    def from_pretrained(  # type: ignore[override]  # proxies and arguments of __init__ are refused
        cls: type[_Self],
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        device: str = "cpu",
    ) -> _Self:
        """Load a network of this class; see `load_pretrained` for arguments and errors.

        Raises:
            HiveError: Also if the network is of another architecture.
        """
        download = Download(revision, cache_dir, force_download, local_files_only, token)
        folder = locate(pretrained_model_name_or_path, download)
        found = read_description(folder).architecture
        wanted = getattr(cls, "name", found)
        if found != wanted:
            raise HiveError(
                f"{folder / CONFIG}: field architecture: this is {found!r}, not {wanted!r}",
                f"use {architecture(found).title}.from_pretrained, or load_pretrained for any",
            )
        return cast(_Self, load_folder(folder, device=device))

    def save_pretrained(  # type: ignore[override]  # the configuration is the network's own
        self,
        save_directory: str | Path,
        *,
        facts: CardFacts | None = None,
        extra_files: Iterable[Path | str] = (),
        storage: Storage = "float32",
    ) -> None:
        """Write the network into a folder; the same network gives the same bytes.

        Args:
            save_directory: The folder; it is made. Files of an earlier network are replaced.
            facts: What the model card says of training, results and licence. Without them a card
                that is there stays, and a new one says that nothing is stated.
            extra_files: Files to put beside, such as the training log and the attributions.
            storage: Type of the weight matrices in the file. `bfloat16` and `float16` halve it;
                vectors, running statistics and all that is computed stay in float32.

        Raises:
            HiveError: If the folder cannot be written, a weight is not finite or beyond the range
                of the type, or an extra file is missing or has the name of another.
        """
        folder, extras = Path(save_directory), _named(extra_files)
        model = cast("SeparationModel", self)
        description = describe(model, storage)
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # Without it the folder is no network, whatever stops us before the end.
            (folder / CONFIG).unlink(missing_ok=True)
        matrices = {name for name, each in model.named_parameters() if each.ndim > 1}
        write_weights(folder, model.state_dict(), storage, matrices)
        for name, file in extras.items():
            write_bytes(folder / name, file.read_bytes())
        if facts is not None or not (folder / CARD).exists():
            write_text(folder / CARD, str(self.generate_model_card(facts)))
        write_description(folder, description)

    def push_to_hub(  # type: ignore[override]
        self,
        repo_id: str,
        *,
        facts: CardFacts | None = None,
        extra_files: Iterable[Path | str] = (),
        storage: Storage = "float32",
        commit_message: str = "Network saved by hive-bench",
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool = False,
    ) -> str:
        """Save the network and put it into a model repository on the hub; one commit.

        Args:
            repo_id: OWNER/NAME; it is made where it is missing.
            facts: See `save_pretrained`; so are the two below.
            extra_files: Files to put beside.
            storage: Type of the weight matrices.
            commit_message: What the commit is called.
            private: Whether a new repository is private; None for the owner's default.
            token: Token of the hub; None for the one that `hf auth login` keeps.
            branch: Branch; None for `main`.
            create_pr: Whether to offer it as a pull request.

        Returns:
            Address of the commit.

        Raises:
            HiveError: If the hub does not take it, with the remedy.
        """
        from baselines.publication import push_folder

        with tempfile.TemporaryDirectory(prefix="hive-push-") as folder:
            self.save_pretrained(folder, facts=facts, extra_files=extra_files, storage=storage)
            return push_folder(
                Path(folder),
                repo_id,
                commit_message=commit_message,
                private=private,
                token=token,
                branch=branch,
                create_pr=create_pr,
            )

    def generate_model_card(self, facts: CardFacts | None = None) -> ModelCard:
        """Return the model card of this network."""
        from huggingface_hub import ModelCard

        from baselines.cards import card_text, network_facts

        return ModelCard(card_text(network_facts(cast("SeparationModel", self)), facts))


def load_pretrained(
    source: str | Path,
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
    token: str | bool | None = None,
    device: str = "cpu",
) -> SeparationModel:
    """Load a network of any architecture, in evaluation mode and float32.

    Args:
        source: A folder; the name of a network that is shipped with this package or fetched by
            `hive-bench checkpoints`; or OWNER/NAME on the hub.
        revision: Branch, tag or commit of the repository on the hub.
        cache_dir: Where the hub's files are kept.
        force_download: Whether to fetch what is there already.
        local_files_only: Whether to ask nothing of the hub.
        token: Token of the hub.
        device: Torch device.

    Raises:
        HiveError: If it is not found or cannot be fetched; if `config.json` has an unknown
            architecture or key or a wrong value; or if `model.safetensors` is cut off, a pickle, or
            has other tensors than the network (`TensorMismatchError` lists them).
    """
    download = Download(revision, cache_dir, force_download, local_files_only, token)
    return load_folder(locate(source, download), device=device)


def load_folder(folder: Path, *, device: str = "cpu") -> SeparationModel:
    """Load the network of a folder; see `load_pretrained`."""
    description = read_description(folder)
    file = folder / CONFIG
    with _about(file):
        kind = architecture(description.architecture)
    content = {**description.config, "encoder": description.encoder}
    config = parse(kind.config_class, content, str(file), "config.")
    model = _build(kind.model_class, config, file)
    model.load_state_dict(read_weights(folder, model.state_dict()))
    return model.to(device).eval()


def describe(model: SeparationModel, storage: Storage = "float32") -> Description:
    """Return what `config.json` says of a network."""
    config: Any = model.config
    return Description(
        format=FORMAT,
        architecture=model.name,
        config=config.model_dump(mode="json", exclude={"encoder"}),
        encoder=model.encoder.config(),
        storage=storage,
        package_version=__version__,
    )


def _build(kind: type[SeparationModel], config: Any, file: Path) -> SeparationModel:
    import torch

    factory: Any = kind
    with torch.random.fork_rng(devices=[]), _about(file):  # initial weights are thrown away
        try:
            model: SeparationModel = factory(config)
        except (RuntimeError, MemoryError, ValueError, TypeError) as error:
            raise HiveError(f"no network can be built from it ({error})", "mend it") from error
    return model


def _named(files: Iterable[Path | str]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for file in map(Path, files):
        if not file.is_file():
            raise HiveError(f"{file}: there is no such file", "leave it out of extra_files")
        if file.name in (*OWN_FILES, *named):
            raise HiveError(
                f"{file}: its name is that of another file of the folder", "rename the file"
            )
        named[file.name] = file
    return named


class _about:  # noqa: N801 - used as a function, in a `with` statement
    """Puts a file's name before what is found to be wrong."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, HiveError):
            raise HiveError(f"{self._file}: {error.problem}", error.remedy) from error
