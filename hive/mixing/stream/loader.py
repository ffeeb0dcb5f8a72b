"""A loader that knows its place: what has been consumed, not what workers have made ahead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from hive.claims import describe, differences
from hive.errors import HiveError
from hive.mixing.stream.dataset import MixtureStream

_VERSION = 1
_LAST_EPOCH = 2**31


class StreamLoader:
    """Iterates over the epochs of a stream, one after another, with state for resuming in between.

    The state is the place in the epoch that all ranks have reached together, so the same state is
    right for every rank, and a run may be resumed with another number of ranks or workers: what
    remains of the epoch is the same samples. Between two passes the epoch goes on by one; a pass
    that was left before its end begins again, unless a state was loaded.

    `len`, `state_dict`, `load_state_dict`, `set_epoch` (also as `sampler.set_epoch`) are what
    Lightning looks for.

    Args:
        stream: The stream.
        num_workers: Worker processes; 0 makes the batches in this process.
        **options: Further options of `torch.utils.data.DataLoader`, such as `pin_memory`,
            `prefetch_factor`, `persistent_workers`, `multiprocessing_context`.

    Raises:
        HiveError: If an option would change the order of the batches.
    """

    def __init__(self, stream: MixtureStream, num_workers: int = 0, **options: Any) -> None:
        if not options.get("in_order", True):
            raise HiveError("in_order=False loses the place in an epoch", "leave it out")
        self.stream = stream
        self._loader: DataLoader[Any] = DataLoader(
            stream, batch_size=None, num_workers=num_workers, **options
        )
        self._epoch = 0
        self._place = 0
        self._begin = 0  # where the next pass begins

    def __len__(self) -> int:
        """Batches of this rank in a whole epoch."""
        return len(self.stream)

    @property
    def epoch(self) -> int:
        """Number of the epoch that is being read, or comes next."""
        return self._epoch

    @property
    def sampler(self) -> StreamLoader:
        """This loader, as that of which a training loop sets the epoch."""
        return self

    def __iter__(self) -> Iterator[Any]:
        epoch, begin, self._begin = self._epoch, self._begin, 0
        self._place = begin
        self.stream.seek(epoch, begin)
        for number, batch in enumerate(self._loader, 1):
            # Whatever was set meanwhile: this is the batch that is handed out now.
            self._epoch, self._place = epoch, self.stream.division.after(begin, number)
            yield batch
        self._epoch, self._place = epoch + 1, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; the one that a loaded state is in goes on at its place."""
        if epoch != self._epoch:
            self._epoch, self._place, self._begin = epoch, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the place behind the last batch that was handed out, as JSON values."""
        epoch, place = self._epoch, self._place
        if self.stream.division.ends(place):
            epoch, place = epoch + 1, 0
        return {
            "version": _VERSION,
            "stream": self.stream.identity(),
            "epoch": epoch,
            "place": place,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at the place of a state; the next pass is what remains of its epoch.

        Raises:
            HiveError: If the state is that of another stream (other mixtures, seed, order or batch
                size), or is none.
        """
        try:
            version, told = state["version"], dict(state["stream"])
            epoch, place = int(state["epoch"]), int(state["place"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise HiveError(
                f"this is no state of a stream ({error!r})", "load what state_dict() gave"
            ) from error
        if version != _VERSION:
            raise HiveError(f"the state has version {version}, not {_VERSION}", "begin anew")
        if changed := differences(told, self.stream.identity()):
            raise HiveError(
                f"the state is that of another stream:\n{describe(changed)}",
                "make the stream as it was, or begin anew",
            )
        if not (0 <= epoch <= _LAST_EPOCH and 0 <= place <= self.stream.division.total):
            raise HiveError(
                f"the state is at sample {place} of epoch {epoch}", "load what state_dict() gave"
            )
        self._epoch, self._place, self._begin = epoch, place, place
