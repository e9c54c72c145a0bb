"""How a table is laid out in files: which of them have rows, and which columns are in their paths."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from beam_taxi import storage

_WILDCARD = re.compile(r"[*?\[]")
_MARKER = re.compile(r"_SUCCESS|_(metadata|common_metadata)|_(committed|started)_.*|\..*")
"""Files that Spark and others write beside the data."""

_TABLE = re.compile(
    r"([^.]*|.*\.(csv|tsv|txt|parquet|pq|jsonl|ndjson|tfrecords?)(-\d+-of-\d+)?)(\.(gz|bz2|zst))?", re.IGNORECASE
)
"""Names of files that are read if they are in a folder that is an input."""

_KEY = re.compile(r"([^=/]+)=([^/]*)")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

Keys = Mapping[str, str | None]


@dataclass(frozen=True)
class Layout:
    """The files of an input, each with the columns that are in its path; None is a missing value.

    `notes` says which files were skipped.
    """

    files: Mapping[str, tuple[storage.InputFile, Keys]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def lay_out(pattern: str, found: Sequence[storage.InputFile], base: str | None = None) -> Layout:
    """Return the layout of the files that match a pattern or are in a folder.

    A folder's name such as `month=1` is a column, as Hive and Spark write it, if it is not spelled out in the pattern,
    or if it is below the folder `base`. Empty files, and those that mark a finished job, are skipped if there are
    others.
    """
    if [file.uri for file in found] == [pattern]:
        return Layout({pattern: (found[0], {} if base is None else _keys(pattern, base))})
    base = base_of(pattern) if base is None else base
    is_folder = not _WILDCARD.search(pattern)
    reasons = {file.uri: _reason(file, is_folder) for file in found}
    if all(reasons.values()):
        reasons = dict.fromkeys(reasons, "")
    files = {file.uri: (file, _keys(file.uri, base)) for file in found if not reasons[file.uri]}
    return Layout(files, tuple(_notes(pattern, reasons)))


def base_of(pattern: str) -> str:
    """Return the folder that everything is below."""
    if not _WILDCARD.search(pattern):
        return pattern.rstrip("/")
    return _WILDCARD.split(pattern, maxsplit=1)[0].rpartition("/")[0]


def _reason(file: storage.InputFile, is_folder: bool) -> str:
    name = posixpath.basename(file.uri)
    if _MARKER.fullmatch(name):
        return "no data"
    if is_folder and not _TABLE.fullmatch(name):
        return "no table"
    return "" if file.size else "empty"


def _notes(pattern: str, reasons: Mapping[str, str]) -> Iterable[str]:
    for reason in dict.fromkeys(filter(None, reasons.values())):
        passed = [uri for uri, why in reasons.items() if why == reason]
        count = f"{len(passed):,} file{'' if len(passed) == 1 else 's'}"
        yield f"--input {pattern}: skipped {count} with {_WORDS[reason]}, such as {passed[0]}"


_WORDS = {"no data": "the name of a marker", "no table": "another ending", "empty": "no content"}


def _keys(uri: str, base: str) -> Keys:
    below = uri.removeprefix(base).split("/")[:-1]
    pairs = [found.groups() for part in below if (found := _KEY.fullmatch(part))]
    return {unquote(key): None if value in ("", _NO_VALUE) else unquote(value) for key, value in pairs}
