"""Thirty faults, ten for each table, and how a report names each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

Random = np.random.Generator
Plant = Callable[[pd.DataFrame, Random, Collection[str]], pd.DataFrame]
"""A function of a table, a random generator, and the batches whose rows are not for training."""


@dataclass(frozen=True)
class Fault:
    """A fault in some columns of a table.

    `kinds` are the kinds of findings that name it. A text names it if it has the names of all columns, and matches
    `words`: that is generous to reports that show a symptom instead.
    """

    table: str
    name: str
    columns: Sequence[str]
    kinds: Collection[str]
    words: str
    plant: Plant

    def is_named_by(self, text: str, columns: Iterable[str]) -> bool:
        """Return whether a text names the fault; one with many names, such as a header, says nothing of each."""
        names = {one for one in columns if re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text)}
        if not names.issuperset(self.columns) or len(names) > len(self.columns) + OTHERS:
            return False
        return re.search(self.words, text, re.IGNORECASE) is not None


OTHERS = 2
"""Maximum number of other columns in a text that names a fault."""

OUTLIER = r"outlier|extreme|far (beyond|above)|skewed"
SENTINEL = r"sentinel|placeholder|stands? for (a )?missing"
COPY = r"copy|copies|equal|identical|same values|correlat|\b0\.9\d*\b|\b1(\.0+)?\b"
CONSTANT = r"constant|single value|one value|same value"
EMPTY = r"empty|no values|100(\.0)? ?% (missing|null)|(missing|null)\D{0,20}100(\.0)? ?%|[\d,]+ \(100(\.0)?%\)"
UNIQUE = r"\bunique (?!values)|\bunique$|identif|[\d,]+ \(100(\.0)?%\)|(every|each|all) .{0,30}(distinct|different)"
TEXT = r"numbers? (kept )?as text|\bas text|looks? numeric|numeric text|numbers in text|read as numbers"
SPACE = r"white ?space|invisible|padded|trailing|leading|zero.width|u200b"
CASE = r"\bcase|spelling|variant|capital"
RARE = r"rare|infrequent|only \d+ rows?|imbalance|spelling"
MANY = r"high cardinality|many (distinct |different )?values|\bcardinality|1\d,?\d{3} distinct"
LABEL = r"gives?\b.{0,30} away|leak|predict|\bdefault\b"
ROWS = r"duplicate rows?\W+[1-9]|[1-9][\d,]* .{0,20}(duplicate|repeated|identical) rows|rows?\b.{0,20} repeat"
TOGETHER = r"together|same rows|correlat|lack"


def _set(column: str, share: float, value: object) -> Plant:
    """Return a fault that sets a share of the cells of a column to a value, and at least three."""

    def plant(table: pd.DataFrame, rng: Random, held_out: Collection[str]) -> pd.DataFrame:
        count = max(3, round(share * len(table)))
        cells = table[column].astype(object)
        cells.iloc[rng.choice(len(table), count, replace=False)] = value
        return table.assign(**{column: cells})

    return plant


def _map(column: str, share: float, change: Callable[[str], str]) -> Plant:
    """Return a fault that changes a share of the cells of a column, as text."""

    def plant(table: pd.DataFrame, rng: Random, held_out: Collection[str]) -> pd.DataFrame:
        cells = table[column].astype(str)
        hit = rng.random(len(table)) < share
        return table.assign(**{column: cells.where(~hit, cells.map(change))})

    return plant


def _add(column: str, make: Callable[[pd.DataFrame, Random], object]) -> Plant:
    """Return a fault that is a column of its own."""
    return lambda table, rng, held_out: table.assign(**{column: make(table, rng)})


def _repeat_rows(table: pd.DataFrame, rng: Random, held_out: Collection[str]) -> pd.DataFrame:
    to, rest = np.split(rng.permutation(len(table)), [len(table) // 50])
    repeated = table.copy()
    repeated.iloc[to] = table.iloc[rng.choice(rest, len(to), replace=False)].to_numpy()
    return repeated


def _missing_together(table: pd.DataFrame, rng: Random, held_out: Collection[str]) -> pd.DataFrame:
    missing = rng.random(len(table)) < 0.12
    made = {f"shift_{name}": rng.integers(1, 400, len(table)).astype(object) for name in ("driver", "car", "zone")}
    for cells in made.values():
        cells[missing] = None
    return table.assign(**made)


def _held_out_differs(table: pd.DataFrame, rng: Random, held_out: Collection[str]) -> pd.DataFrame:
    return table.assign(temperature=(table["temperature"] + 1.5 * table["batch"].isin(held_out)).round(1))


def _default_is_rare(table: pd.DataFrame, rng: Random, held_out: Collection[str]) -> pd.DataFrame:
    return table.assign(default=table["default"] * (rng.random(len(table)) < 0.03))


def _nearly_all(column: str, table: pd.DataFrame, rng: Random) -> pd.Series:
    other = table[column].sample(frac=1, random_state=rng.integers(2**31)).to_numpy()
    return table[column].where(rng.random(len(table)) < 0.99, other)


def _hexadecimal(table: pd.DataFrame, rng: Random) -> list[str]:
    return [f"{one:016x}" for one in rng.integers(0, 2**63, len(table))]


FAULTS = (
    Fault("taxi", "outliers", ["fare"], ["outliers"], OUTLIER, _set("fare", 0, "98765.0")),
    Fault(
        "taxi",
        "coordinates of 0",
        ["pickup_latitude"],
        ["sentinel", "outliers"],
        rf"{SENTINEL}|coordinate|skewed|has .* zeros|zeros \(%\) 1\.0",
        _set("pickup_latitude", 0.01, "0.0"),
    ),
    Fault(
        "taxi", "white space", ["payment_type"], ["white_space"], SPACE, _map("payment_type", 0.02, lambda v: f"{v} ")
    ),
    Fault(
        "taxi",
        "currency in numbers",
        ["extras"],
        ["numbers_as_text"],
        TEXT,
        _add("extras", lambda t, rng: [f"${v:,.2f}" for v in rng.gamma(2, 700, len(t))]),
    ),
    Fault("taxi", "constant text", ["currency"], ["constant"], CONSTANT, _add("currency", lambda t, rng: "USD")),
    Fault("taxi", "copy", ["fare", "fare_charged"], ["copy"], COPY, _add("fare_charged", lambda t, rng: t["fare"])),
    Fault("taxi", "empty", ["surcharge"], ["empty"], EMPTY, _add("surcharge", lambda t, rng: None)),
    Fault(
        "taxi",
        "missing together",
        ["shift_driver", "shift_car", "shift_zone"],
        ["missing_together"],
        TOGETHER,
        _missing_together,
    ),
    Fault(
        "taxi",
        "many zeros",
        ["tolls"],
        ["many_zeros"],
        r"(mostly|many) zeros?|\b9[67](\.\d+)?\s?%",
        _add("tolls", lambda t, rng: np.where(rng.random(len(t)) < 0.97, 0, rng.gamma(3, 2, len(t)).round(2) + 0.5)),
    ),
    Fault("taxi", "duplicate rows", [], ["duplicate_rows"], ROWS, _repeat_rows),
    Fault("census", "id", ["customer"], ["unique"], UNIQUE, _add("customer", _hexadecimal)),
    Fault("census", "imbalance of the label", ["default"], ["imbalance"], r"imbalance|unbalanced", _default_is_rare),
    Fault(
        "census",
        "gives the label away",
        ["recovery_fee"],
        ["gives_away_label"],
        LABEL,
        _add("recovery_fee", lambda t, rng: np.where(t["default"] == 1, rng.integers(50, 400, len(t)), 0)),
    ),
    Fault("census", "case variants", ["work"], ["case_variants"], CASE, _map("work", 0.02, str.lower)),
    Fault(
        "census",
        "rare misspelling",
        ["education"],
        ["rare_values", "case_variants"],
        RARE,
        _set("education", 0, "Bachlor"),
    ),
    Fault(
        "census",
        "-999 for missing",
        ["income"],
        ["sentinel", "outliers"],
        rf"{SENTINEL}|\W999\b|negative",
        _set("income", 0.01, -999),
    ),
    Fault(
        "census",
        "far too old",
        ["age"],
        ["sentinel", "outliers"],
        rf"{OUTLIER}|{SENTINEL}|\b999\b",
        _set("age", 0.001, 999),
    ),
    Fault(
        "census",
        "near copy",
        ["hours_per_week", "hours_paid"],
        ["copy"],
        COPY,
        _add("hours_paid", lambda t, rng: _nearly_all("hours_per_week", t, rng)),
    ),
    Fault(
        "census",
        "mostly missing",
        ["spouse_income"],
        ["many_missing"],
        r"mostly (missing|empty)|\b9[56](\.\d+)?\s?%",
        _add(
            "spouse_income",
            lambda t, rng: pd.Series(rng.integers(10, 90, len(t)) * 1000, dtype=object).where(
                rng.random(len(t)) < 0.04, None
            ),
        ),
    ),
    Fault(
        "census",
        "thousands separators",
        ["savings"],
        ["numbers_as_text"],
        TEXT,
        _add("savings", lambda t, rng: [f"{v:,}" for v in rng.integers(1_000, 90_000, len(t))]),
    ),
    Fault(
        "orders",
        "invisible characters",
        ["country"],
        ["white_space"],
        SPACE,
        _map("country", 0.02, lambda v: f"{v}\u200b"),
    ),
    Fault(
        "orders",
        "NaN among numbers",
        ["humidity"],
        ["nan", "numbers_as_text"],
        rf"\bNaN\b|{TEXT}|\b3(\.0)?\s?%",
        _set("humidity", 0.03, "NaN"),
    ),
    Fault(
        "orders",
        "many values",
        ["session"],
        ["many_values"],
        MANY,
        _add("session", lambda t, rng: [f"s{v:x}" for v in rng.integers(0, 0.7 * len(t), len(t)) * 7919]),
    ),
    Fault(
        "orders",
        "skew",
        ["order_value"],
        ["skewed", "outliers"],
        r"skew|long tail|outlier",
        _add("order_value", lambda t, rng: rng.lognormal(3, 2.2, len(t)).round(2)),
    ),
    Fault(
        "orders",
        "train and eval differ",
        ["temperature"],
        ["split_difference"],
        r"differ|drift|shift",
        _held_out_differs,
    ),
    Fault(
        "orders",
        "units in numbers",
        ["weight"],
        ["numbers_as_text"],
        TEXT,
        _add("weight", lambda t, rng: [f"{v:.1f} kg" for v in rng.gamma(4, 2, len(t))]),
    ),
    Fault(
        "orders",
        "dates of 1970",
        ["ordered_on"],
        ["sentinel"],
        rf"{SENTINEL}|1970",
        _set("ordered_on", 0.01, "1970-01-01"),
    ),
    Fault(
        "orders",
        "near copy of text",
        ["country", "ship_country"],
        ["copy"],
        COPY,
        _add("ship_country", lambda t, rng: _nearly_all("country", t, rng)),
    ),
    Fault("orders", "constant number", ["firmware"], ["constant"], CONSTANT, _add("firmware", lambda t, rng: 7)),
    Fault(
        "orders", "outliers among counts", ["quantity"], ["outliers", "sentinel"], OUTLIER, _set("quantity", 0, 250_000)
    ),
)
"""In the order in which they are planted: copies and repeated rows have the faults that are planted before them."""


def planted(table: str, clean: pd.DataFrame, seed: int, held_out: Collection[str]) -> pd.DataFrame:
    """Return a table with its ten faults."""
    rng = np.random.default_rng([seed, 3])
    made = clean
    for fault in FAULTS:
        if fault.table == table:
            made = fault.plant(made, rng, held_out)
    return made
