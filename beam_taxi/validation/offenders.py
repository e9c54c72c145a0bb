"""The rows that violate rules: their exact number, and the first of them in the order of the input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.run.validation import Offender, Offenders
from beam_taxi.sources.source import Place
from beam_taxi.validation.row_rules import RowRule

RuleKey = tuple[int, int]
"""The numbers of a rule and of a split."""


class Found(NamedTuple):
    """A row that violates a rule: the number of its source, its place there, and the values of the rule's columns."""

    source: int
    place: Place
    values: tuple[tuple[str, str | None], ...]


PlacesOf = Callable[[npt.NDArray[np.int64]], Sequence[tuple[int, Place]]]
"""Returns source and place of rows of a batch, by their numbers in it."""

_LONGEST_VALUE = 200


@dataclass
class Violations:
    """How many rows violate each rule in each split, and the first `most` of them. Merging is commutative."""

    most: int
    counts: dict[RuleKey, int] = field(default_factory=dict)
    first: dict[RuleKey, list[Found]] = field(default_factory=dict)

    def add_batch(
        self,
        rules: Sequence[RowRule],
        batch: pa.RecordBatch,
        splits: npt.NDArray[np.uint8],
        places_of: PlacesOf,
    ) -> npt.NDArray[np.bool_] | None:
        """Add the violations of a batch, whose rows come after those of earlier batches of the unit.

        Returns which rows violate any rule, or None if none does.
        """
        offending: npt.NDArray[np.bool_] | None = None
        for number, rule in enumerate(rules):
            violated = rule.violations(batch)
            if violated is None:
                continue
            offending = violated if offending is None else offending | violated
            for split in np.unique(splits[violated]):
                rows = np.flatnonzero(violated & (splits == split))
                self._add((number, int(split)), rule, batch, rows, places_of)
        return offending

    def _add(
        self, key: RuleKey, rule: RowRule, batch: pa.RecordBatch, rows: npt.NDArray[np.int64], places_of: PlacesOf
    ) -> None:
        self.counts[key] = self.counts.get(key, 0) + len(rows)
        known = self.first.setdefault(key, [])
        wanted = rows[: self.most - len(known)]
        if not len(wanted):
            return
        columns = [(name, batch.column(batch.schema.get_field_index(name))) for name in rule.features]
        for row, (source, place) in zip(wanted, places_of(wanted), strict=True):
            values = tuple((name, _text(column[int(row)].as_py())) for name, column in columns)
            known.append(Found(source, place, values))

    def merge(self, other: Violations) -> None:
        """Add the violations of other units."""
        for key, count in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        for key, found in other.first.items():
            self.first[key] = sorted((*self.first.get(key, ()), *found))[: self.most]

    def offenders(self, rule: int, splits: Sequence[str], files: Sequence[str]) -> dict[str, Offenders]:
        """Return the offenders of a rule by split; `files` are the URIs of the sources."""
        found = {}
        for number, name in enumerate(splits):
            count = self.counts.get((rule, number), 0)
            if count:
                first = self.first.get((rule, number), [])
                found[name] = Offenders(count, tuple(_offender(one, name, files) for one in first))
        return found


def _offender(found: Found, split: str, files: Sequence[str]) -> Offender:
    place = found.place
    group = None if place.group is None else place.group
    return Offender(files[found.source], place.number, split, group, dict(found.values))


def _text(value: object) -> str | None:
    """Return a value as text; a float32 as the shortest text that gives it again."""
    if value is None:
        return None
    if isinstance(value, float):
        return str(np.float32(value))
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def by_rule(
    violations: Violations, rules: Sequence[RowRule], splits: Sequence[str], files: Sequence[str]
) -> Mapping[tuple[str, tuple[str, ...], str], Offenders]:
    """Return the offenders by the name and the columns of their rule, and by split."""
    return {
        (rule.name, rule.features, split): offenders
        for number, rule in enumerate(rules)
        for split, offenders in violations.offenders(number, splits, files).items()
    }
