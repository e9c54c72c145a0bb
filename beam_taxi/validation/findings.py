"""What the rows show: how many violate each rule, the first of these in the order of the input, the newest times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.run.validation import Offender, Offenders
from beam_taxi.sources.source import Place
from beam_taxi.validation.checks import FreshnessCheck
from beam_taxi.validation.freshness import Newest, newest
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
class RowFindings:
    """What the rows of a run show about its rules and checks. Merging is commutative.

    `counts` says how many rows violate each rule in each split, `first` has the first `most` of them. `newest` has the
    newest time of each freshness check, `set_aside` the number of rows of each split that became rejects.
    """

    most: int
    counts: dict[RuleKey, int] = field(default_factory=dict)
    first: dict[RuleKey, list[Found]] = field(default_factory=dict)
    newest: dict[int, Newest] = field(default_factory=dict)
    set_aside: Counter[int] = field(default_factory=Counter)

    @property
    def are_empty(self) -> bool:
        """Whether there are neither violations nor times."""
        return not (self.counts or self.newest)

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
            # Raw records are dropped: their size is not bounded.
            known.append(Found(source, place._replace(raw=None), values_of(rule, batch, row)))

    def add_times(self, checks: Sequence[FreshnessCheck], batch: pa.RecordBatch) -> None:
        """Add the times of a batch."""
        for number, check in enumerate(checks):
            self.newest[number] = newest(check, batch).merge(self.newest.get(number, Newest()))

    def merge(self, other: RowFindings) -> None:
        """Add the findings of other units."""
        for number, time in other.newest.items():
            self.newest[number] = time.merge(self.newest.get(number, Newest()))
        self.set_aside.update(other.set_aside)
        for key, count in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        for key, found in other.first.items():
            self.first[key] = sorted((*self.first.get(key, ()), *found))[: self.most]

    def offenders(self, rule: int, splits: Sequence[str], files: Sequence[str]) -> dict[str, Offenders]:
        """Return the offenders of a rule by split; `files` are the URIs of the sources."""
        return {
            name: self._offenders([(rule, number)], splits, files)
            for number, name in enumerate(splits)
            if (rule, number) in self.counts
        }

    def offenders_of_all(self, rule: int, splits: Sequence[str], files: Sequence[str]) -> Offenders:
        """Return the offenders of a rule in all splits."""
        return self._offenders([key for key in self.counts if key[0] == rule], splits, files)

    def _offenders(self, keys: Sequence[RuleKey], splits: Sequence[str], files: Sequence[str]) -> Offenders:
        found = sorted((one, splits[key[1]]) for key in keys for one in self.first.get(key, ()))[: self.most]
        return Offenders(
            sum(self.counts[key] for key in keys),
            tuple(
                Offender(files[one.source], one.place.number, split, one.place.group, dict(one.values))
                for one, split in found
            ),
        )


def values_of(rule: RowRule, batch: pa.RecordBatch, row: int) -> tuple[tuple[str, str | None], ...]:
    """Return the values of a rule's columns in a row, as text."""
    return tuple(
        (name, text_of(batch.column(batch.schema.get_field_index(name))[row].as_py())) for name in rule.features
    )


def text_of(value: object) -> str | None:
    """Return a value as text; a float32 as the shortest text that parses to it, and a list in brackets."""
    if value is None:
        return None
    if isinstance(value, list):
        value = f"[{', '.join(str(text_of(one)) for one in value)}]"
    if isinstance(value, float):
        return str(np.float32(value))
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
