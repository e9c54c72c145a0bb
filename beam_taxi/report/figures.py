"""Numbers and text from the data, formatted for readers."""

from __future__ import annotations

import math
import unicodedata

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
"""Unicode categories that a page or a terminal would obey rather than show, or that look like a space."""


def number(value: float) -> str:
    """Return five significant digits with thousands separators; whole numbers below 10^15 in full."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1e15 or abs(value) < 1e-4:
        return f"{value:.3e}"
    text = f"{value:,.{max(0, 4 - math.floor(math.log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float) -> str:
    """Return a share as a percentage, which is shown as 0% or 100% only if it is exact."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    if share < 0.0005:
        return "<0.1%"
    if share > 0.9995:
        return ">99.9%"
    return f"{share:.1%}"


def size(count: int) -> str:
    """Return bytes in the binary unit that leaves one to four digits before the point."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return the count with its noun."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def printable(text: str, longest: int = 200) -> str:
    """Return text from the data with invisible characters as escapes, cut after `longest` characters.

    Of the spaces, the usual one is not escaped.
    """
    cut = text[:longest]
    shown = "".join(_escape(char) if unicodedata.category(char) in _INVISIBLE and char != " " else char for char in cut)
    return shown + "…" if len(text) > longest else shown


SYMBOLS = {"␣": "space", "⍽": "no-break space"}
"""Symbols for white space, and what they stand for: those of ISO 9995-7."""


def visible(text: str, longest: int = 200) -> str:
    """Return a name or a value from the data like `printable`, with symbols for no-break spaces and spaces at an end.

    visible("Cash ")  # "Cash␣"
    """
    inner = text[:longest].lstrip(" ")
    leading = len(text[:longest]) - len(inner)
    # What is at the end of truncated text was inside.
    trailing = 0 if len(text) > longest else len(inner) - len(inner.rstrip(" "))
    middle = inner[: len(inner) - trailing]
    shown = "⍽".join(printable(part, longest) for part in middle.split("\u00a0"))
    return "␣" * leading + shown + "␣" * trailing + "…" * (len(text) > longest)


def _escape(char: str) -> str:
    code = ord(char)
    short = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(char)
    return short or (f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
