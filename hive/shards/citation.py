"""How the method is cited."""

from __future__ import annotations

TITLE = (
    "A Semantically Consistent Dataset for Data-Efficient Query-Based Universal Sound Separation"
)
PAPER = f"""@misc{{li2026hive,
  title = {{{TITLE}}},
  author = {{Li, Kai and Cheng, Jintao and Zeng, Chang and Yan, Zijun and Wang, Helin and
            Su, Zixiong and Zheng, Bo and Hu, Xiaolin}},
  year = {{2026}},
  eprint = {{2601.22599}},
  archivePrefix = {{arXiv}}
}}"""
PAPER_ADDRESS = "https://arxiv.org/abs/2601.22599"


def dataset_entry(name: str, address: str, fingerprint: str) -> str:
    """Return BibTeX of a dataset.

    Args:
        name: Its title.
        address: Where it is; empty where that is not known.
        fingerprint: SHA-256 of its mixture table, which says which dataset is meant.
    """
    title = name.replace("_", r"\_")  # the one character of names on the hub that LaTeX minds
    where = f"  howpublished = {{\\url{{{address}}}}},\n" if address else ""
    return (
        f"@misc{{hive-mixtures-{fingerprint[:8]},\n"
        f"  title = {{{title}}},\n"
        f"{where}"
        f"  note = {{Mixture table with SHA-256 {fingerprint[:16]}}}\n"
        "}"
    )
