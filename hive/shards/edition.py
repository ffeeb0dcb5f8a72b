"""In which form a dataset is described: as the folder that it is, or as a repository on the hub."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from hive.shards.facts import DatasetFacts

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Edition:
    """A form of a dataset.

    Attributes:
        repo: OWNER/NAME on the hub; empty for the folder itself.
        revision: Branch that the addresses of files name.
        splits: Splits whose shards are there; None for all. The tables are there in any case.
        endpoint: Address of the hub.
    """

    repo: str = ""
    revision: str = "main"
    splits: tuple[str, ...] | None = None
    endpoint: str = HUB

    def shown(self, facts: DatasetFacts) -> list[str]:
        """Return the splits whose shards are there, in order."""
        return [name for name in facts.splits if self.splits is None or name in self.splits]

    @property
    def page(self) -> str:
        """Address of the repository's page; empty for a folder."""
        return f"{self.endpoint}/datasets/{self.repo}" if self.repo else ""

    def address(self, name: str) -> str:
        """Return where a file is: an address on the hub, or its path in the folder."""
        if not self.repo:
            return name
        return f"{self.page}/resolve/{quote(self.revision, safe='')}/{quote(name)}"

    def has(self, name: str) -> bool:
        """Return whether a file of the dataset belongs to this form."""
        if self.splits is None or not name.startswith("data/"):
            return True
        return name.rpartition("/")[2].partition("-")[0] in self.splits
