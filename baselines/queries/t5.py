"""Query states by the encoder of a T5, frozen: one vector for each token of a text.

FlowSep attends to the states of FLAN-T5-large. A text is encoded once, by itself, so its states do
not depend on what else is asked; they are kept in memory. The encoder stays on the CPU, outside of
the state dict and the count of parameters, and only its safetensors are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baselines.queries.encoder import Query, QueryEncoder
from hive.errors import HiveError


class T5TextEncoder(QueryEncoder):
    """States of a T5's encoder; nothing is learned.

    The weights are needed when the first text comes, so networks can be built, counted and
    converted without them. A query without a text is the empty text; one of several texts is these
    texts, each once and in alphabetical order, with commas and "and".

    Args:
        checkpoint: OWNER/NAME on the Hugging Face hub, or a folder that holds the model as
            safetensors and its tokenizer.
        revision: Commit on the hub; None for the newest.
        tokens: Most tokens of a text; what is beyond is cut off.
        dim: Size of a state, E.

    Raises:
        HiveError: If an argument has a wrong value.
    """

    kind = "t5"

    def __init__(
        self,
        checkpoint: str = "google/flan-t5-large",
        revision: str | None = None,
        tokens: int = 50,
        dim: int = 1024,
    ) -> None:
        super().__init__()
        for name, value in (("tokens", tokens), ("dim", dim)):
            if type(value) is not int or value < 1:
                raise HiveError(
                    f"query encoder t5: {name} is {value!r}", "give a whole number above 0"
                )
        if not isinstance(checkpoint, str) or not checkpoint:
            raise HiveError(
                f"query encoder t5: checkpoint is {checkpoint!r}",
                "give OWNER/NAME on the hub, such as google/flan-t5-large, or a folder",
            )
        self.checkpoint = checkpoint
        self.revision = revision
        self.tokens = tokens
        self.dim = dim
        self._known: dict[str, Tensor] = {}

    def prepare(self, queries: Sequence[Query]) -> Tensor:
        """Encode queries.

        Args:
            queries: B tuples of texts; an empty tuple is the empty text.

        Returns:
            States, float32, shape (B, L, E + 1) with L the most tokens that a text can have. The
            last value of a token is 1; rows beyond the text are zeros.

        Raises:
            HiveError: If the encoder is not here and cannot be fetched, or is of another size.
        """
        rows = torch.zeros(len(queries), self.tokens, self.dim + 1, device="cpu")
        for row, query in zip(rows, queries, strict=True):
            states = self._states(_sentence(query))
            row[: len(states), :-1] = states
            row[: len(states), -1] = 1.0
        return rows

    def forward(self, prepared: Tensor) -> Tensor:
        """Return what `prepare` made, shape (B, L, E + 1)."""
        return prepared

    def config(self) -> dict[str, Any]:
        """Return the options."""
        return {
            "kind": self.kind,
            "checkpoint": self.checkpoint,
            "revision": self.revision,
            "tokens": self.tokens,
            "dim": self.dim,
        }

    def _states(self, text: str) -> Tensor:
        """Return the states of a text, shape (tokens, E)."""
        if text not in self._known:
            # Inference mode would leave tensors that training cannot use afterwards.
            with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
                self._known[text] = self._encode(text)
        return self._known[text]

    def _encode(self, text: str) -> Tensor:
        tokenizer, model = _load(self.checkpoint, self.revision)
        if model.config.d_model != self.dim:
            raise HiveError(
                f"query encoder t5: the states of {self.checkpoint} have "
                f"{model.config.d_model} values, {self.dim} are configured",
                "correct checkpoint or dim in the encoder's configuration",
            )
        ids = tokenizer(text, max_length=self.tokens, truncation=True, return_tensors="pt")
        states: Tensor = model(input_ids=ids["input_ids"]).last_hidden_state[0]
        return states


def _sentence(query: Query) -> str:
    """Return the text of a query."""
    texts = sorted({text.strip() for text in query} - {""})
    return " and ".join(part for part in (", ".join(texts[:-1]), *texts[-1:]) if part)


@lru_cache(maxsize=1)
def _load(checkpoint: str, revision: str | None) -> tuple[Any, Any]:
    """Return tokenizer and encoder of a T5, in evaluation mode."""
    from transformers import AutoTokenizer, T5EncoderModel

    from hive.checkpoints.install import hub_answers

    local = Path(checkpoint).expanduser()
    is_folder = local.is_dir()
    place: str | Path = local if is_folder else checkpoint
    options: dict[str, Any] = {"local_files_only": is_folder or not hub_answers()}
    if not is_folder:
        options["revision"] = revision
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, **options)  # type: ignore[no-untyped-call]
        model = T5EncoderModel.from_pretrained(place, use_safetensors=True, **options)
    except Exception as error:  # those of transformers, of the hub's client and of its transport
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise HiveError(
            f"query encoder t5: {checkpoint} cannot be loaded ({reason[:200]})",
            "put model.safetensors, config.json and the files of the tokenizer into the folder"
            if is_folder
            else f"connect, or fetch it where there is a connection (hf download {checkpoint} "
            "--exclude '*.bin' '*.h5' '*.msgpack' --local-dir FOLDER) and set checkpoint of the "
            "query encoder to that folder",
        ) from error
    return tokenizer, model.requires_grad_(False).eval()
