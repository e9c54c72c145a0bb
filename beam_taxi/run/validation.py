"""The judgement of a run's data: a result for each thing that was looked at, the verdict, and acceptance.

It is written to `validation.json` in the run folder; the manifest has its summary.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from beam_taxi.errors import UsageError
from beam_taxi.run.typed_json import InvalidJsonError, from_json
from beam_taxi.settings import ANOMALIES as ANOMALIES
from beam_taxi.settings import CHECKS as CHECKS
from beam_taxi.settings import DRIFT as DRIFT
from beam_taxi.settings import NOTHING, WARNINGS

VALIDATION_VERSION = 1
"""Incremented if the meaning of a key changes, but not for a new key."""

PASSED, WARNED, FAILED, NOT_EVALUATED = "passed", "warned", "failed", "not evaluated"
OUTCOMES = (FAILED, WARNED, NOT_EVALUATED, PASSED)
"""The outcomes of a result; the verdict is the first of them that a result has."""

_DATA = ("evidence", "values")
"""The keys of mappings in which a missing value has a meaning."""

Value = str | int | float | bool | None
"""A value of `Result.evidence`."""


@dataclass(frozen=True)
class Offender:
    """A row that causes a result: its file, its line or row number (from 1), and the values that matter, as text.

    `row_group` is the number, from 0, of a Parquet row group, within which the row is counted.
    """

    file: str
    number: int
    split: str = ""
    row_group: int | None = None
    values: Mapping[str, str | None] = field(default_factory=dict)

    def text(self) -> str:
        """Return where the row is."""
        if self.row_group is None:
            return f"{self.file}:{self.number}"
        return f"{self.file}: row group {self.row_group}, row {self.number}"


@dataclass(frozen=True)
class Offenders:
    """The rows that cause a result: their exact number, and the first of them in the order of the input."""

    count: int
    first: tuple[Offender, ...] = ()

    def text(self) -> str:
        """Return the number of rows, and where the first of them is."""
        counted = f"{self.count:,} row{'' if self.count == 1 else 's'}"
        return f"{counted}, first {self.first[0].text()}" if self.first else counted


@dataclass(frozen=True)
class Result:
    """One thing that was looked at, and its outcome. `kind` is one of `settings.KINDS`.

    `name` is the type of an anomaly, the name of a check, or the measure of a drift. `text` is one line for people; for
    `not evaluated` it is the reason. `split` and `slice` are empty if the result is about all rows. `line` is the line
    of the violated constraint in `source`, which is `schema.pbtxt` or `checks.yaml`. `evidence` has the numbers behind
    the text, and `title` names the kind of fault in a few words.
    """

    kind: str
    name: str
    outcome: str
    text: str
    features: tuple[str, ...] = ()
    split: str = ""
    slice: str = ""
    source: str = ""
    line: int | None = None
    evidence: Mapping[str, Value] = field(default_factory=dict)
    offenders: Offenders | None = None
    title: str = ""


@dataclass(frozen=True)
class Summary:
    """The verdict on a run (its worst outcome), whether it is accepted, and the number of results by outcome.

    A run without results is `not evaluated` and accepted. `fail_on` has the words of `--fail_on`. `blessed` says for
    each split whether TFX would bless it: it has rows and no anomalies.
    """

    verdict: str = NOT_EVALUATED
    accepted: bool = True
    fail_on: tuple[str, ...] = ()
    outcomes: Mapping[str, int] = field(default_factory=dict)
    blessed: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Validation:
    """The judgement of a run. `baseline` is the URI that it was compared with, or `previous` if there was none."""

    summary: Summary
    results: tuple[Result, ...]
    run_id: str = ""
    baseline: str | None = None
    validation_version: int = VALIDATION_VERSION

    def redacted(self, columns: Collection[str]) -> Validation:
        """Return the judgement without the values of columns that must not be shown."""
        if not columns:
            return self
        return replace(self, results=tuple(_redacted(one, columns) for one in self.results))

    def to_json_text(self) -> str:
        """Return the content of validation.json."""
        values = asdict(self)
        return json.dumps({**values, "results": _without_empty(values["results"])}, indent=1, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(values: object) -> Validation:
        """Return the judgement that `to_json_text` wrote. Raises UsageError, which says what is wrong."""
        if not isinstance(values, dict) or values.get("validation_version") != VALIDATION_VERSION:
            raise UsageError(f"not a validation.json of version {VALIDATION_VERSION}")
        try:
            return from_json(Validation, values)
        except InvalidJsonError as error:
            raise UsageError(f"not a valid validation.json: {error}") from error


def _redacted(result: Result, columns: Collection[str]) -> Result:
    if result.offenders is None:
        return result
    first = tuple(
        replace(one, values={name: value for name, value in one.values.items() if name not in columns})
        for one in result.offenders.first
    )
    return replace(result, offenders=replace(result.offenders, first=first))


def judge(results: Sequence[Result], fail_on: Iterable[str]) -> Summary:
    """Return the summary of results; `fail_on` has words of `settings.FAIL_ON`."""
    words = tuple(fail_on)
    outcomes = Counter(one.outcome for one in results)
    verdict = next((one for one in OUTCOMES if outcomes[one]), NOT_EVALUATED)
    refused = any(
        (one.outcome == FAILED and one.kind in words) or (one.outcome in (FAILED, WARNED) and WARNINGS in words)
        for one in results
    )
    return Summary(
        verdict, NOTHING in words or not refused, words, {one: outcomes[one] for one in OUTCOMES if outcomes[one]}
    )


def _without_empty(value: object) -> object:
    """Return JSON values without the keys of results that are empty."""
    if isinstance(value, Mapping):
        return {
            key: _json(one) if key in _DATA else _without_empty(one)
            for key, one in value.items()
            if one not in (None, "", (), {}, [])
        }
    if isinstance(value, list | tuple):
        return [_without_empty(one) for one in value]
    return value


def _json(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return evidence or the values of a row for JSON: missing values are null, NaN and infinities are text."""
    return {key: str(one) if isinstance(one, float) and not math.isfinite(one) else one for key, one in values.items()}
