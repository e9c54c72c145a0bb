"""What the README says, tried."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from beam_taxi.errors import DataError
from beam_taxi.launch.beam_flags import known_beam_flags
from beam_taxi.launch.options import known_flags
from tests.sources.test_plan import plan_of, run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SECTION = README.split("## What a CSV must look like")[1].split("\n## ")[0]
TABLE = [
    tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
    for line in SECTION.splitlines()
    if line[:1] == "|"
]
CASES = {case: (content.strip("`"), outcome) for case, content, outcome in (row for row in TABLE if len(row) == 3)}
CASES = {case: told for case, told in CASES.items() if case and case.strip("-")}


@pytest.mark.parametrize(("content", "outcome"), CASES.values(), ids=CASES)
def test_the_table_of_csv_files(tmp_path: Path, content: str, outcome: str):
    (tmp_path / "x.csv").write_bytes(content.encode().decode("unicode_escape").encode("latin-1"))
    rows = re.fullmatch(r"(\d+) rows?", outcome)
    if rows:
        units, *_ = run(plan_of(tmp_path / "x.csv"))
        assert sum(map(len, units)) == int(rows[1])
        return
    what, message = outcome.split(": ", 1)
    assert what in ("bad row", "refused")
    with pytest.raises(DataError) as error:
        run(plan_of(tmp_path / "x.csv", max_rejects=0 if what == "bad row" else 9))
    assert message.strip("`") in str(error.value)
    assert str(tmp_path / "x.csv") in str(error.value)


def test_every_option_of_the_readme_is_one():
    known = known_flags() | known_beam_flags()
    of_other_commands = {
        "--all",
        "--baseline",
        "--force",
        "--from",
        "--host",
        "--json",
        "--keep",
        "--manifest",
        "--out",
        "--port",
        "--rows",
        "--seed",
        "--to",
    }
    of_other_commands |= {"--contenders", "--cores", "--notebook", "--profile", "--repeat", "--sweep"}
    assert set(re.findall(r"--[a-z_]+", README)) - of_other_commands <= known


def test_scripts_that_the_pages_name_can_be_started():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for script in re.findall(r"scripts/[a-z_/]+\.sh", page.read_text()):
            assert os.access(ROOT / script, os.X_OK), f"{page.name}: {script}"
