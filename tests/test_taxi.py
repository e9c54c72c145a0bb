from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from beam_taxi.samples import taxi

INTEGERS = {
    "pickup_community_area",
    "trip_start_month",
    "trip_start_hour",
    "trip_start_day",
    "trip_start_timestamp",
    "pickup_census_tract",
    "dropoff_census_tract",
    "trip_seconds",
    "dropoff_community_area",
}
TEXTS = {"payment_type", "company"}
TYPES = {
    name: pa.int64() if name in INTEGERS else pa.string() if name in TEXTS else pa.float64() for name in taxi.COLUMNS
}
MISSING = {
    "pickup_community_area": 0.00013,
    "pickup_latitude": 0.00013,
    "pickup_longitude": 0.00013,
    "dropoff_latitude": 0.0322,
    "dropoff_longitude": 0.0322,
    "pickup_census_tract": 0.99993,
    "dropoff_census_tract": 0.2827,
    "company": 0.34262,
    "trip_seconds": 0.0004,
    "dropoff_community_area": 0.0338,
}
ROWS = 100_000


def sample(rows: int, seed: int = 1) -> bytes:
    sink = io.BytesIO()
    taxi.write_sample(sink, rows, seed)
    return sink.getvalue()


def parse(data: bytes) -> pa.Table:
    """Parse with the expected types, which raises for a cell that does not fit."""
    options = csv.ConvertOptions(column_types=TYPES, strings_can_be_null=True, null_values=[""])
    return csv.read_csv(io.BytesIO(data), convert_options=options)


def missing_shares(table: pa.Table) -> dict[str, float]:
    return {name: table[name].null_count / table.num_rows for name in table.column_names}


@pytest.fixture(scope="module")
def trips() -> pa.Table:
    return parse(sample(ROWS))


def test_the_same_seed_gives_the_same_bytes():
    assert sample(1000, seed=7) == sample(1000, seed=7)
    assert sample(1000, seed=7) != sample(1000, seed=8)


def test_the_bytes_are_the_same_on_every_machine():
    digest = hashlib.sha256(sample(1000, seed=1)).hexdigest()
    assert digest == "cfc5748a52fac2506e89dbce65a1ff46562df1535f6cc89d1c58206024b0dd28"


def test_a_larger_sample_begins_with_a_smaller_one():
    assert sample(taxi.CHUNK_ROWS + 2).startswith(sample(taxi.CHUNK_ROWS + 1))
    assert sample(taxi.CHUNK_ROWS + 1).startswith(sample(10))


@pytest.mark.parametrize("rows", [0, 1, taxi.CHUNK_ROWS, taxi.CHUNK_ROWS + 1])
def test_rows(rows):
    data = sample(rows)
    assert data.endswith(b"\n")
    assert data.count(b"\n") == rows + 1
    assert data.splitlines()[0].decode() == ",".join(taxi.COLUMNS)


def test_missing_shares_are_those_of_the_real_sample(trips):
    for name, share in missing_shares(trips).items():
        assert share == pytest.approx(MISSING.get(name, 0.0), abs=0.015), name


def test_values_are_in_range(trips):
    ranges = {
        "trip_start_month": (1, 12),
        "trip_start_hour": (0, 23),
        "trip_start_day": (1, 7),
        "trip_start_timestamp": (1_356_998_400, 1_483_116_300),
        "pickup_community_area": (1, 77),
        "dropoff_community_area": (1, 77),
        "pickup_latitude": (41.6, 42.1),
        "dropoff_longitude": (-88, -87.5),
        "fare": (0, 999.99),
        "trip_miles": (0, 999.99),
        "trip_seconds": (0, 86_400),
        "tips": (0, 999.99),
    }
    for name, (low, high) in ranges.items():
        found = pc.min_max(trips[name]).as_py()
        assert low <= found["min"] <= found["max"] <= high, name


def test_start_columns_follow_from_the_timestamp(trips):
    start = pc.cast(trips["trip_start_timestamp"], pa.timestamp("s"))
    assert pc.month(start).equals(trips["trip_start_month"])
    assert pc.hour(start).equals(trips["trip_start_hour"])
    assert pc.day_of_week(start, count_from_zero=False, week_start=7).equals(trips["trip_start_day"])


def test_cards_tip_and_cash_does_not(trips):
    tipped = pc.greater(trips["tips"], 0)
    for payment, share in {"Credit Card": 0.95, "Cash": 0.0}.items():
        of_payment = tipped.filter(pc.equal(trips["payment_type"], payment))
        assert pc.mean(of_payment).as_py() == pytest.approx(share, abs=0.02)


def test_quirks_are_there(trips):
    for name in ("fare", "trip_miles", "trip_seconds"):
        assert pc.any(pc.equal(trips[name], 0)).as_py(), name
    assert b",0," in sample(ROWS), "a fare written as a whole number"


def test_the_real_sample_has_these_columns_and_shares(shared_data):
    real = parse((shared_data / "data" / "chicago_taxi.csv").read_bytes())
    synthetic = parse(sample(real.num_rows))
    assert tuple(real.column_names) == taxi.COLUMNS
    expected = missing_shares(real)
    for name, share in missing_shares(synthetic).items():
        assert share == pytest.approx(expected[name], abs=0.02), name


@pytest.mark.parametrize(("column", "tolerance"), [("fare", 2.0), ("trip_miles", 0.6), ("trip_seconds", 120)])
def test_quartiles_are_near_the_real_ones(shared_data, trips, column, tolerance):
    real = parse((shared_data / "data" / "chicago_taxi.csv").read_bytes())
    quantiles = [0.1, 0.25, 0.5]
    expected = pc.quantile(real[column], q=quantiles).to_pylist()
    assert pc.quantile(trips[column], q=quantiles).to_pylist() == pytest.approx(expected, abs=tolerance)


def test_the_file_is_written_with_its_folder(tmp_path):
    out = tmp_path / "new" / "trips.csv"
    assert taxi.main(["--rows", "20", "--seed", "3", "--out", str(out)]) == 0
    assert out.read_bytes() == sample(20, seed=3)
    assert [path.name for path in out.parent.iterdir()] == ["trips.csv"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    out = tmp_path / "trips.csv"
    out.write_text("old")
    with pytest.raises(RuntimeError), taxi.written_atomically(out) as file:  # noqa: PT012
        file.write(b"half")
        raise RuntimeError
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_stdout_and_start_up_without_beam():
    code = "import sys; from beam_taxi import taxi; taxi.main(); sys.exit('apache_beam' in sys.modules)"
    arguments = ["--rows", "5", "--out", "-"]
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=True)
    assert run.stdout == sample(5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: --rows, --out"),
        (["--rows", "-1", "--out", "-"], "must be a whole number that is not negative, got '-1'"),
        (["--rows", "many", "--out", "-"], "must be a whole number that is not negative, got 'many'"),
        (["--rows", "1", "--seed", "x", "--out", "-"], "--seed"),
        (["--rows", "1", "--out", ""], "must name a file"),
        (["--rows", "1", "--out", os.devnull], "not a regular file"),
        (["--rows", "1", "--out", "-", "--color"], "--color"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as raised:
        taxi.main(arguments)
    assert raised.value.code == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path, capsys):
    blocker = tmp_path / "file"
    blocker.touch()
    assert taxi.main(["--rows", "1", "--out", str(blocker / "trips.csv")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_written_file_has_ordinary_permissions(tmp_path):
    plain, out = tmp_path / "plain", tmp_path / "trips.csv"
    plain.touch()
    taxi.main(["--rows", "1", "--out", str(out)])
    assert stat.S_IMODE(Path(out).stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
