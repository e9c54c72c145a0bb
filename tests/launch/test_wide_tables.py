"""Tables with many columns are opened in little time, by as many workers as fit in memory; or they are refused."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from beam_taxi.columns import ColumnSettings
from beam_taxi.launch.machine import usable_cores, usable_memory
from beam_taxi.launch.preflight import schema_notes
from beam_taxi.launch.runners.estimate import COLUMN_MB, Memory
from beam_taxi.main import main
from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.header import read_header

COLUMNS = 10_000
NAMES = [f"column_{number:05d}" for number in range(20_000)]


# Workers, columns, splits, bytes of a column, and whether workers are forked; GB.
MEMORY: dict[str, tuple[Memory, float]] = {
    "a worker": (Memory(1, 100, 2, 1000, False), 0.75),
    "two": (Memory(2, 100, 2, 1000, False), 1.1),
    "forked ones": (Memory(2, 100, 2, 1000, True), 1.5),
    "more columns": (Memory(1, 200, 2, 1000, False), 0.85),
    "more splits": (Memory(1, 100, 4, 1000, False), 0.85),
    "no rows": (Memory(1, 100, 2, 0, False), 0.75),
    "more rows": (Memory(1, 100, 2, 1 << 20, False), 0.91),
}


@pytest.mark.parametrize(("memory", "size"), MEMORY.values(), ids=MEMORY)
def test_the_formula(memory: Memory, size: float):
    assert memory.bytes == pytest.approx(size * 1e9)


def test_the_formula_in_words():
    assert str(Memory(2, 1800, 2, 1 << 19, True)) == (
        "about 7.8 GB = 0.8 GB + 2 workers x (0.25 GB + 1,800 columns x 2 splits x 0.9 MB)"
    )


def open_header(names: list[str], chosen: ColumnSettings) -> None:
    read_header("x.csv", io.BytesIO(",".join(names).encode() + b"\n1\n"), Dialect(), chosen)


MANY: dict[str, Callable[[], object]] = {
    "a header": lambda: open_header(NAMES, ColumnSettings()),
    "columns by name": lambda: open_header(NAMES, ColumnSettings(keep=tuple(NAMES[::2]))),
    "columns but some": lambda: open_header(NAMES, ColumnSettings(drop=tuple(NAMES[::2]))),
    "new names": lambda: open_header(NAMES, ColumnSettings(names={name: f"new_{name}" for name in NAMES})),
    "a schema": lambda: schema_notes(NAMES, NAMES),
}


@pytest.mark.parametrize("act", MANY.values(), ids=MANY)
def test_time_does_not_grow_with_the_square_of_the_columns(act: Callable[[], object]):
    start = time.process_time()
    act()
    # A comparison of each column with each other one takes more than 2 s.
    assert time.process_time() - start < 1


def splits_that_use(share: float) -> str:
    """Return splits with which a worker for a table of `COLUMNS` needs about a share of the memory."""
    number = round(share * usable_memory() / (COLUMNS * COLUMN_MB * 1e6))
    return ",".join(f"s{index}:1" for index in range(number))


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    table = tmp_path / "wide.csv"
    table.write_text((",".join(NAMES[:COLUMNS]) + "\n") + (",".join("1" * COLUMNS) + "\n") * 20)
    return ["--input", str(table), "--output", str(tmp_path / "out"), "--metadata_store", "none", "--num_shards", "8"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "1 worker, in_memory"),
        (["--direct_num_workers", "3"], "3 workers, "),
    ],
)
def test_as_many_workers_as_fit(words: list[str], options: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    assert main([*words, *options, "--splits", splits_that_use(0.6), "--plan"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["runner"].startswith(f"FnApiRunner, {told}")
    is_limited = not options and usable_cores() > 1
    assert shown["memory"].endswith(f"; 2 workers would need more than {usable_memory() / 1e9:.1f} GB") == is_limited


def test_a_table_that_does_not_fit_is_refused(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    splits = splits_that_use(1.1)
    assert main([*words, "--splits", splits]) == 2
    needed = Memory(1, COLUMNS, len(splits.split(",")), 0, False).bytes / 1e9
    told = f"10,000 columns in {splits.count(',') + 1} splits need about {needed:.1f} GB of memory"
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*words, "--splits", splits, "--stats_features", NAMES[0], "--plan"]) == 0
