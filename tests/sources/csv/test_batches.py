"""How much text of a CSV file is parsed at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from beam_taxi.settings import Settings
from beam_taxi.sources.csv.file import CsvFile
from beam_taxi.sources.plan import plan_input

MIB = 1 << 20


@pytest.mark.parametrize(
    ("fields", "options", "expected"),
    [
        (2, {}, 4 * MIB),
        (512, {}, 4 * MIB),
        (1024, {}, 8 * MIB),
        (9000, {}, 32 * MIB),
        (1024, {"batch_bytes": MIB}, MIB),
        (1024, {"batch_bytes": 64 * MIB}, 64 * MIB),
    ],
)
def test_many_fields_make_larger_batches(tmp_path: Path, fields: int, options: dict[str, int], expected: int):
    header = ",".join(f"c{number}" for number in range(fields))
    (tmp_path / "x.csv").write_text(f"{header}\n{',' * (fields - 1)}\n")
    (source,) = plan_input(Settings((str(tmp_path / "x.csv"),), "unused", "run", **options), {}).sources
    assert isinstance(source, CsvFile)
    assert source.batch_bytes == expected
