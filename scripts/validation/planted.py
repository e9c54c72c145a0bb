"""Tables of taxi trips as CSV, and faults to plant in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from beam_taxi.samples.taxi import CHUNK_ROWS, generate_chunk

Table = dict[str, pa.Array]
"""The cells of each column as text; null is an empty cell."""
Cells = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Change = Callable[[Cells, np.random.Generator], Cells]

LANDMARKS = ("Café Brauer", "Plaza Peñasco", "Museo de Arte", "Willis Tower", "Pâtisserie Océane")
CHECKS = "version: 1\nunique:\n  - columns: [trip_id]\n"


@dataclass(frozen=True)
class Fault:
    """A fault: its columns, and others that truly differ as a consequence.

    `ROWS` stands for the number of rows.
    """

    name: str
    columns: tuple[str, ...]
    plant: Callable[[Table, np.random.Generator], Table]
    consequences: tuple[str, ...] = ()


ROWS = "(rows)"


def synthetic(rows: int, seed: int) -> Table:
    """Return a table of synthetic trips, with the further columns."""
    chunks = [generate_chunk(seed, index) for index in range(-(-rows // CHUNK_ROWS))]
    whole = pa.Table.from_batches(chunks).slice(0, rows).combine_chunks()
    taxi = {name: _one(whole.column(name).cast(pa.string())) for name in whole.column_names}
    return taxi | _further_columns(rows, np.random.default_rng(seed))


def halves(path: Path, rows: int, seed: int, number: int) -> tuple[Table, Table]:
    """Return two tables of at most `rows` rows from the two halves of a file of trips.

    The first one depends on the seed only, the second one also on the number.
    """
    names = path.open(encoding="utf-8").readline().strip().split(",")
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    whole = pyarrow.csv.read_csv(path, convert_options=convert)
    order = np.random.default_rng(seed).permutation(len(whole))
    middle = len(whole) // 2
    found = []
    for half, rng in (
        (order[:middle], np.random.default_rng(seed)),
        (order[middle:], np.random.default_rng([seed, number])),
    ):
        chosen = pa.array(rng.permutation(half)[:rows])
        found.append({n: _one(whole.column(n)).take(chosen) for n in names} | _further_columns(len(chosen), rng))
    return found[0], found[1]


def write(table: Table, path: Path) -> None:
    """Write a table as CSV. Raises ValueError if a cell would need quotes."""
    for name, column in table.items():
        if pc.any(pc.match_substring_regex(column, '[",\n]'), min_count=0).as_py():
            raise ValueError(f"{name}: a cell needs quotes")
    lines = pc.binary_join_element_wise(*table.values(), ",", null_handling="replace", null_replacement="")
    joined = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")
    path.write_bytes(b"%b\n%b\n" % (",".join(table).encode(), joined[0].as_buffer()))


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)


def _further_columns(rows: int, rng: np.random.Generator) -> Table:
    """Return columns of kinds that trips do not have, independent of the others."""
    days = np.datetime64("2016-01-01") + rng.integers(0, 366, rows)
    values = {
        "trip_id": [f"{one:016x}" for one in rng.integers(0, 2**63, rows)],
        "shared": rng.choice(["0", "1"], rows, p=[0.7, 0.3]),
        "vehicle_class": rng.choice(["1", "2", "3", "4", "5"], rows, p=[0.4, 0.25, 0.2, 0.1, 0.05]),
        "trip_date": days.astype(str),
        "toll": [f"{one:.2f}" for one in rng.lognormal(1, 0.5, rows)],
        "landmark": rng.choice(LANDMARKS, rows, p=[0.3, 0.25, 0.2, 0.15, 0.1]),
    }
    return {name: pa.array(list(map(str, one)), pa.string()) for name, one in values.items()}


def on(*names: str, change: Change) -> Callable[[Table, np.random.Generator], Table]:
    """Return a fault that changes the cells of some columns."""

    def plant(table: Table, rng: np.random.Generator) -> Table:
        changed = {n: change(np.array(table[n].to_pylist(), object), rng) for n in names}
        return {**table, **{name: pa.array(cells, pa.string()) for name, cells in changed.items()}}

    return plant


def numbers(change: Callable[[Floats, np.random.Generator], Floats]) -> Change:
    """Return a change of the numbers in the cells; those that stay the same keep their text."""

    def of_cells(cells: Cells, rng: np.random.Generator) -> Cells:
        present = np.flatnonzero(cells != None)  # noqa: E711
        before = cells[present].astype(float)
        after = change(before, rng)
        whole = bool((after == np.rint(after)).all())
        made = cells.copy()
        for i in np.flatnonzero(after != before):
            made[present[i]] = str(int(after[i])) if whole else repr(round(float(after[i]), 4))
        return made

    return of_cells


def some(share: float, change: Callable[[str], str | None]) -> Change:
    """Return a change of about this share of the cells with a value, and of at least one."""

    def of_cells(cells: Cells, rng: np.random.Generator) -> Cells:
        present = np.flatnonzero(cells != None)  # noqa: E711
        hit = present[rng.random(len(present)) < share]
        made = cells.copy()
        for i in hit if len(hit) else rng.choice(present, 1):
            made[i] = change(made[i])
        return made

    return of_cells


def few(count: int, change: Callable[[str], str | None]) -> Change:
    """Return a change of this many cells with a value other than zero."""

    def of_cells(cells: Cells, rng: np.random.Generator) -> Cells:
        present = [i for i, cell in enumerate(cells) if cell not in (None, "0", "0.0")]
        made = cells.copy()
        for i in rng.choice(present, count, replace=False):
            made[i] = change(made[i])
        return made

    return of_cells


def values(change: Callable[[str | None], str | None]) -> Change:
    """Return a change of every cell, including empty ones."""
    return lambda cells, rng: np.array([change(cell) for cell in cells], object)


def swapped(one: str, two: str) -> Callable[[Table, np.random.Generator], Table]:
    """Return a fault that exchanges the values of two columns."""
    return lambda table, rng: {**table, one: table[two], two: table[one]}


def taken(choose: Callable[[Table, np.random.Generator], npt.NDArray[np.int64]]) -> Callable[..., Table]:
    """Return a fault that takes the rows whose numbers `choose` returns."""

    def plant(table: Table, rng: np.random.Generator) -> Table:
        index = pa.array(choose(table, rng))
        return {name: column.take(index) for name, column in table.items()}

    return plant


def rows_of(table: Table) -> int:
    """Return the number of rows."""
    return len(next(iter(table.values())))
