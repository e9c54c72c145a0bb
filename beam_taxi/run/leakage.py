"""Whether a key, or a row, is in more than one split."""

from __future__ import annotations

import math
from dataclasses import dataclass

from beam_taxi.run.validation import Offender

_CONFIDENT = 3.0
"""If an event does not occur in n trials, its probability is below 3 / n with 95% confidence (the rule of three)."""


@dataclass(frozen=True)
class Leakage:
    """How many of the distinct keys are in several splits; without a key, of the rows `without` one column.

    Rows in which part of the key is missing are left out.
    All keys were compared if it is `exact`. Else only those with the smallest hashes were, `compared` in number, and
    `keys` and `shared` are estimates, the latter with the relative standard `error`. `examples` has for some of the
    shared keys the first row in each split.
    """

    key: tuple[str, ...]
    keys: int
    shared: int
    compared: int
    exact: bool = True
    error: float = 0.0
    examples: tuple[tuple[Offender, ...], ...] = ()
    without: str = ""

    @property
    def text(self) -> str:
        """What was found, in one line."""
        whole = f"keys ({', '.join(self.key)})" if self.key else f"distinct rows (without {self.without})"
        if self.shared:
            return f"{self._shared(whole)} in more than one split{self._example()}"
        if self.exact:
            return f"none of the {self.keys:,} {whole} is in more than one split; all were compared"
        return (
            f"none of {self.compared:,} of about {self.keys:,} {whole} is in more than one split, so fewer than "
            f"{math.ceil(_CONFIDENT / self.compared * self.keys):,} of all are (95% confidence)"
        )

    def _shared(self, whole: str) -> str:
        are = "is" if self.shared == 1 else "are"
        if self.exact:
            return f"{self.shared:,} of {self.keys:,} {whole} {are}"
        return f"about {self.shared:,} (standard error {self.error:.0%}) of about {self.keys:,} {whole} {are}"

    def _example(self) -> str:
        if not self.examples:
            return ""
        return ", such as " + " and ".join(f"{one.text()} ({one.split})" for one in self.examples[0])
