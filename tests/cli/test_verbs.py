"""The verbs of the command, and the names that commands had before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from beam_taxi.cli import VERBS, main


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert "usage: " in capsys.readouterr().out


def test_help_lists_the_verbs(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"\n  {name} " in told for name in VERBS)
    assert main([]) == 2
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reprot"], "unknown verb 'reprot'; did you mean report?"),
        (["x.csv"], "unknown verb 'x.csv'; use one of run, check, plan,"),
        (["run", "x.csv"], "unexpected argument 'x.csv'; pass files with --input"),
        (["--output", "out"], "--input is required; see --help"),
        (["runs", "lst"], "argument COMMAND: invalid choice: 'lst'"),
        (["record", "--manifest", "m"], "the following arguments are required: --metadata_store"),
        (["report"], "the following arguments are required: RUN"),
        (["rejects", "replay"], "the following arguments are required: JSONL, --manifest, --out"),
    ],
)
def test_a_mistake_is_told_in_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("beam_taxi: error: ")
    assert message in told.err
    assert told.err.count("\n") == 1


def test_check_and_plan_touch_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    words = ["--input", str(tmp_path / "x.csv"), "--output", str(tmp_path / "out")]
    assert main(["check", *words]) == 0
    assert "ok     input" in capsys.readouterr().out
    assert main(["plan", *words]) == 0
    told = capsys.readouterr().out
    assert "total      1 file(s), 8 bytes, 2 columns" in told
    assert "reads      16 bytes, 2.0 for each byte of the input" in told
    assert main([*words, "--plan"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_sample(tmp_path: Path):
    assert main(["sample", "--rows", "3", "--out", str(tmp_path / "x.csv")]) == 0
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 4


FORMER = {
    "main": "beam_taxi.main",
    "runs": "beam_taxi runs",
    "report": "beam_taxi report",
    "rejects": "beam_taxi rejects",
    "record": "beam_taxi record",
    "taxi": "beam_taxi sample",
    "metadata.server": "beam_taxi.metadata.server",
}


@pytest.mark.parametrize(("module", "command"), FORMER.items())
def test_the_former_modules_still_work(module: str, command: str):
    words = [sys.executable, "-m", f"beam_taxi.{module}", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"usage: python -m {command} ")


def test_the_list_of_verbs_imports_nothing_heavy():
    code = (
        "import sys\nfrom beam_taxi.cli import main\nmain(['--help'])\nmain(['rn'])\n"
        "print([name for name in ('apache_beam', 'numpy', 'pyarrow', 'argparse') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
