"""The files and tables of the days that a run reads, found before anything is claimed or paid."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

from beam_taxi import storage
from beam_taxi.dates import around_version, fill, has_version, is_dated, with_wildcards
from beam_taxi.errors import MissingDays, UsageError
from beam_taxi.settings import Settings
from beam_taxi.sources import registry
from beam_taxi.sources.layout import Layout, base_of, lay_out

_LISTINGS = 16
"""Days that are looked up at the same time."""


@dataclass(frozen=True)
class DayInput:
    """What a pattern with placeholders names for one day: `uri` is without placeholders.

    Columns are taken from the folders below `base`. A table has no files.
    """

    uri: str
    base: str = ""
    files: tuple[storage.InputFile, ...] = ()
    version: int | None = None

    @property
    def layout(self) -> Layout:
        """The files with the columns that are in their paths."""
        return lay_out(self.uri, self.files, self.base)


@dataclass(frozen=True)
class Days:
    """What the patterns with placeholders name for all days of a run.

    `version` is that of the last day, None without `{VERSION}`. `notes` says which days have no files.
    """

    inputs: tuple[DayInput, ...] = ()
    version: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def layouts(self) -> list[Layout]:
        """The layouts of the files."""
        return [one.layout for one in self.inputs if one.files]

    @property
    def tables(self) -> set[str]:
        """The URIs of the tables."""
        return {one.uri for one in self.inputs if not one.files}


def find_days(settings: Settings) -> Days:
    """Find the files and tables of every day. Raises UsageError, which is MissingDays if too many days have none."""
    patterns, days = [one for one in settings.input if is_dated(one)], settings.dates.days
    if not patterns:
        return Days()
    for pattern in patterns:
        if registry.is_table(pattern) and has_version(pattern):
            raise UsageError(f"--input {pattern}: {{VERSION}} cannot be in the name of a table")
    with ThreadPoolExecutor(_LISTINGS) as pool:
        pairs = [(pattern, day) for day in days for pattern in patterns]
        looked = list(pool.map(lambda pair: _find(pair[0], pair[1], settings), pairs))
    found = {pair: one for pair, one in zip(pairs, looked, strict=True) if one is not None}
    missing = [day for day in days if not any((pattern, day) in found for pattern in patterns)]
    _check_whole(patterns, [day for day in days if day not in missing], found)
    if len(missing) > settings.dates.allow_missing:
        allowed = settings.dates.allow_missing
        told = f"; --allow_missing {allowed} allows {allowed}" if allowed else ""
        raise MissingDays(f"--input {' '.join(patterns)}: no file for {_names(missing)}{told}")
    notes = [f"--input {' '.join(patterns)}: no file for {_names(missing)}"] if missing else []
    last = [found[pattern, days[-1]] for pattern in patterns if (pattern, days[-1]) in found]
    return Days(tuple(found.values()), _version(last), tuple(notes))


def _check_whole(patterns: Sequence[str], days: Sequence[date], found: Container[tuple[str, date]]) -> None:
    """Raises MissingDays if a pattern names nothing for a day of which another names something."""
    for pattern in patterns:
        lacking = [day for day in days if (pattern, day) not in found]
        if lacking:
            raise MissingDays(f"--input {pattern}: no file for {_names(lacking)}, of which another --input has files")


def _version(inputs: Sequence[DayInput]) -> int | None:
    """Return the version of a day. Raises UsageError if inputs have different ones, as TFX does."""
    by_version = {one.version: one.uri for one in inputs if one.version is not None}
    if len(by_version) > 1:
        told = ", ".join(f"{version} ({uri})" for version, uri in sorted(by_version.items()))
        raise UsageError(f"--input: the latest versions of the day differ: {told}")
    return next(iter(by_version), None)


def _find(pattern: str, day: date, settings: Settings) -> DayInput | None:
    """Return what a pattern names for a day, None if there is nothing."""
    if registry.is_table(pattern):
        uri = fill(pattern, day)
        return DayInput(uri) if registry.has_table(uri, settings) else None
    base = base_of(storage.absolute(with_wildcards(pattern)))
    uri = fill(storage.absolute(pattern), day)
    if has_version(pattern):
        return _find_latest(uri, base)
    files = storage.match_below(uri)
    return DayInput(uri, base, tuple(files)) if files else None


def _find_latest(pattern: str, base: str) -> DayInput | None:
    """Return the files of the highest version, None if there are none. Raises UsageError if two names are the same."""
    before, after, width = around_version(pattern)
    digits = f"[0-9]{{{width}}}" if width else "[0-9]+"
    expected = re.compile(f"{_regular_expression(before)}({digits}){_regular_expression(after)}(/.*)?")
    by_text: dict[str, list[storage.InputFile]] = {}
    for file in storage.match_below(f"{before}{'[0-9]' * width if width else '*'}{after}"):
        match = expected.fullmatch(file.uri)
        if match:
            by_text.setdefault(match[1], []).append(file)
    if not by_text:
        return None
    text = max(by_text, key=int)
    same = sorted(one for one in by_text if int(one) == int(text))
    if len(same) > 1:
        raise UsageError(f"--input {pattern}: version {int(text)} has several names: {', '.join(same)}")
    return DayInput(f"{before}{text}{after}", base, tuple(by_text[text]), int(text))


def _regular_expression(pattern: str) -> str:
    """Return a regular expression for what a pattern has matched already."""
    wildcards = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    return "".join(
        wildcards.get(part) or (part.replace("[!", "[^") if len(part) > 2 and part[0] == "[" else re.escape(part))
        for part in parts
    )


def _names(days: Sequence[date]) -> str:
    return ", ".join(day.isoformat() for day in days)
