"""SAM-Audio Judge as a worker of the process protocol, task "judge" (docs/process-protocol.md).

    /path/to/sam/environment/bin/python worker.py [--checkpoint FOLDER_OR_REPO] [--device cuda]

This file runs in the judge's own environment, which has sam_audio, torch, numpy and soundfile and
nothing of this package; docs/judge.md says how to make one. Facts about the model are those of
facebookresearch/sam-audio: `SAMAudioJudgeProcessor` takes lists of texts and of sounds of shape
(1, T) at 48 kHz, pads them to whole frames by reflection and texts to 512 tokens at most; the model
returns `overall`, `recall`, `precision` and `faithfulness`, each of shape (B, 1), which are passed
on as they are.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.metadata
import json
import os
import platform
import sys
import traceback
from pathlib import Path
from typing import IO, Any

PROTOCOL = 1
RATE = 48_000
SCORES = ("overall", "recall", "precision", "faithfulness")
REPOSITORY = "facebook/sam-audio-judge"
REVISION = "sam_audio"
#: Files that decide what is computed, by their ending: weights, configuration, tokeniser.
DECISIVE = (".json", ".pt", ".safetensors")
_ACCESS = f"ask for access at https://huggingface.co/{REPOSITORY}, then run hf auth login"
_BRANCH = f"take --revision {REVISION}; the main branch of {REPOSITORY} is for other code"
_PACKAGE = "pip install git+https://github.com/facebookresearch/sam-audio"
#: Known ways to fail, by a part of the message, and what to do.
REMEDIES = {
    "No module named 'sam_audio'": f"{_PACKAGE} in the environment of {sys.executable}",
    "has no attribute 'SAMAudioJudge": f"sam_audio of PyPI is an empty placeholder: {_PACKAGE}",
    "No module named 'core": "pip install "
    "git+https://github.com/facebookresearch/perception_models@unpin-deps",
    "resume_download": 'sam_audio needs an older hub: pip install "huggingface_hub<1" '
    '"transformers<5"',
    "dac_vae_encoder": _BRANCH,
    "loading state_dict": _BRANCH,
    "GatedRepoError": _ACCESS,
    "401 Client Error": _ACCESS,
    "out of memory": "give a smaller --batch-size",
}


class Judge:
    """The loaded model.

    Args:
        checkpoint: Folder of the checkpoint, or a repository of the Hugging Face hub.
        revision: Branch, tag or commit of the repository.
        device: Torch device.
    """

    def __init__(self, checkpoint: str, revision: str, device: str) -> None:
        package = importlib.import_module("sam_audio")
        model, processor = package.SAMAudioJudgeModel, package.SAMAudioJudgeProcessor
        folder = self._fetch(checkpoint, revision)

        import torch

        self._device = torch.device(device)
        torch.backends.cudnn.allow_tf32 = False
        # from_pretrained takes a revision of its own, whatever it is told; a folder settles it.
        self._model = model.from_pretrained(str(folder)).eval().to(self._device)
        self._processor = processor.from_pretrained(str(folder))
        self.checkpoint_sha256 = hash_folder(folder)
        self.details = {
            "checkpoint": checkpoint,
            "revision": "" if Path(checkpoint).is_dir() else f"{revision} ({folder.name})",
            "device": str(self._device),
            "sam_audio": installed("sam_audio"),
            "torch": str(torch.__version__),
            "transformers": installed("transformers"),
            "python": platform.python_version(),
        }

    def score(self, items: list[dict[str, str]]) -> list[dict[str, float]]:
        """Judge the items of a request; those of equal length go through the model together.

        Unequal ones would be padded to the longest, which moves scores by up to 0.1.
        """
        import soundfile

        scores: list[dict[str, float]] = [{} for _ in items]
        groups: dict[int, list[tuple[int, Any, Any]]] = {}
        for index, item in enumerate(items):
            mixture, rate = soundfile.read(item["mixture"], dtype="float32")
            estimate, other = soundfile.read(item["estimate"], dtype="float32")
            if (rate, other) != (RATE, RATE) or mixture.shape != estimate.shape or mixture.ndim > 1:
                raise ValueError(
                    f"mixture {mixture.shape} at {rate} Hz, estimate {estimate.shape} at {other} "
                    f"Hz; both must be mono, equally long and at {RATE} Hz"
                )
            groups.setdefault(len(mixture), []).append((index, mixture, estimate))
        for group in groups.values():
            texts = [items[index]["query"] for index, _, _ in group]
            found = self._forward(
                texts, [mixture for _, mixture, _ in group], [estimate for _, _, estimate in group]
            )
            for (index, _, _), one in zip(group, found, strict=True):
                scores[index] = one
        return scores

    def _forward(
        self, texts: list[str], mixtures: list[Any], estimates: list[Any]
    ) -> list[dict[str, float]]:
        import torch

        inputs = self._processor(
            text=texts,
            input_audio=[torch.from_numpy(mixture)[None] for mixture in mixtures],
            separated_audio=[torch.from_numpy(estimate)[None] for estimate in estimates],
            sampling_rate=RATE,
        )
        with torch.inference_mode():
            output = self._model(**inputs.to(self._device))
        columns = [getattr(output, name).float().cpu().reshape(len(texts)) for name in SCORES]
        table = torch.stack(columns, dim=1)
        if not torch.isfinite(table).all():
            raise ValueError(f"the judge's scores are not finite: {table.tolist()}")
        return [dict(zip(SCORES, row, strict=True)) for row in table.tolist()]

    @staticmethod
    def _fetch(checkpoint: str, revision: str) -> Path:
        if Path(checkpoint).is_dir():
            return Path(checkpoint)
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(checkpoint, revision=revision))


def hash_folder(folder: Path) -> str:
    """Return one SHA-256 for the names and contents of the decisive files of a checkpoint."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in DECISIVE and not path.name.startswith(".") and path.is_file():
            digest = hashlib.sha256()
            with path.open("rb") as handle:
                while block := handle.read(1 << 20):
                    digest.update(block)
            total.update(f"{path.name} {digest.hexdigest()}\n".encode())
    return total.hexdigest()


