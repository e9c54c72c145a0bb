"""The faults that `faults.py` plants: typical ones of tables that others deliver."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from planted import (
    ROWS,
    Cells,
    Change,
    Fault,
    Floats,
    Table,
    few,
    numbers,
    on,
    rows_of,
    some,
    swapped,
    taken,
    values,
)

YEAR = 365 * 24 * 3600
"""Seconds."""


def _of(column: str, name: str, change: Change) -> Fault:
    return Fault(name, (column,), on(column, change=change))


def _replaced(old: str | None, new: str | None) -> Change:
    return values(lambda v: new if v == old else v)


def _renamed(table: Table, rng: np.random.Generator) -> Table:
    return {"miles" if name == "trip_miles" else name: column for name, column in table.items()}


def _without(table: Table, rng: np.random.Generator) -> Table:
    return {name: column for name, column in table.items() if name != "tips"}


def _with_new(table: Table, rng: np.random.Generator) -> Table:
    return {**table, "surge": pa.array([f"{one:.1f}" for one in rng.random(rows_of(table))])}


def _half(table: Table, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.sort(rng.permutation(rows_of(table))[: rows_of(table) // 2])


def _twice(table: Table, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.tile(np.arange(rows_of(table)), 2)


def _without_landmark(table: Table, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.flatnonzero(np.array(table["landmark"].to_pylist(), object) != "Willis Tower")


def _repeated(cells: Cells, rng: np.random.Generator) -> Cells:
    made = cells.copy()
    hit = rng.random(len(cells)) < 0.01
    hit[0] = True
    made[hit] = cells[(np.flatnonzero(hit) + 1) % len(cells)]
    return made


def _with_noise(x: Floats, rng: np.random.Generator) -> Floats:
    return np.round(x + rng.normal(0, x.std() / 2, len(x)), 2)


def _times(factor: float) -> Change:
    return numbers(lambda x, rng: np.round(x * factor, 2))


def _sometimes(share: float, text: str) -> Change:
    return some(share, lambda v: text)


def _outlier(cell: str) -> str:
    return repr(round(float(cell) * 1000, 2))


def _day_first(cell: str | None) -> str | None:
    return cell if cell is None else "/".join(reversed(cell.split("-")))


def _garbled(cell: str | None) -> str | None:
    return cell if cell is None else cell.encode().decode("latin-1")


FAULTS: tuple[Fault, ...] = (
    Fault("column gone", ("tips",), _without),
    Fault("column new", ("surge",), _with_new),
    Fault("column renamed", ("trip_miles", "miles"), _renamed),
    Fault("columns swapped", ("trip_miles", "tips"), swapped("trip_miles", "tips")),
    Fault(
        "similar columns swapped",
        ("pickup_community_area", "dropoff_community_area"),
        swapped("pickup_community_area", "dropoff_community_area"),
    ),
    Fault(
        "latitude and longitude swapped",
        ("pickup_latitude", "pickup_longitude"),
        swapped("pickup_latitude", "pickup_longitude"),
    ),
    _of("fare", "text among numbers, 1%", _sometimes(0.01, "unknown")),
    _of("fare", "text among numbers, one row", few(1, lambda v: "unknown")),
    _of("payment_type", "new category, 5%", _sometimes(0.05, "Voucher")),
    _of("payment_type", "new category, 0.2%", _sometimes(0.002, "Voucher")),
    _of("payment_type", "category renamed", _replaced("Credit Card", "Credit")),
    _of("payment_type", "all re-cased", _replaced("Cash", "CASH")),
    _of("payment_type", "10% re-cased", some(0.1, str.upper)),
    _of("payment_type", "space appended, 10%", some(0.1, lambda v: f"{v} ")),
    _of("company", "category of 1.6% lost", _replaced("KOAM Taxi Association", "Choice Taxi Association")),
    _of("payment_type", "shares changed, 33% to 23%", some(0.3, lambda v: "Cash")),
    _of("trip_seconds", "missing in 5%", some(0.05, lambda v: None)),
    _of("trip_seconds", "missing in 50%", some(0.5, lambda v: None)),
    _of("trip_seconds", "all missing", values(lambda v: None)),
    _of("company", "missing filled", _replaced(None, "Taxi Affiliation Services")),
    _of("trip_miles", "miles to kilometres", _times(1.609)),
    _of("trip_seconds", "seconds to minutes", numbers(lambda x, rng: np.rint(x / 60))),
    _of("fare", "dollars to cents", numbers(lambda x, rng: np.rint(x * 100))),
    _of("fare", "shifted by 10% of the mean", numbers(lambda x, rng: np.round(x + 0.1 * x.mean(), 2))),
    _of("toll", "scaled by 1.2", _times(1.2)),
    _of("fare", "negated", _times(-1)),
    _of("fare", "negated, 1%", some(0.01, lambda v: f"-{v}")),
    _of("trip_miles", "rounded to whole numbers", numbers(lambda x, rng: np.rint(x))),
    _of("toll", "two decimals lost", numbers(lambda x, rng: np.floor(x))),
    _of("fare", "zeroed", numbers(lambda x, rng: 0 * x)),
    _of("fare", "zeroed, 10%", _sometimes(0.1, "0.0")),
    _of("fare", "constant", values(lambda v: "9.85")),
    _of("payment_type", "constant text", values(lambda v: "Cash")),
    _of("trip_miles", "sentinel -999, 1%", _sometimes(0.01, "-999")),
    _of("trip_seconds", "sentinel 9999, 1%", _sometimes(0.01, "9999")),
    Fault(
        "coordinates 0, 1%",
        ("pickup_latitude", "pickup_longitude"),
        on("pickup_latitude", "pickup_longitude", change=_sometimes(0.01, "0.0")),
    ),
    _of("trip_start_timestamp", "1970 dates, 1%", _sometimes(0.01, "0")),
    _of("trip_start_timestamp", "a year later", numbers(lambda x, rng: x + YEAR)),
    _of("trip_start_timestamp", "10 years later, 1%", some(0.01, lambda v: str(int(v) + 10 * YEAR))),
    _of("fare", "5 outliers x1000", few(5, _outlier)),
    _of("fare", "1 outlier x1000", few(1, _outlier)),
    _of("fare", "NaN, 1%", _sometimes(0.01, "nan")),
    _of("fare", "infinity, 1%", _sometimes(0.01, "inf")),
    Fault("half of the rows gone", (ROWS,), taken(_half)),
    Fault("rows doubled", (ROWS, "trip_id"), taken(_twice)),
    Fault("rows of one category gone", ("landmark",), taken(_without_landmark), consequences=(ROWS,)),
    _of("trip_date", "date format changed", values(_day_first)),
    _of("landmark", "mojibake", values(_garbled)),
    _of("company", "truncated to 10 characters", values(lambda v: v if v is None else v[:10])),
    _of("trip_id", "ids repeated, 1%", _repeated),
    _of("shared", "flag inverted", values(lambda v: {"0": "1", "1": "0"}[v or "0"])),
    _of("vehicle_class", "integer out of its domain, 1%", _sometimes(0.01, "9")),
    _of("fare", "noise of half a deviation", numbers(_with_noise)),
)
