"""The co-occurrence matrix M: which classes may be mixed with each other.

M is a symmetric binary matrix over the 283 classes with a zero diagonal; a mixture is allowed when
every pair of its labels is (Hive paper, section 4.1: M[i, j] = 1 for all i, j). The authors derived
theirs from the answers of a language model to the prompt of their Figure A3 and did not publish it.
Ours follows the same five criteria but comes from tables that can be read and disputed:
`data/scenes.tsv` (the scenes in which each class is heard, its layer, its level and its groups),
`data/places.tsv` (what the scenes are) and `data/conflicts.tsv` (groups that exclude each other).

Two classes may be mixed when

1. they share a scene of which one of them is a keynote, or both are typical (criteria 1, 2, 4),
2. they are not both continuous backgrounds (criterion 3),
3. their levels are at most one step apart: silent, quiet, normal, loud (criterion 3), and
4. no conflict is listed between them (criteria 3, 5).

Criterion 5, "if in doubt, no", is the rule that decided what stands in the tables.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hive.data import FOLDER, read_table
from hive.errors import HiveError
from hive.labels import Label, all_labels, find, index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.bool_]

LEVELS = ("silent", "quiet", "normal", "loud")
_FILE = "cooccurrence.tsv"
_COLUMNS = ("label", "compatible")


@dataclass(frozen=True)
class Occurrence:
    """Where and how a class is heard: a row of `scenes.tsv`.

    Attributes:
        label: Name of the class.
        layer: `background` for a continuous broadband sound that fills the scene, or `foreground`.
        level: `silent`, `quiet` (heard only when nothing loud is near), `normal` or `loud`.
        groups: Names that `conflicts.tsv` uses, the label's own name among them.
        keynote: Scenes in which it is nearly always heard (the term is R. Murray Schafer's).
        typical: Scenes that most people would expect it in.
        occasional: Scenes in which it is commonly but not always heard.
    """

    label: str
    layer: str
    level: str
    groups: frozenset[str]
    keynote: frozenset[str]
    typical: frozenset[str]
    occasional: frozenset[str]


@dataclass(frozen=True)
class SceneTable:
    """All that M is derived from.

    Attributes:
        occurrences: One a class, in the order of `all_labels()`.
        conflicts: (group, group, reason); a group paired with itself allows one of its members.
        places: Description of each scene.
    """

    occurrences: tuple[Occurrence, ...]
    conflicts: tuple[tuple[str, str, str], ...]
    places: dict[str, str]


@cache
def matrix() -> Matrix:
    """Return M as shipped: bool, shape (283, 283), rows as in `all_labels()`, read-only."""
    return load(FOLDER / _FILE)


def compatible(label: Label | str, m: Matrix | None = None) -> list[Label]:
    """Return the classes that may be mixed with `label`, in the fixed order.

    Args:
        label: A class, or any text that `hive.labels.find` takes.
        m: The matrix to ask; ours by default.

    Raises:
        HiveError: The text names no class.
    """
    m = matrix() if m is None else m
    return [all_labels()[column] for column in m[index(label)].nonzero()[0]]


def allowed(*labels: Label | str, m: Matrix | None = None) -> bool:
    """Return whether the labels may form one mixture: every pair is compatible.

    Args:
        *labels: Classes, or any texts that `hive.labels.find` takes.
        m: The matrix to ask; ours by default.

    Raises:
        HiveError: A text names no class.
    """
    m = matrix() if m is None else m
    rows = [index(label) for label in labels]
    return all(m[a, b] for position, a in enumerate(rows) for b in rows[:position])


def density(m: Matrix | None = None) -> float:
    """Return the share of ordered pairs of different classes that may be mixed, 0 to 1."""
    m = matrix() if m is None else m
    return float(m.sum() / (len(m) * (len(m) - 1)))


def explain(a: Label | str, b: Label | str) -> str:
    """Say in a sentence why our M has a pair or not.

    Raises:
        HiveError: A text names no class.
    """
    table = scene_table()
    first, second = table.occurrences[index(a)], table.occurrences[index(b)]
    names = f"'{first.label}' and '{second.label}'"
    obstacle = _obstacle(first, second, table)
    if obstacle:
        return f"{names} may not be mixed: {obstacle}."
    scenes = _shared_scenes(first, second)
    if not scenes:
        return f"{names} may not be mixed: no everyday scene in the table has both."
    where = "; ".join(table.places[scene] for scene in scenes)
    return f"{names} may be mixed. Scenes with both: {where}."


def derive(table: SceneTable) -> Matrix:
    """Apply the rule to a scene table.

    Returns:
        The matrix, bool, shape (283, 283).
    """
    import numpy as np

    rows = table.occurrences
    m = np.zeros((len(rows), len(rows)), dtype=bool)
    for i, first in enumerate(rows):
        for j, second in enumerate(rows[:i]):
            fits = bool(_shared_scenes(first, second)) and not _obstacle(first, second, table)
            m[i, j] = m[j, i] = fits
    return m


@cache
def scene_table() -> SceneTable:
    """Return the scene table that comes with the package."""
    rows = {row["label"]: row for row in read_table("scenes.tsv")}
    occurrences = tuple(
        Occurrence(
            label=label.name,
            layer=rows[label.name]["layer"],
            level=rows[label.name]["level"],
            groups=frozenset([label.name, *rows[label.name]["groups"].split()]),
            keynote=frozenset(rows[label.name]["keynote"].split()),
            typical=frozenset(rows[label.name]["typical"].split()),
            occasional=frozenset(rows[label.name]["occasional"].split()),
        )
        for label in all_labels()
    )
    conflicts = tuple(
        (row["first"], row["second"], row["reason"]) for row in read_table("conflicts.tsv")
    )
    places = {row["scene"]: row["description"] for row in read_table("places.tsv")}
    return SceneTable(occurrences, conflicts, places)


def load(path: Path | str) -> Matrix:
    """Read a matrix from a file in the format of `data/cooccurrence.tsv`.

    The file is tab-separated with the columns `label` and `compatible`: one row for each of the 283
    classes, in any order, with 283 characters `0` or `1`, the columns in the order of the rows.

    Args:
        path: The file.

    Returns:
        The matrix, bool, shape (283, 283), rows as in `all_labels()`, read-only.

    Raises:
        HiveError: The file is missing or has another shape, an unknown, repeated or missing label,
            another character than 0 and 1, a one on the diagonal, or is not symmetric.
    """
    import numpy as np

    path = Path(path)
    rows = _read_rows(path)
    labels = all_labels()
    order = np.array([index(label) for label, _ in rows])
    listed = set(order.tolist())
    for label, cells in rows:
        if len(cells) != len(labels) or set(cells) - {"0", "1"}:
            raise HiveError(
                f"{path}: the row of '{label.name}' is not made of {len(labels)} characters 0 or 1"
            )
    if len(listed) != len(rows):
        raise HiveError(f"{path}: a label has two rows", "give each of the 283 classes one row")
    if len(rows) != len(labels):
        missing = next(label.name for label in labels if index(label) not in listed)
        raise HiveError(
            f"{path}: {len(rows)} rows instead of {len(labels)}; '{missing}' is missing",
            "give each of the 283 classes one row",
        )
    given = np.array([[cell == "1" for cell in cells] for _, cells in rows])
    m = np.empty_like(given)
    m[np.ix_(order, order)] = given
    if m.diagonal().any():
        name = labels[int(m.diagonal().argmax())].name
        raise HiveError(f"{path}: '{name}' is compatible with itself", "put 0 on the diagonal")
    uneven = np.argwhere(m != m.T)
    if len(uneven):
        first, second = (labels[int(row)].name for row in uneven[0])
        raise HiveError(
            f"{path}: the row of '{first}' and the row of '{second}' disagree",
            "make the matrix symmetric",
        )
    m.flags.writeable = False
    return m


def format_matrix(m: Matrix) -> str:
    """Return the text of a matrix file without comments; `load` reads it back."""
    lines = ["\t".join(_COLUMNS)]
    for label, row in zip(all_labels(), m, strict=True):
        lines.append(f"{label.name}\t{''.join('1' if cell else '0' for cell in row)}")
    return "\n".join(lines) + "\n"


def _read_rows(path: Path) -> list[tuple[Label, str]]:
    try:
        table = read_table(path.absolute())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HiveError(f"{path}: cannot be read as a matrix ({error})") from error
    if not table or any(set(row) != set(_COLUMNS) for row in table):
        raise HiveError(
            f"{path}: not a table with the columns 'label' and 'compatible'",
            "separate them by a tab, as `hive.cooccurrence.format_matrix` does",
        )
    rows = []
    for number, row in enumerate(table, start=1):
        try:
            rows.append((find(row["label"] or ""), row["compatible"] or ""))
        except (HiveError, ValueError) as error:
            raise HiveError(f"{path}, row {number}: {error}") from error
    return rows


def _shared_scenes(a: Occurrence, b: Occurrence) -> list[str]:
    in_a = a.keynote | a.typical | a.occasional
    in_b = b.keynote | b.typical | b.occasional
    return sorted((a.keynote & in_b) | (b.keynote & in_a) | (a.typical & b.typical))


def _obstacle(a: Occurrence, b: Occurrence, table: SceneTable) -> str | None:
    if a.label == b.label:
        return "a mixture has each class once"
    if a.layer == b.layer == "background":
        return "both are continuous backgrounds, which mask each other"
    if abs(LEVELS.index(a.level) - LEVELS.index(b.level)) > 1:
        return f"one is {a.level} and the other {b.level}, so that one masks the other"
    for first, second, reason in table.conflicts:
        if (first in a.groups and second in b.groups) or (first in b.groups and second in a.groups):
            return reason
    return None
