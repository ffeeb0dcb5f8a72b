"""From batches of mixtures with all their sources to examples: what loader processes do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.data.augment import Augmenter, Source
from baselines.data.config import DataConfig, ValidationConfig
from baselines.data.examples import Examples
from baselines.data.ontology import Vocabulary
from baselines.data.pairs import pair
from baselines.data.questions import Question, ask_absent, ask_one, ask_own, draw_question
from hive import audio
from hive.mixing.render import PEAK
from hive.mixing.stream.dataset import Batch
from hive.seeding import Stream

Float = NDArray[np.float32]
#: Share of a recording's energy below which a track is not heard: -30 dB.
_HEARD = 1e-3


class Assembler:
    """Makes examples of a batch; the base of what trains and what validates.

    Args:
        seconds: Length of an example.
        source_rate: Rate of the mixtures, Hz.
        sample_rate: Rate of the examples, Hz.
        vocabulary: Classes of the data.
        seed: Seed of all that is drawn.
    """

    def __init__(
        self,
        seconds: float,
        source_rate: int,
        sample_rate: int,
        vocabulary: Vocabulary,
        seed: int,
    ) -> None:
        self._length = round(seconds * sample_rate)
        self._cut = -(-self._length * source_rate // sample_rate)
        self._source_rate = source_rate
        self._sample_rate = sample_rate
        self._vocabulary = vocabulary
        self._seed = seed
        # Shared with loader processes that live longer than an epoch.
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    def begin(self, epoch: int) -> None:
        """Say in which epoch what is made from now on will be used."""
        self._epoch[0] = epoch

    def __call__(self, batch: Batch) -> Examples:
        """Turn a batch of `MixtureStream` with all sources into examples."""
        raise NotImplementedError

    def _draws(self, index: int, purpose: str) -> Stream:
        return Stream(self._seed, "examples", f"{int(self._epoch[0])}/{index}", purpose)

    def _start(self, batch: Batch, index: int) -> int:
        """Draw where an example begins in a mixture that is longer."""
        room = batch["mixture"].shape[-1] - self._cut
        return self._draws(index, "start").integer(room + 1) if room > 0 else 0

    def _resampled(self, samples: Float, start: int) -> Float:
        cut = samples[start : start + self._cut]
        return audio.fit(audio.resample(cut, self._source_rate, self._sample_rate), self._length)


class TrainingAssembler(Assembler):
    """Makes an example of each mixture, with a question by the configured proportions.

    Without augmentation the mixture and the target are resampled; with it each source is, as it
    is changed, and the mixture is their sum.

    Args:
        config: Questions, augmentation, mixer.
        source_rate: Rate of the mixtures, Hz.
        sample_rate: Rate of the examples, Hz.
        vocabulary: Classes of the data.
        seed: Seed of all that is drawn.
    """

    def __init__(
        self,
        config: DataConfig,
        source_rate: int,
        sample_rate: int,
        vocabulary: Vocabulary,
        seed: int,
    ) -> None:
        super().__init__(config.seconds, source_rate, sample_rate, vocabulary, seed)
        self._config = config
        self._augmenter = (
            Augmenter(config.augment, config.seconds, source_rate, sample_rate)
            if config.augment
            else None
        )

    def __call__(self, batch: Batch) -> Examples:
        """Turn a batch of `MixtureStream` with all sources into examples."""
        if self._config.mixer == "audiosep":
            batch = pair(batch, self._config.snr_db, self._draws)
        indices: list[int] = batch["index"].tolist()
        questions = [
            self._question(labels, self._draws(index, "question"))
            for labels, index in zip(batch["labels"], indices, strict=True)
        ]
        mixture = torch.zeros(len(indices), self._length)
        target = torch.zeros(len(indices), self._length)
        outputs = mixture.numpy(), target.numpy()
        if self._augmenter is None:
            self._resample(batch, indices, questions, *outputs)
        else:
            self._augment(self._augmenter, batch, indices, questions, *outputs)
        for row, labels in enumerate(batch["labels"]):
            if _is_natural(labels):
                _silence_what_is_not_heard(outputs[0][row], outputs[1][row])
        return _examples(batch, range(len(indices)), questions, mixture, target)

    def _question(self, labels: Sequence[str], stream: Stream) -> Question:
        if _is_natural(labels):
            return ask_own(labels, stream)
        return draw_question(labels, self._config.queries, self._vocabulary, stream)

    def _resample(
        self,
        batch: Batch,
        indices: Sequence[int],
        questions: Sequence[Question],
        mixture: Float,
        target: Float,
    ) -> None:
        for row, (index, question) in enumerate(zip(indices, questions, strict=True)):
            self._resample_one(batch, row, index, question, mixture[row], target[row])

    def _resample_one(
        self,
        batch: Batch,
        row: int,
        index: int,
        question: Question,
        mixture: Float,
        target: Float,
    ) -> None:
        start = self._start(batch, index)
        mixture[:] = self._resampled(batch["mixture"][row].numpy(), start)
        if question.sources:
            target[:] = self._resampled(_sum(batch, row, question), start)

    def _augment(
        self,
        augmenter: Augmenter,
        batch: Batch,
        indices: Sequence[int],
        questions: Sequence[Question],
        mixture: Float,
        target: Float,
    ) -> None:
        places = [
            (row, number)
            for row, labels in enumerate(batch["labels"])
            if not _is_natural(labels)  # what was recorded together stays together
            for number in range(len(labels))
        ]
        sources = [
            Source(
                batch["sources"][row, number].numpy(),
                self._draws(indices[row], f"source {number}"),
            )
            for row, number in places
        ]
        for (row, number), samples in zip(places, augmenter(sources), strict=True):
            mixture[row] += samples
            if number in questions[row].sources:
                target[row] += samples
        for row, labels in enumerate(batch["labels"]):
            if _is_natural(labels):
                question = questions[row]
                self._resample_one(batch, row, indices[row], question, mixture[row], target[row])
        for row, index in enumerate(indices):
            level_db = self._draws(index, "level").uniform(*augmenter.config.level_db)
            gain = 10.0 ** (level_db / 20.0)
            # The target along with the mixture, whatever limits the peak.
            gain = np.float32(min(gain, PEAK / max(audio.peak(mixture[row]), 1e-9)))
            mixture[row] *= gain
            target[row] *= gain


class ValidationAssembler(Assembler):
    """Asks each mixture for one of its sources, and some for an absent class as well.

    Args:
        config: Share of the mixtures that are asked for an absent class.
        seconds: Length of an example.
        source_rate: Rate of the mixtures, Hz.
        sample_rate: Rate of the examples, Hz.
        vocabulary: Classes that absent ones are drawn from.
        closed: Whether only these may be asked for.
    """

    def __init__(
        self,
        config: ValidationConfig,
        seconds: float,
        source_rate: int,
        sample_rate: int,
        vocabulary: Vocabulary,
        closed: bool = False,
    ) -> None:
        super().__init__(seconds, source_rate, sample_rate, vocabulary, config.seed)
        self._silence = config.silence
        self._closed = closed

    def begin(self, epoch: int) -> None:
        """Do nothing: the questions are the same in all epochs."""

    def __call__(self, batch: Batch) -> Examples:
        """Turn a batch of `MixtureStream` with all sources into examples.

        One or two of each mixture; of one that only holds what must not be asked for, one for an
        absent class, or none.
        """
        asked: list[tuple[int, Question]] = []
        for row, (labels, index) in enumerate(
            zip(batch["labels"], batch["index"].tolist(), strict=True)
        ):
            draws = self._draws(index, "question")
            if heard := ask_one(labels, self._vocabulary, draws, self._closed):
                asked.append((row, heard))
            if draws.uniform() < self._silence and (
                absent := ask_absent(labels, self._vocabulary, draws)
            ):
                asked.append((row, absent))
        rows = [row for row, _ in asked]
        mixture = torch.zeros(len(asked), self._length)
        target = torch.zeros(len(asked), self._length)
        for place, (row, question) in enumerate(asked):
            start = self._start(batch, int(batch["index"][row]))
            if place and rows[place - 1] == row:
                mixture[place] = mixture[place - 1]
            else:
                mixture.numpy()[place] = self._resampled(batch["mixture"][row].numpy(), start)
            if question.sources:
                target.numpy()[place] = self._resampled(_sum(batch, row, question), start)
        return _examples(batch, rows, [question for _, question in asked], mixture, target)


def _is_natural(labels: Sequence[str]) -> bool:
    """Whether a mixture is a natural recording: its rest has no label."""
    return "" in labels


def _silence_what_is_not_heard(mixture: Float, target: Float) -> None:
    """Take a track that is next to nothing in a crop for silence: it is what leaked into it."""
    if np.dot(target, target) < _HEARD * np.dot(mixture, mixture):
        target[:] = 0.0


def _sum(batch: Batch, row: int, question: Question) -> Float:
    """Return the sum of the sources that are asked for, shape (T,)."""
    total: Float = batch["sources"][row].numpy()[list(question.sources)].sum(axis=0)
    return total


def _examples(
    batch: dict[str, Any],
    rows: Sequence[int],
    questions: Sequence[Question],
    mixture: torch.Tensor,
    target: torch.Tensor,
) -> Examples:
    return Examples(
        mixture=mixture,
        target=target,
        positive=[question.positive for question in questions],
        negative=[question.negative for question in questions],
        num_sources=batch["num_sources"][list(rows)],
        mix_id=[batch["mix_id"][row] for row in rows],
    )
