"""How people write numbers, as regular expressions of RE2."""

from __future__ import annotations

DIGIT = r"[0-9]"

NUMBER = (
    r"^[\s\pZ]*(?:[-+\x{2212}]\s?)?(?:(?:[$€£¥]|USD|EUR|GBP)\s?)?[-+]?"
    r"(?:[0-9]{1,3}(?:[,.'\x{2019}\pZ][0-9]{3})+|[0-9]+)?(?:[.,][0-9]*)?(?:[eE][-+]?[0-9]+)?"
    r"\s?(?:%|[$€£¥]|USD|EUR|GBP|km|mi|kg|lbs?|min|ms|[hskKMB])?[\s\pZ]*$"
)
"""A number with what may be around it: white space, a sign, thousands separators, a currency, per cent or a unit.

It also matches text without a digit.
"""
