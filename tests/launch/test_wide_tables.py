"""A table with more columns than fit in memory is refused before the graph exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from beam_taxi.errors import UsageError
from beam_taxi.launch.runners.wide_tables import check_memory, memory_of_machine
from beam_taxi.main import main

GB = 10**9


@pytest.mark.parametrize(("columns", "splits", "available"), [(18, 2, GB), (2000, 2, 4 * GB), (20_000, 2, 27 * GB)])
def test_columns_that_fit(columns: int, splits: int, available: int):
    check_memory(columns, splits, available)


@pytest.mark.parametrize(
    ("columns", "splits", "needed"),
    [(20_000, 2, "20,000 columns in 2 splits need about 26.8 GB"), (40_000, 1, "40,000 columns in 1 split need")],
)
def test_columns_that_do_not_fit(columns: int, splits: int, needed: str):
    with pytest.raises(UsageError, match=f"^{needed}.* has 16.0 GB; choose fewer columns with --columns"):
        check_memory(columns, splits, 16 * GB)


@pytest.mark.parametrize(("content", "expected"), [("1000\n", 1000), ("max\n", None), (None, None)])
def test_the_limit_of_the_control_group_counts(tmp_path: Path, content: str | None, expected: int | None):
    if content is not None:
        (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
        (tmp_path / "sys/fs/cgroup/memory.max").write_text(content)
    assert memory_of_machine(tmp_path) == (expected or memory_of_machine(tmp_path / "none"))


def test_a_launch_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table = tmp_path / "wide.csv"
    names = [f"c{i}" for i in range(5_000)]
    table.write_text(",".join(names) + "\n" + ",".join("1" * len(names)) + "\n")
    splits = ",".join(f"s{i}:1" for i in range(200))
    arguments = ["--input", str(table), "--output", str(tmp_path / "out"), "--splits", splits]
    assert main([*arguments, "--metadata_store", "none"]) == 2
    assert "5,000 columns in 200 splits need about 650.8 GB of memory" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
