"""The days that a run reads: a date, a window that ends with it, and their placeholders in patterns and queries.

The placeholders are those of TFX's input_config: `{YYYY}`, `{MM}` and `{DD}`, or `{SPAN}`, the days since 1970-01-01,
and `{VERSION}`; `{SPAN:6}` has leading zeros to a width of 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Day
from datetime import datetime, timedelta, timezone

from beam_taxi.flags import INTEGER, Group, Value, flag

_EPOCH = Day(1970, 1, 1)
_WORDS = {"today": 0, "yesterday": 1}
_LONGEST_WINDOW = 3660
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLACEHOLDER = re.compile(r"\{(YYYY|MM|DD|SPAN|VERSION)(?::([^{}]*))?\}")
_WIDTH = re.compile("0*[1-9][0-9]?")
_DATE_PARTS = ("YYYY", "MM", "DD")
_SPAN, _VERSION = "SPAN", "VERSION"

# https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical
_TEXTS = (r"'''.*?'''", r'""".*?"""', r"'(?:\\.|[^'\\\n])*'", r'"(?:\\.|[^"\\\n])*"', r"`[^`]*`")
_COMMENTS = (r"/\*.*?\*/", r"--[^\n]*", r"\#[^\n]*")
_NOT_CODE = re.compile("|".join((*_TEXTS, *_COMMENTS)), re.DOTALL)
_PARAMETER = re.compile(r"(?<![@\w])@(date|window_start)\b", re.IGNORECASE)


def parse_date(text: str) -> str:
    """Return a day in ISO 8601; `today` and `yesterday` are days in UTC. Raises ValueError."""
    if text in _WORDS:
        return (datetime.now(timezone.utc).date() - timedelta(days=_WORDS[text])).isoformat()
    try:
        is_day = bool(_ISO.fullmatch(text)) and Day.fromisoformat(text) >= _EPOCH
    except ValueError:
        is_day = False
    if not is_day:
        raise ValueError("must be a day from 1970-01-01 on as YYYY-MM-DD, or today or yesterday, in UTC")
    return text


DATE = Value(parse_date)


@dataclass(frozen=True)
class DateSettings:
    """The day of a run in ISO 8601, and the `window` of days that ends with it.

    Of these days, `allow_missing` may have no files.

    DateSettings("2024-03-01", window=2).days  # 2024-02-29 and 2024-03-01
    """

    date: str | None = field(
        default=None,
        metadata=flag(
            "day to read, YYYY-MM-DD, or today or yesterday in UTC: fills {YYYY}, {MM}, {DD} or {SPAN} in --input, and "
            "@date in --query",
            Group.DATA,
            DATE,
            metavar="DAY",
        ),
    )
    window: int = field(
        default=1, metadata=flag("read N days, of which --date is the last", Group.DATA, INTEGER, metavar="N")
    )
    allow_missing: int = field(
        default=0, metadata=flag("up to N days of --window may have no files", Group.DATA, INTEGER, metavar="N")
    )

    @property
    def days(self) -> tuple[Day, ...]:
        """The days of the window in their order; none without a date."""
        if self.date is None:
            return ()
        last = Day.fromisoformat(self.date)
        return tuple(last - timedelta(days=before) for before in reversed(range(self.window)))

    @property
    def span(self) -> int | None:
        """The days from 1970-01-01 to the date, as TFX counts; None without a date."""
        return span_of(self.days[-1]) if self.days else None

    def parameters(self, query: str) -> Mapping[str, Day]:
        """Return the values of the parameters that a query names: `date` and `window_start`."""
        values = {"date": self.days[-1], "window_start": self.days[0]} if self.days else {}
        return {name: values[name] for name in parameters_of(query) if name in values}

    def faults(self, inputs: Sequence[str], query: str | None) -> Iterator[str]:
        """Yield what is wrong, by option."""
        yield from (fault for pattern in inputs for fault in _faults_of_pattern(pattern))
        dated, named = [one for one in inputs if is_dated(one)], parameters_of(query or "")
        if self.date is None:
            yield from (f"--input {pattern}: its placeholders require --date" for pattern in dated)
            yield from (f"--query: @{name} requires --date" for name in named)
            given = {"--window": self.window != 1, "--allow_missing": self.allow_missing != 0}
            yield from (f"{option} requires --date" for option, is_given in given.items() if is_given)
            return
        fault = self._fault_of_numbers()
        if fault:
            yield fault
            return
        if not dated and not named:
            yield (
                f"--date {self.date}: no --input has {{YYYY}}, {{MM}} and {{DD}} or {{SPAN}}, and no --query names "
                "@date"
            )
        if self.allow_missing and not dated:
            yield "--allow_missing: no --input has the placeholders of a day"
        if self.window > 1 and named and "window_start" not in named:
            yield f"--window {self.window}: --query must also name @window_start, the first of these days"
        yield from (fault for pattern in dated for fault in self._faults_of_width(pattern))

    def _fault_of_numbers(self) -> str:
        """Return what is wrong with the numbers by themselves, empty if nothing is."""
        try:
            parse_date(self.date or "")
        except ValueError as error:
            return f"--date {self.date!r}: {error}"
        if not 1 <= self.window <= _LONGEST_WINDOW:
            return f"--window {self.window}: must be between 1 and {_LONGEST_WINDOW}"
        if Day.fromisoformat(self.date or "") - timedelta(days=self.window - 1) < _EPOCH:
            return f"--window {self.window}: begins before 1970-01-01"
        if not 0 <= self.allow_missing < self.window:
            return f"--allow_missing {self.allow_missing}: must be less than --window {self.window}, and not negative"
        return ""

    def _faults_of_width(self, pattern: str) -> Iterator[str]:
        widths = [width for name, width in _PLACEHOLDER.findall(pattern) if name == _SPAN and _WIDTH.fullmatch(width)]
        narrow = [width for width in widths if int(width) < len(str(self.span))]
        if narrow:
            yield f"--input {pattern}: span {self.span} has more than {narrow[0]} digits"


def span_of(day: Day) -> int:
    """Return the days from 1970-01-01 to a day."""
    return (day - _EPOCH).days


def is_dated(pattern: str) -> bool:
    """Return whether a pattern has placeholders."""
    return bool(_PLACEHOLDER.search(pattern))


def has_version(pattern: str) -> bool:
    """Return whether a pattern has the placeholder of a version."""
    return any(name == _VERSION for name, _ in _PLACEHOLDER.findall(pattern))


def fill(pattern: str, day: Day) -> str:
    """Return a pattern with a day for its placeholders; that of a version stays.

    fill("day={YYYY}-{MM}-{DD}/v{VERSION}/*.csv", date(2026, 11, 24))  # day=2026-11-24/v{VERSION}/*.csv
    """

    def value(found: re.Match[str]) -> str:
        name, width = found[1], int(found[2] or 0)
        values = {"YYYY": f"{day:%Y}", "MM": f"{day:%m}", "DD": f"{day:%d}", _SPAN: str(span_of(day)).zfill(width)}
        return values.get(name, found[0])

    return _PLACEHOLDER.sub(value, pattern)


def with_wildcards(pattern: str) -> str:
    """Return a pattern with a wildcard for each placeholder."""
    return _PLACEHOLDER.sub("*", pattern)


def around_version(pattern: str) -> tuple[str, str, int | None]:
    """Return what a pattern has before and after the placeholder of a version, and its width, None if any."""
    found = _PLACEHOLDER.search(pattern)
    assert found is not None
    return pattern[: found.start()], pattern[found.end() :], int(found[2]) if found[2] else None


def parameters_of(query: str) -> list[str]:
    """Return which of the parameters `date` and `window_start` a query names, outside of texts and comments."""
    code = _NOT_CODE.sub(" ", query)
    return sorted({name.lower() for name in _PARAMETER.findall(code)})


def _faults_of_pattern(pattern: str) -> Iterator[str]:
    found = _PLACEHOLDER.findall(pattern)
    names = {name for name, _ in found}
    at = f"--input {pattern}:"
    lacking = [f"{{{name}}}" for name in _DATE_PARTS if name not in names]
    if 0 < len(lacking) < len(_DATE_PARTS):
        yield f"{at} has no {' and no '.join(lacking)}; a day needs {{YYYY}}, {{MM}} and {{DD}}"
    if _SPAN in names and len(lacking) < len(_DATE_PARTS):
        yield f"{at} has {{SPAN}} and parts of a date, which exclude each other"
    if names == {_VERSION}:
        yield f"{at} {{VERSION}} requires {{SPAN}}, or {{YYYY}}, {{MM}} and {{DD}}"
    if sum(name == _VERSION for name, _ in found) > 1:
        yield f"{at} has {{VERSION}} more than once"
    for one in _PLACEHOLDER.finditer(pattern):
        has_width = one[1] in (_SPAN, _VERSION)
        if one[2] is not None and not (has_width and _WIDTH.fullmatch(one[2])):
            yield f"{at} {one[0]}: " + ("the width must be between 1 and 99" if has_width else "has no width")
