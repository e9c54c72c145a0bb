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
from beam_taxi.validation.schema_rules import RowRule

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
    ) -> npt.NDArray[np.int64] | None:
        """Add the violations of a batch, whose rows come after those of earlier batches of the unit.

        Returns for each row the number of the first strict rule that it violates, or -1; None if no row violates one.
        """
        strict: npt.NDArray[np.int64] | None = None
        for number, rule in enumerate(rules):
            violated = rule.violations(batch)
            if violated is None:
                continue
            if rule.is_strict:
                strict = np.full(len(batch), -1) if strict is None else strict
                strict[violated & (strict < 0)] = number
            for split in np.unique(splits[violated]):
                rows = np.flatnonzero(violated & (splits == split))
                self._add((number, int(split)), rule, batch, rows, places_of)
        return strict

    def _add(
        self, key: RuleKey, rule: RowRule, batch: pa.RecordBatch, rows: npt.NDArray[np.int64], places_of: PlacesOf
    ) -> None:
        self.counts[key] = self.counts.get(key, 0) + len(rows)
        known = self.first.setdefault(key, [])
        wanted = rows[: self.most - len(known)]
        if not len(wanted):
            return
        for row, (source, place) in zip(wanted.tolist(), places_of(wanted), strict=True):
            # What is kept is bounded.
            known.append(Found(source, place._replace(raw=None), values_of(rule, batch, row)))

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
    return Offender(files[found.source], place.number, split, place.group, dict(found.values))


def values_of(rule: RowRule, batch: pa.RecordBatch, row: int) -> tuple[tuple[str, str | None], ...]:
    """Return the values of a rule's columns in a row, as text."""
    return tuple((name, _text(batch.column(batch.schema.get_field_index(name))[row].as_py())) for name in rule.features)


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
