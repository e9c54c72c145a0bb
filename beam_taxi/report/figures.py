"""Numbers and text from the data, formatted for readers."""

from __future__ import annotations

import math
import unicodedata

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
"""Unicode categories that a page or a terminal would obey rather than show: controls, bidi marks, separators."""


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


_SPACES = {" ": "␣", "\u00a0": "⍽"}
"""Symbols for white space that is shown: open box and shouldered open box, the symbols of ISO 9995-7."""

SYMBOLS = {"␣": "space", "⍽": "no-break space"}


def printable(text: str, longest: int = 200) -> str:
    """Return text from the data with invisible characters as escapes, truncated after `longest` characters.

    White space at an end is shown by symbols, and so is any that looks like a space but is none.

        printable("Cash ")  # "Cash␣"
    """
    cut = text[:longest]
    start = len(cut) - len(cut.lstrip(" "))
    end = len(cut) if len(text) > longest else len(cut.rstrip(" "))
    shown = "".join(_show(char, is_outer=not start <= i < end) for i, char in enumerate(cut))
    return shown + "…" if len(text) > longest else shown


def _show(char: str, is_outer: bool) -> str:
    if char == " " and not is_outer:
        return char
    return _SPACES.get(char) or escaped(char)


def escaped(text: str) -> str:
    """Return text with invisible characters as escapes of Python and of bash's $'…'; spaces stay as they are."""
    return "".join(_escape(char) if char != " " and unicodedata.category(char) in _INVISIBLE else char for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    short = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(char)
    return short or (f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
