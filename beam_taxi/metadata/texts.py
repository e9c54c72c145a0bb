"""Texts that fit into a property of a store, or into a message."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

MAX_TEXT = 16_000
"""Maximum number of characters of a text property: with 4 bytes each, fewer than the 65,535 bytes of MySQL's TEXT."""

T = TypeVar("T")


def shorten(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text of at most `limit` characters: the beginning and the end of a longer one, with an ellipsis between.

    The end of an error often has what matters most, such as an address.

    >>> shorten("0123456789", 9)
    '012345…89'
    """
    if len(text) <= limit:
        return text
    end = limit // 4
    return f"{text[: limit - end - 1]}…{text[-end:]}"


def text_of_first(items: Sequence[T], text_of: Callable[[Sequence[T]], str]) -> tuple[str, int]:
    """Return the text of the first items, as many as fit into a property, and the number of those left out."""
    counts = range(len(items) + 1)
    kept = bisect_right(counts, MAX_TEXT, key=lambda count: len(text_of(items[:count]))) - 1
    return text_of(items[:kept]), len(items) - kept


def storable(text: str) -> str:
    r"""Return a text that every store takes: it would end at a NUL, and bytes that are not UTF-8 are an error.

    >>> storable("caf\udce9.csv")
    'caf\\udce9.csv'
    """
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode()
