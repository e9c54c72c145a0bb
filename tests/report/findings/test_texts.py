"""Findings in strings, by tables of columns that have one and of columns that nearly have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from beam_taxi.report.findings.find import find
from beam_taxi.report.findings.finding import Finding
from tests.report.findings.profiles import of_one

WARNING, INFO = "warning", "info"


def cells(counts: Mapping[str, int]) -> list[str]:
    return [value for value, count in counts.items() for _ in range(count)]


def kinds(counts: Mapping[str, int], *others: Mapping[str, int], name: str = "x") -> dict[str, Finding]:
    return {one.kind: one for one in find(of_one(cells(counts), *map(cells, others), name=name))}


PAYMENTS = {"Cash": 600, "Credit Card": 380, "No Charge": 40}
FARES = {f"{1 + i / 4}": 1 for i in range(999)}
DATES = {f"2014-{1 + i % 12:02}-{1 + i % 28:02}": 5 for i in range(84)}
TIMES = {f"{one} 10:00": n for one, n in DATES.items()}

NUMBERS: dict[str, tuple[Mapping[str, int], str, str]] = {
    "a unit": (
        {**FARES, "12.5 USD": 1},
        WARNING,
        "x is text: 1,000 of 1,000 values are numbers, but '12.5 USD' is not a plain",
    ),
    "a word": (
        {**FARES, "free": 3},
        WARNING,
        "999 of 1,002 values are numbers, but 'free' (3 times) is not a plain number",
    ),
    "thousands": ({**FARES, "1,200": 1}, WARNING, "but '1,200' is not a plain number"),
    "plain": (FARES, WARNING, "x is text: 999 of 999 values are numbers, such as "),
    "half": ({**FARES, **{f"word {chr(97 + i % 26)}": 40 for i in range(20)}}, INFO, " of 1,799 values are numbers"),
}
NO_NUMBERS: dict[str, Mapping[str, int]] = {
    "codes with leading zeros": {f"{i:05}": 2 for i in range(300)},
    "words": PAYMENTS,
    "a few numbers": {**PAYMENTS, "12": 100},
}


@pytest.mark.parametrize(("counts", "severity", "text"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_as_text(counts: Mapping[str, int], severity: str, text: str):
    found = kinds(counts)
    assert found["numbers_as_text"].severity == severity
    assert text in found["numbers_as_text"].text
    assert not {"many_values", "unique"} & set(found)


@pytest.mark.parametrize("counts", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_no_numbers_as_text(counts: Mapping[str, int]):
    assert "numbers_as_text" not in kinds(counts)


SPELLINGS: dict[str, tuple[Mapping[str, int], str, str, str]] = {
    "white space at the end": ({**PAYMENTS, "Cash ": 7}, "white_space", WARNING, "'Cash '"),
    "a non-breaking space": ({**PAYMENTS, "Cash\u00a0": 7}, "white_space", WARNING, r"'Cash\u00a0'"),
    "an invisible character": ({**PAYMENTS, "Ca\u200bsh": 7}, "white_space", WARNING, r"'Ca\u200bsh'"),
    "two spaces inside": ({**PAYMENTS, "Credit  Card": 7}, "white_space", WARNING, "'Credit  Card' (7 times)"),
    "no space inside": ({**PAYMENTS, "CreditCard": 7}, "white_space", WARNING, "'CreditCard'"),
    "all padded": ({f"{one} ": n for one, n in PAYMENTS.items()}, "white_space", INFO, "1,020 values (100%)"),
    "another case": ({**PAYMENTS, "cash": 7}, "case_variants", WARNING, "'cash' (7 times) and 'Cash' (600)"),
    "another case, as frequent": ({"yes": 50, "Yes": 50, "no": 90}, "case_variants", INFO, "'yes' (50 times)"),
    "one letter": ({"Y": 500, "N": 400, "y": 9}, "case_variants", WARNING, "'y'"),
    "a hyphen": ({**PAYMENTS, "Credit-Card": 7}, "case_variants", WARNING, "'Credit-Card'"),
    "full width": ({**PAYMENTS, "Ｃａｓｈ": 7}, "case_variants", WARNING, "'Ｃａｓｈ'"),
    "a letter left out": ({**PAYMENTS, "Credt Card": 2}, "case_variants", WARNING, "'Credt Card' (2 times)"),
    "a letter changed": ({**PAYMENTS, "Credit Xard": 2}, "case_variants", WARNING, "'Credit Xard'"),
    "letters swapped": ({**PAYMENTS, "No Chagre": 1}, "case_variants", WARNING, "'No Chagre' (1 time)"),
    "two rare ones": (
        {**PAYMENTS, "Pcard": 3, "Prcard": 2},
        "case_variants",
        WARNING,
        "'Prcard' (2 times) and 'Pcard' (3)",
    ),
}
NO_SPELLINGS: dict[str, Mapping[str, int]] = {
    "wards": {**{f"Ward {i}": 200 for i in range(1, 30)}, "Ward 31": 1},
    "short": {"cat": 500, "car": 1, "cow": 300},
    "the first letter": {"typical": 600, "atypical": 2, "none of them": 300},
    "both frequent": {"Austria": 500, "Austrie": 400},
    "grades": {"A": 300, "A+": 100, "A-": 90},
    "languages": {"C": 300, "C++": 100, "C#": 90},
    "a point between digits": {"1.2": 300, "12": 300, "v1.2": 200, "v12": 100, "word": 2000},
    "many words": {**{f"word{chr(97 + i % 26)}{chr(97 + i // 26)}": 1 + 400 * (i < 9) for i in range(300)}},
    "payments": PAYMENTS,
}


@pytest.mark.parametrize(("counts", "kind", "severity", "text"), SPELLINGS.values(), ids=SPELLINGS)
def test_spellings(counts: Mapping[str, int], kind: str, severity: str, text: str):
    found = kinds(counts)
    assert found[kind].severity == severity
    assert text in found[kind].text
    assert not {"white_space", "case_variants", "rare_values"} - {kind} & set(found)


@pytest.mark.parametrize("counts", NO_SPELLINGS.values(), ids=NO_SPELLINGS)
def test_no_spellings(counts: Mapping[str, int]):
    assert not {"white_space", "case_variants"} & set(kinds(counts))


def test_spellings_of_different_splits_are_compared():
    found = kinds(PAYMENTS, {**PAYMENTS, "cash": 2}, PAYMENTS)["case_variants"]
    assert found.text == "x: 'cash' (2 times) and 'Cash' (1,800) look like the same value (in eval)"
    assert found.splits == ("eval",)


def test_many_spellings_are_one_finding():
    found = kinds({**PAYMENTS, "cash": 2, "CASH": 3, "credit card": 1, "no charge": 1})["case_variants"]
    assert found.evidence["pairs"] == 4
    assert "and 2 more pairs of values" in found.text


PLACEHOLDERS: dict[str, tuple[Mapping[str, int], str, str]] = {
    "N/A": ({**PAYMENTS, "N/A": 7}, "N/A", WARNING),
    "null": ({**PAYMENTS, "NULL": 7}, "NULL", WARNING),
    "a question mark": ({**PAYMENTS, "?": 7}, "?", WARNING),
    "a hyphen": ({**PAYMENTS, "-": 1}, "-", WARNING),
    "-999": ({**PAYMENTS, "-999": 7}, "-999", WARNING),
    "none may be meant": ({**PAYMENTS, "None": 7}, "None", INFO),
    "a date that cannot be": ({**DATES, "9999-12-31": 1}, "9999-12-31", WARNING),
    "the first of January 1900": ({**DATES, "1900-01-01": 60}, "1900-01-01", WARNING),
    "1970 with a time": ({**TIMES, "1970-01-01 00:00": 60}, "1970-01-01 00:00", WARNING),
}
NO_PLACEHOLDERS: dict[str, Mapping[str, int]] = {
    "unknown is a category": {**PAYMENTS, "Unknown": 20, "Other": 20},
    "an honest date": {**DATES, "1970-01-01": 5},
    "dates": DATES,
    "codes": {f"{i}": 2 for i in range(9990, 10200)},
    "two values": {"yes": 100, "n/a": 100},
}


@pytest.mark.parametrize(("counts", "value", "severity"), PLACEHOLDERS.values(), ids=PLACEHOLDERS)
def test_placeholders(counts: Mapping[str, int], value: str, severity: str):
    found = kinds(counts)["sentinel"]
    assert (found.evidence["value"], found.evidence["count"], found.severity) == (value, counts[value], severity)


@pytest.mark.parametrize("counts", NO_PLACEHOLDERS.values(), ids=NO_PLACEHOLDERS)
def test_no_placeholders(counts: Mapping[str, int]):
    assert "sentinel" not in kinds(counts)


CATEGORIES: dict[str, tuple[Any, list[str]]] = {
    "ids": ({f"trip id {i}": 1 for i in range(600)}, ["unique"]),
    "few ids": ({f"id{i}": 1 for i in range(40)}, []),
    "ids of rows that occur twice": ({f"trip id {i}": 1 + (i < 2) for i in range(600)}, ["unique"]),
    "nearly ids": ({f"trip id {i}": 1 + (i < 9) for i in range(600)}, ["many_values"]),
    "many values": ({f"street {i} {chr(97 + i % 26)}": 2 for i in range(600)}, ["many_values"]),
    "some values": ({f"ward {i}": 90 for i in range(50)}, []),
    "rare": ({**PAYMENTS, "Dispute": 1}, ["rare_values"]),
    "rare ones": ({**{one: 10 * n for one, n in PAYMENTS.items()}, "Dispute": 4, "Voucher": 2}, ["rare_values"]),
    "ever rarer": ({"a": 4000, "b": 900, "c": 200, "d": 40, "e": 9, "f": 2}, []),
    "not rare": (PAYMENTS, []),
}


@pytest.mark.parametrize(("counts", "expected"), CATEGORIES.values(), ids=CATEGORIES)
def test_categories(counts: Mapping[str, int], expected: list[str]):
    assert list(kinds(counts)) == expected
