"""The one exception that users are meant to see."""

from __future__ import annotations


class HiveError(Exception):
    """Something outside the program is wrong, and the user can mend it.

    Args:
        problem: What was found, naming the file and the field.
        remedy: What to do about it.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}. Remedy: {self.remedy}" if self.remedy else self.problem

    def __reduce__(self) -> tuple[type[HiveError], tuple[str, str]]:
        # Exceptions cross process borders by their arguments; the default would lose the remedy.
        return (type(self), (self.problem, self.remedy))


class UnreachableError(HiveError):
    """Storage did not answer or did not let us in; the same call may work later.

    Says nothing about what is stored, so that nothing is to be listed as missing or broken for it.
    """
