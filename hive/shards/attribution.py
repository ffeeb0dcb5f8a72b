"""ATTRIBUTION.txt: every work that a dataset uses, with its author, licence and address.

What the Creative Commons licences ask for (section 3(a) of version 4.0): the author, the licence
and its address, the address of the work, and that it was changed. The list is written line by line
from LICENSES.csv, so that memory does not grow with the number of clips.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from hive.files import atomic_open, read_csv
from hive.licences.names import PUBLIC_DOMAIN
from hive.shards.layout import ATTRIBUTION, LICENCES
from hive.shards.markdown import one_line

_CC = re.compile(r"^(?:LicenseRef-)?CC-(BY(?:-NC|-ND|-SA)*)(?:-(\d\.\d))?\+?$")
_ADDRESSES = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-PDM-1.0": "https://creativecommons.org/publicdomain/mark/1.0/",
    "CC-PDDC": "https://creativecommons.org/licenses/publicdomain/",
    "LicenseRef-CC-Sampling-Plus-1.0": "https://creativecommons.org/licenses/sampling+/1.0/",
    "LicenseRef-CC-NC-Sampling-Plus-1.0": "https://creativecommons.org/licenses/nc-sampling+/1.0/",
    "LicenseRef-BBC-RemArc": "https://sound-effects.bbcrewind.co.uk/licensing",
    "LicenseRef-YouTube": "https://www.youtube.com/t/terms",
    PUBLIC_DOMAIN: "",
}
_SPDX = re.compile(r"^[A-Za-z0-9.-]+$")
_HEAD = """\
ATTRIBUTION

The sounds of this dataset are made of the works below, by their authors, under their licences.
All were changed: cut to clips, mixed down to one channel, brought to another rate and level, and
summed with others. The authors endorse neither the dataset nor its use. LICENSES.csv says the same
for each clip, and in how many mixtures it is; here clips of which the same is said share a line.

LICENCES
"""


def write_attribution(dataset: Path) -> None:
    """Write ATTRIBUTION.txt from LICENSES.csv.

    Args:
        dataset: Folder of the dataset.
    """
    table = dataset / LICENCES
    licences = sorted({row["licence"] for row in read_csv(table)})
    with atomic_open(dataset / ATTRIBUTION) as handle:
        handle.write(_HEAD.encode("utf-8"))
        for name in licences:
            address = licence_address(name)
            handle.write(f"{one_line(f'{name}  {address}').rstrip()}\n".encode())
        handle.write(b"\nWORKS\n")
        for text in _works(table):
            handle.write(f"{text}\n".encode())


def licence_address(licence: str) -> str:
    """Return where the text of a licence is; empty where that is not known.

    Args:
        licence: SPDX identifier, `LicenseRef-...`, or an expression of several.
    """
    if licence in _ADDRESSES:
        return _ADDRESSES[licence]
    creative = _CC.match(licence)
    if creative and creative[2]:
        return f"https://creativecommons.org/licenses/{creative[1].lower()}/{creative[2]}/"
    if creative:
        return "https://creativecommons.org/licenses/"
    if licence.startswith("LicenseRef-") or not _SPDX.match(licence):
        return ""
    return f"https://spdx.org/licenses/{licence}.html"


def _works(table: Path) -> Iterator[str]:
    """Yield one line for clips that stand side by side and agree in all that is said of them."""
    names = ("corpus", "licence", "stated", "attribution", "url")
    for key, rows in groupby(read_csv(table), key=lambda row: tuple(row[name] for name in names)):
        corpus, licence, stated, attribution, url = key
        clips = [row["clip_id"] for row in rows]
        more = f" and {len(clips) - 1} more clips" if len(clips) > 1 else ""
        author = attribution or "author not stated"
        where = f" | {url}" if url and url not in attribution else ""
        said = f" (stated as: {stated})" if stated and stated != licence else ""
        yield one_line(f"{corpus}/{clips[0]}{more} | {author} | {licence}{said}{where}").rstrip()
