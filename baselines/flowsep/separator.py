"""FlowSep as models of the benchmark and of `hive-bench separate`.

Windows of 10.24 s are drawn each by itself and cross-faded over 1 s. Each window of each item has a
generator of its own, so that an estimate does not depend on what else is separated; its level is
brought to a peak of 0.5 without a mean, and brought back.

This module is imported to list the models: torch is imported by what is called only.
"""

from __future__ import annotations

from baselines.networks import SavedNetwork, _Named


class _FlowSep(_Named):
    """A published FlowSep; with `weights`, its architecture with other ones."""

    _architecture = "flowsep"
    sample_rate = 16000
    generative = True

    def __init__(
        self,
        *,
        weights: str = "",
        device: str = "cpu",
        precision: str = "fp32",
        compile: bool = False,
        batch_size: int = 4,
        steps: int | None = None,
        posterior: str | None = None,
    ) -> None:
        for missing in self.missing(weights):
            raise missing
        SavedNetwork.__init__(
            self,
            weights or self._name,
            device=device,
            precision=precision,
            compile=compile,
            batch_size=batch_size,
            steps=steps,
            posterior=posterior,
        )


class FlowSep(_FlowSep):
    """FlowSep as its authors published it: rectified flow on mel latents, text queries by T5."""

    _name = "flowsep"


class FlowSepHive(_FlowSep):
    """FlowSep as the authors of Hive trained it on Hive."""

    _name = "flowsep-hive"
