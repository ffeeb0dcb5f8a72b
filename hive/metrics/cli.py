"""Sub-command of `hive-bench` about metrics of folders: fad.

Only typer is imported here; everything else is imported by the command that needs it, so that
`hive-bench --help` answers at once.
"""

from __future__ import annotations

import tempfile
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer()


class Engine(str, Enum):
    """Whose arithmetic computes the distance."""

    hive = "hive"
    fadtk = "fadtk"


@app.command()
def fad(
    reference: Annotated[Path, typer.Argument(help="Folder of reference audio.")],
    evaluated: Annotated[Path, typer.Argument(help="Folder of audio to evaluate.")],
    embedding: Annotated[
        str | None, typer.Option(help="Name of the embedding; default: CLAP music_audioset.")
    ] = None,
    inf: Annotated[
        bool, typer.Option("--inf", help="Also extrapolate to infinitely many windows.")
    ] = False,
    engine: Annotated[
        Engine, typer.Option(help="Ours, or fadtk's own code around the same embedding.")
    ] = Engine.hive,
    device: Annotated[
        str, typer.Option(help="Where the embedding runs: cpu, cuda, cuda:N or auto.")
    ] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Compute the Fréchet audio distance between two folders of audio files of any rate.

    Where both hold files of the same names, these count as pairs in the interval.

    Example: hive-bench fad references/ estimates/ --embedding standin:logmel512
    """
    from hive import console
    from hive.embedding import registry
    from hive.errors import HiveError
    from hive.inference import resolve_device
    from hive.metrics.folders import audio_files

    if inf and engine is Engine.fadtk:
        raise HiveError("--inf goes with --engine hive", "leave one of the two out")
    files = audio_files(reference), audio_files(evaluated)
    embedder = registry.load(embedding or registry.DEFAULT, resolve_device(device))
    facts: dict[str, Any] = {
        "embedding": embedder.info.name,
        "standin": embedder.info.standin,
        "engine": engine.value,
        "n_reference_files": len(files[0]),
        "n_files": len(files[1]),
    }
    if engine is Engine.fadtk:
        from hive.metrics.fad_fadtk import fad_by_fadtk

        with tempfile.TemporaryDirectory(prefix="hive-fad-") as work:
            facts["fad"] = fad_by_fadtk(reference, evaluated, embedder, Path(work))
    else:
        facts |= _by_hive(files, embedder, inf)
    if as_json:
        console.print_json(facts)
        return
    rows = [(key.replace("_", " "), _shown(value)) for key, value in facts.items()]
    console.print_table(["", "Fréchet audio distance"], rows)
    if facts["standin"]:
        console.say(f"{facts['embedding']} is a stand-in: its values compare with nothing.")
    if facts.get("low_rank"):
        console.say("A set has no more windows than dimensions: its size dominates the value.")


def _by_hive(files: tuple[list[Path], list[Path]], embedder: Any, inf: bool) -> dict[str, Any]:
    from hive import console
    from hive.embedding.cache import FeatureCache
    from hive.embedding.extract import Extractor
    from hive.errors import HiveError
    from hive.metrics.folders import embed_files
    from hive.metrics.setvalue import extrapolate, paired_distance, unpaired_distance

    extractor = Extractor(embedder, FeatureCache())
    with console.progress() as bar:
        task = bar.add_task("embedding", total=sum(map(len, files)))
        references, estimates = (
            embed_files(side, extractor, keep, lambda: bar.advance(task))
            for side, keep in zip(files, (True, False), strict=True)
        )
    names = [[path.stem for path in side] for side in files]
    paired = names[0] == names[1]
    try:
        result = (
            paired_distance(references, estimates, names[0])
            if paired
            else unpaired_distance(references, estimates)
        )
        extrapolated = extrapolate(references, estimates) if inf else None
    except ValueError as error:
        raise HiveError(str(error), "give more or longer files") from error
    facts: dict[str, Any] = {
        "n_reference_windows": sum(map(len, references)),
        "n_windows": result.n_windows,
        "paired": paired,
        "low_rank": result.low_rank,
        "fad": result.value,
        "ci_low": _finite(result.low),
        "ci_high": _finite(result.high),
    }
    if extrapolated is not None:
        facts |= {
            "fad_inf": extrapolated.value,
            "slope": extrapolated.slope,
            "r2": _finite(extrapolated.r2),
        }
    return facts


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
