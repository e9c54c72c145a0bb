"""Lines as Python objects whose numbers keep their text: exact, but slower than Arrow's reader.

It reads the blocks that Arrow cannot: those with bad lines, with values of several types in a column, or with numbers
that int64 and float64 do not hold.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

Object = dict[str, Any]


class Whole(str):
    """A whole number as it is written."""


class Decimal(str):
    """A number with decimals or an exponent, or NaN or an infinity, as it is written."""


class NotARow(ValueError):
    """A line is bad: its reason code and reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def load(line: bytes, flatten: bool) -> Object:
    """Return the object of a line by its keys; with `flatten` those of nested objects are joined by dots.

    Raises NotARow.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise NotARow("encoding", f"byte 0x{line[error.start]:02x} is not UTF-8") from error
    try:
        found = json.loads(
            text, parse_int=Whole, parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=_without_repetition
        )
        if "\\ud" in text.lower():
            json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise NotARow("json", f"is not JSON: {error.msg} (character {error.pos + 1})") from error
    except UnicodeEncodeError as error:
        raise NotARow("json", "is not JSON: half of a surrogate pair stands alone") from error
    except RecursionError as error:
        raise NotARow("json", "is JSON that is nested too deeply") from error
    if not isinstance(found, dict):
        raise NotARow("json", "is not a JSON object")
    return _without_repetition(list(_flat("", found))) if flatten else found


def _without_repetition(pairs: Sequence[tuple[str, Any]]) -> Object:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise NotARow("json", f"has the key {repeated!r} twice")
    return found


def _flat(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, one in value.items():
        if isinstance(one, dict):
            yield from _flat(f"{prefix}{key}.", one)
        else:
            yield prefix + key, one


@dataclass(frozen=True)
class Texts:
    """What is odd about the values of a column that became text: texts among them, and whole numbers beyond int64.

    They are counted, and have the number of the first row.
    """

    texts: tuple[int, int] | None = None
    beyond: tuple[int, int] | None = None

    def at(self, place: Callable[[int], int]) -> Texts:
        """Return the same with other numbers of rows."""
        texts = None if self.texts is None else (self.texts[0], place(self.texts[1]))
        return Texts(texts, None if self.beyond is None else (self.beyond[0], place(self.beyond[1])))


def column_of(values: Sequence[Any], has_lists: bool, keep_text: bool) -> tuple[pa.Array, Texts]:
    """Return the values of all rows of a column as the smallest type that holds them: int64, double, or text.

    `keep_text` says that numbers shall be text as they are written, unless all of them are whole.
    """
    if not has_lists:
        return _flat_column(values, range(len(values)), keep_text)
    lists = [one if one is None or isinstance(one, list) else [one] for one in values]
    rows = [row for row, one in enumerate(lists) for _ in one or ()]
    found, texts = _flat_column([value for one in lists for value in one or ()], rows, keep_text)
    lengths = np.array([0 if one is None else len(one) for one in lists], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    mask = np.array([*(one is None for one in lists), False])
    masked = pa.array(offsets, mask=mask) if mask.any() else pa.array(offsets)
    return pa.ListArray.from_arrays(masked, found), texts


def _flat_column(values: Sequence[Any], rows: Sequence[int], keep_text: bool) -> tuple[pa.Array, Texts]:
    texts = [row for row, value in zip(rows, values, strict=True) if type(value) is str]
    beyond = [row for row, value in zip(rows, values, strict=True) if type(value) is Whole and not _is_int64(value)]
    types = {type(value) for value in values} - {type(None)}
    told = Texts((len(texts), texts[0]) if texts else None, (len(beyond), beyond[0]) if beyond else None)
    is_exact = not texts and not beyond
    if not types:
        return pa.nulls(len(values)), told
    if is_exact and not (keep_text and _changes(values, types)):
        if types <= {Whole, bool}:
            return pa.array([None if one is None else int(one) for one in values], pa.int64()), told
        floats = [None if one is None else float(one) for one in values]
        if not any(map(_is_beyond_float64, values)):
            return pa.array(floats, pa.float64()), told
    return pa.array([_text(one) for one in values], pa.string()), told


def _changes(values: Sequence[Any], types: set[type]) -> bool:
    """Return whether the text of a value is another if it is a whole number."""
    return not types <= {Whole} or "-0" in values


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _is_beyond_float64(value: Any) -> bool:
    return type(value) is Decimal and "f" not in value and math.isinf(float(value))


def _is_int64(digits: str) -> bool:
    return len(digits) <= 20 and -(2**63) <= int(digits) < 2**63
