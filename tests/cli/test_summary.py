"""What the end of a run says of its record."""

from __future__ import annotations

from pathlib import Path

import pytest

from beam_taxi.cli.summary import print_end
from beam_taxi.launch.command import parse
from tests.metadata.runs import manifest

CASES: dict[str, tuple[list[str], dict[str, int], str]] = {
    "recorded": ([], {"schema": 1}, "sqlite:////m.sqlite"),
    "no store": (["--metadata_store", "none"], {}, "none"),
    "not recorded": ([], {}, "none: see the warning"),
    "by a worker, as far as can be read from here": (["--record_on", "worker"], {}, "not known: see the warning"),
}


@pytest.mark.parametrize(("more", "ids", "told"), CASES.values(), ids=CASES)
def test_the_record_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], ids: dict[str, int], told: str
):
    words = ["--input", "a.csv", "--output", str(tmp_path), "--metadata_store", "sqlite:////m.sqlite", *more]
    print_end(parse(words), manifest("r"), ids, {})
    assert f"record     {told}\n" in capsys.readouterr().out