def installed(name: str) -> str:
    """Return the version of a distribution, with the commit if it came from a repository."""
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    commit = origin.get("vcs_info", {}).get("commit_id", "")
    return f"{found.version} ({commit})" if commit else found.version


def serve(arguments: argparse.Namespace, requests: IO[str], replies: IO[str]) -> None:
    """Answer requests until there are no more."""
    judge: Judge | None = None
    for line in requests:
        request = json.loads(line)
        if request["type"] == "hello":
            device = arguments.device or request["device"]
            judge = Judge(arguments.checkpoint, arguments.revision, device)
            batch_size = arguments.batch_size or (8 if device.startswith("cuda") else 1)
            reply = {
                "type": "hello",
                "protocol": PROTOCOL,
                "task": "judge",
                "name": "sam-audio-judge",
                "sample_rate": RATE,
                "max_batch": batch_size,
                "checkpoint_sha256": judge.checkpoint_sha256,
                "details": judge.details,
            }
        else:
            reply = {"type": "result", "id": request["id"], "ok": True}
            try:
                if judge is None or request["type"] != "judge":
                    raise ValueError(f"request {request['type']!r} is not understood")
                reply["scores"] = judge.score(request["items"])
            except Exception as error:
                if "CUDA error" in str(error):
                    raise  # it stays until the process ends; a new one will be started
                traceback.print_exc()
                reply.update(ok=False, error=explain(error))
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def explain(error: Exception) -> str:
    """Return an error in a line, with its remedy if it is a known one."""
    text = f"{type(error).__name__}: {error}"
    known = [remedy for part, remedy in REMEDIES.items() if part in text]
    return f"{text}. Remedy: {known[0]}" if known else text


def main() -> None:
    """Run the worker."""
    parser = argparse.ArgumentParser(description="SAM-Audio Judge as a worker")
    parser.add_argument("--checkpoint", default=REPOSITORY, help="folder, or repository of the hub")
    parser.add_argument("--revision", default=REVISION, help="of the repository")
    parser.add_argument("--device", help="torch device; as the benchmark says if it is not given")
    parser.add_argument("--batch-size", type=int, help="items at once: 8, or 1 on a CPU")
    arguments = parser.parse_args()
    # The interpreter puts this file's folder first, whose modules nobody else should import.
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    # Replies go to the real standard output; whatever libraries print goes to standard error.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        try:
            serve(arguments, sys.stdin, replies)
        except Exception as error:
            traceback.print_exc()
            sys.exit(explain(error))


if __name__ == "__main__":
    main()
