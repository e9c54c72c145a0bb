"""What a look at the first rows of a file tells about the columns of formats that have no header and no schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from beam_taxi.columns import ColumnSettings
from beam_taxi.settings import Settings
from beam_taxi.sources.kinds import Kind

LOOK_BYTES = 16 << 20
"""The decoded bytes at the start of a file in which every column must be, unless options name it."""


def named_columns(settings: Settings, declared: Mapping[str, Kind]) -> dict[str, None]:
    """Return the columns in the file that options name."""
    patterns = (*settings.columns.keep, *settings.columns.drop)
    chosen = (name for name in patterns if not re.search(r"[*?\[]", name))
    old_names = {new: old for old, new in settings.columns.names.items()}
    return dict.fromkeys([*chosen, *old_names.values(), *(old_names.get(name, name) for name in declared)])


@dataclass(frozen=True)
class Look:
    """The columns of a file as far as its first `looked_at` bytes have them, or options name them.

    `known` has all of them, `with_lists` those with lists. Another one is a fault, unless `choice` leaves it out.
    `row_word` is the word for a row.
    """

    known: frozenset[str]
    with_lists: frozenset[str]
    choice: ColumnSettings
    looked_at: int
    row_word: str

    def is_new(self, name: str) -> bool:
        """Return whether a column should have been known."""
        return name not in self.known and self.choice.wants(name)

    def new_fault(self, what: str) -> str:
        """Return what is wrong with a new column, such as `the key 'x'`."""
        return (
            f"has {what}, which no {self._where} has: name it in --columns or --schema, or leave it out with "
            "--drop_columns"
        )

    def list_fault(self, name: str) -> str:
        """Return what is wrong with lists in a column that has none."""
        return f"column {name!r} has a list, but no {self._where} has one: leave it out with --drop_columns"

    @property
    def _where(self) -> str:
        return f"{self.row_word} of the first {self.looked_at >> 20} MiB"
