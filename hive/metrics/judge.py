"""What SAM-Audio Judge says of a separated sound: overall quality, recall, precision, faithfulness.

Axes: (..., T), time last; one value for each leading index. About 1 to 5, not clamped; higher is
better. The judge predicts the mean rating of listeners from the mixture, the estimate and the text
of the query; it is given no true source.

judge_oq
    Overall quality of the separation.
judge_rec
    Recall: how much of what the text names is in the estimate.
judge_pre
    Precision: how free the estimate is of what the text does not name.
judge_fai
    Faithfulness: how much what is there sounds as it does in the mixture.

All four come from one call of the judge; `judge_scores` returns them together. The model runs in a
process of its own (`docs/judge.md`); signals go to its 48 kHz by soxr HQ and are padded with zeros
to 0.1 s (`hive.judge.inputs`). The stand-in `standin:judge-snr` is arithmetic with the reference.

Odd cases: the judge gives a number for a silent estimate too, which says little: a RuntimeWarning
counts such items. Text is passed on as it is; the judge reads its first 512 tokens.

References: facebookresearch/sam-audio; SAM Audio Judge, arXiv 2601.19702; Hive paper, table 3.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from collections.abc import Callable
from typing import ParamSpec

import numpy as np
import numpy.typing as npt

from hive.judge.base import SCORES, Judge
from hive.metrics.info import MetricInfo
from hive.metrics.validate import FloatArray, Length, OnBad, load

_P = ParamSpec("_P")

#: Which score of the judge a metric is, as in `hive.judge.base.SCORES`.
SCORE_OF = {
    "judge_oq": "overall",
    "judge_rec": "recall",
    "judge_pre": "precision",
    "judge_fai": "faithfulness",
}


def _info(name: str, title: str, definition: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        title=title,
        unit="",
        higher_is_better=True,
        definition=definition,
        formula=f"{SCORE_OF[name]}(x, e, text) by the judge at 48 kHz, about 1 to 5, not clamped",
        source="SAM Audio Judge, arXiv 2601.19702; facebookresearch/sam-audio",
        target=f"hive.metrics.judge:{name}",
        requires=("estimate", "mixture", "sample_rate", "text"),
        judged=True,
        packages=("numpy", "soxr"),
    )


METRICS = (
    _info("judge_oq", "Judge OQ", "Overall quality of the separation, as the judge hears it."),
    _info("judge_rec", "Judge Rec", "How much of what the query names is in the estimate."),
    _info("judge_pre", "Judge Pre", "How free the estimate is of what the query does not name."),
    _info("judge_fai", "Judge Fai", "How much the sound in the estimate is as in the mixture."),
)


def judge_scores(
    *,
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    text: npt.ArrayLike,
    sample_rate: int,
    reference: npt.ArrayLike | None = None,
    judge: Judge | str | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> dict[str, FloatArray]:
    """Compute the four scores with one call of the judge.

    Args:
        estimate: Output of a system, shape (..., T).
        mixture: What the system was given, shape broadcastable to (..., T).
        text: Queries, one text or an array of texts that broadcasts to the leading shape.
        sample_rate: Rate of the signals in Hz.
        reference: True source, shape (..., T); only for a judge with `needs_reference`.
        judge: A loaded judge, or a specification as for `--judge`; None for what HIVE_JUDGE says.
            A judge that is loaded here is closed again.
        length: "strict", or "match" to cut or pad the estimate.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.

    Returns:
        Values of "judge_oq", "judge_rec", "judge_pre" and "judge_fai", shape (...).

    Raises:
        HiveError: No judge is set up, it cannot be started, or it cannot judge an item.
        ValueError: See `hive.metrics.validate.load`; or texts or references are missing.
    """
    from hive.judge import client

    with contextlib.ExitStack() as stack:
        if judge is None or isinstance(judge, str):
            judge = stack.enter_context(contextlib.closing(client.load(judge)))
        batch = load(
            estimate=estimate,
            mixture=mixture,
            reference=reference,
            needs=("estimate", "mixture", *(["reference"] if judge.needs_reference else [])),
            length=length,
            on_bad=on_bad,
        )
        texts = [str(one) for one in np.broadcast_to(np.asarray(text, object), batch.shape).flat]
        good = [index for index in range(batch.num_items) if index not in batch.bad]
        silent = sum(batch.estimates[index].silent for index in good)
        if silent:
            warnings.warn(
                f"silent_estimate: {silent} of {len(good)} estimates are silent; a judge's scores "
                "of silence say little",
                RuntimeWarning,
                stacklevel=2,
            )
        values = np.full((batch.num_items, len(SCORES)), np.nan)
        if good:
            values[good] = judge.score(
                [batch.mixtures[index].samples for index in good],
                [batch.estimates[index].samples for index in good],
                [texts[index] for index in good],
                sample_rate,
                references=[batch.references[index].samples for index in good]
                if judge.needs_reference
                else None,
            )
    return {
        name: values[:, SCORES.index(score)].reshape(batch.shape)
        for name, score in SCORE_OF.items()
    }


def _single(
    scores: Callable[_P, dict[str, FloatArray]], name: str, what: str
) -> Callable[_P, FloatArray]:
    """Return the function for one of the scores, with the arguments of the one for all."""

    @functools.wraps(scores)
    def single(*args: _P.args, **kwargs: _P.kwargs) -> FloatArray:
        return scores(*args, **kwargs)[name]

    returned = "FloatArray"  # as text, like all annotations of this module
    single.__name__ = single.__qualname__ = name
    single.__doc__ = f"{what}, shape (...), about 1 to 5; arguments as `judge_scores`."
    single.__annotations__ = {**scores.__annotations__, "return": returned}
    vars(single)["__signature__"] = inspect.signature(scores).replace(return_annotation=returned)
    return single


judge_oq = _single(judge_scores, "judge_oq", "Overall quality")
judge_rec = _single(judge_scores, "judge_rec", "Recall")
judge_pre = _single(judge_scores, "judge_pre", "Precision")
judge_fai = _single(judge_scores, "judge_fai", "Faithfulness")
