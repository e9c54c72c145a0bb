"""Whatever happens to a command: the right exit status, and no more than one line on standard error."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from beam_taxi.cli.terminal import TerminalConsole, exit_status_of
from beam_taxi.errors import DataError

pytestmark = pytest.mark.slow

MAIN = f"{sys.executable} -m beam_taxi.main"
VERB = f"{sys.executable} -m beam_taxi"
RUN = f"{MAIN} --input good.csv --output out"
BAD = f"{MAIN} --input bad.csv --output out --num_shards 2"
ASCII = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"
# No folder takes temporary files, as with a read-only root.
NO_TEMPORARY_FILES = (
    f'{sys.executable} -c \'import sys, tempfile; tempfile._candidate_tempdir_list = lambda: ["/nowhere"]; '
    "from beam_taxi.main import main; sys.exit(main())'"
)
REFUSED = "bad.csv: line 3: has 1 fields, the header has 2; 1 bad row. Fix the data, or skip bad rows"

# A command, its exit status, and what its only line on standard error contains: nothing means that there is no line.
CASES: dict[str, tuple[str, int, str]] = {
    "help, no standard output": (f"{MAIN} --help >&-", 0, ""),
    "help, full": (f"{MAIN} --help >/dev/full", 1, "error: standard output: No space left on device"),
    "verbs, full": (f"{VERB} --help >/dev/full", 1, "error: standard output: No space left on device"),
    "plan, full": (f"{RUN} --plan >/dev/full", 1, "error: standard output: No space left on device"),
    "typo, no standard error": (f"{MAIN} --oops 2>&-", 2, ""),
    "typo, full standard error": (f"{MAIN} --oops 2>/dev/full", 2, ""),
    "typo, broken standard error": (f"{MAIN} --oops 2> >(exec true)", 2, ""),
    "help in Latin-1": (f"PYTHONIOENCODING=iso-8859-1 {MAIN} --help", 0, ""),
    "help in ASCII": (f"{ASCII} {MAIN} --help", 0, ""),
    "a message in ASCII": (
        f"{ASCII} {MAIN} --input é.csv --output out",
        2,
        "is not ASCII, the encoding of",
    ),
    "a name that is not UTF-8": (
        f"{MAIN} --input $'x\\xff.csv' --output out",
        2,
        r"x\xff.csv is not valid UTF-8",
    ),
    "a match that is not UTF-8": (
        f"{MAIN} --input 'x*.csv' --output out",
        2,
        r"/x\xff.csv is not valid UTF-8",
    ),
    "a folder that is not UTF-8": (f"cd $'d\\xff'; {MAIN} --input ../good.csv --output out", 2, r"d\xff/out"),
    "a line break in a name": (f"{MAIN} --input $'a\\nb.csv' --output out", 2, "--input a b.csv: no file matches"),
    "an escape in a name": (f"{MAIN} --input $'a\\x1b[2Jb' --output out", 2, r"--input a\x1b[2Jb: no file matches"),
    "no working directory": (
        f"cd gone; rmdir ../gone; {MAIN} --input x --output out",
        2,
        "the working directory ",
    ),
    "no temporary files": (
        f"{NO_TEMPORARY_FILES} --input bad.csv --output out",
        2,
        "set TMPDIR to one with",
    ),
    "credentials are a folder": (
        f"GOOGLE_APPLICATION_CREDENTIALS=$PWD {MAIN} --input gs://bucket/x.csv --output out",
        2,
        ": Is a directory: it must name a file with credentials",
    ),
    "schema is a folder": (f"{RUN} --schema .", 2, "--schema .: cannot be read: Is a directory"),
    "schema is not text": (f"{RUN} --schema latin.pbtxt", 2, "--schema latin.pbtxt: neither a Schema proto in text"),
    "a name that is too long": (f"{MAIN} --input good.csv --output {'x' * 300}", 2, "File name too long"),
    "output without a bucket": (f"{MAIN} --input good.csv --output gs://", 2, "--output gs://: "),
    "Beam's number": (f"{RUN} --direct_num_workers abc", 2, "--direct_num_workers 'abc': must be a whole number"),
    "bad data": (BAD, 3, REFUSED),
    "bad data, JSON": (f"{BAD} --log_format json", 3, REFUSED),
    "bad data, DirectRunner": (f"{BAD} --runner DirectRunner", 3, REFUSED),
    "bad data, threads": (f"{BAD} --direct_running_mode multi_threading --direct_num_workers 2", 3, REFUSED),
    "bad data, processes": (f"{BAD} --direct_running_mode multi_processing --direct_num_workers 2", 3, REFUSED),
    "run, no home": (f"env -u HOME {RUN}", 0, ""),
    "run, no streams": (f"{RUN} <&- >&- 2>&-", 0, ""),
    "run, full": (f"{RUN} >/dev/full", 0, "warning: standard output: No space left on device; the run is complete: "),
    "run, full, JSON": (f"{RUN} --log_format json >/dev/full", 0, "No space left on device; the run is complete: "),
    "run, full standard error": (f"{RUN} 2>/dev/full", 0, ""),
    "sample": (f"{VERB} sample --rows -1 --out x", 2, "must be a whole number that is not negative, got '-1'"),
    "sample, huge": (f"{VERB} sample --rows {10**30} --out x", 2, "must be no more than"),
    "port": (f"{VERB} serve-metadata --metadata_store sqlite:///x --port 99999", 2, "--port 99999: must be between"),
}


@pytest.mark.parametrize(("command", "status", "line"), CASES.values(), ids=CASES)
def test_one_line_and_the_right_status(tmp_path: Path, command: str, status: int, line: str):
    (tmp_path / "good.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "latin.pbtxt").write_bytes(b'feature { name: "\xe9" }')
    for folder in ("gone", "tmp"):
        (tmp_path / folder).mkdir()
    if "xff" in command or "x*" in command:
        for name in (b"x\xff.csv", b"d\xff/x"):
            os.makedirs(os.path.dirname(os.fsencode(tmp_path) + b"/" + name), exist_ok=True)
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("a\n1\n")
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")}, capture_output=True
    )
    said = done.stderr.decode("utf-8", "backslashreplace")
    assert done.returncode == status, said
    assert (line in said) if line else not said
    assert said.count("\n") == bool(line), said
    if status and "json" in command:
        assert json.loads(said)["exit_status"] == status
    assert len(list(tmp_path.glob("out/*/manifest.json"))) == (RUN in command and status == 0)
    assert not list((tmp_path / "tmp").iterdir())


def test_help_in_latin_1_shows_what_it_cannot_encode():
    env = {**os.environ, "PYTHONIOENCODING": "iso-8859-1"}
    done = subprocess.run([*MAIN.split(), "--help"], env=env, capture_output=True, check=True)
    assert rb"a,b,\u2026" in done.stdout


@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_verbose_shows_the_trace_too(tmp_path: Path, option: str):
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n3\n")
    words = [*BAD.split(), option]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    *shown, last = done.stderr.splitlines()
    assert REFUSED in last
    assert any(line.startswith("Traceback") for line in shown)


LATE = """
import os, sys, threading
from beam_taxi.cli.terminal import exit_status_of
from beam_taxi.errors import BeamTaxiError
from beam_taxi.launch.stderr import keep
after = threading.Event()
def late():
    after.wait()
    os.write(2, b"late\\n")
    raise ValueError("in a thread")
threading.Thread(target=late).start()
def work():
    os.write(2, b"first words\\n")
    raise {error}
status = exit_status_of(work, None)
after.set()
sys.exit(status)
"""


def late(tmp_path: Path, error: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", LATE.format(error=error)]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False)


def test_threads_that_fail_after_the_end_are_not_seen(tmp_path: Path):
    done = late(tmp_path, 'BeamTaxiError("ours")')
    assert (done.returncode, done.stderr) == (1, "beam_taxi: error: ours\n")
    assert not list(tmp_path.iterdir())


def test_a_surprise_is_named_with_its_trace_and_what_was_written(tmp_path: Path):
    done = late(tmp_path, 'KeyError("k")')
    told = re.fullmatch(r"beam_taxi: error: KeyError: 'k' \(trace: (.*)\)\n", done.stderr)
    assert done.returncode == 1
    assert told, done.stderr
    log = Path(told[1]).read_text()
    assert log.startswith("first words\nTraceback")
    assert "KeyError: 'k'" in log


def test_a_process_that_dies_leaves_its_last_words(tmp_path: Path):
    done = late(tmp_path, "os.abort()")
    assert done.returncode == -6
    (log,) = tmp_path.iterdir()
    assert log.read_text() == "first words\n"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DataError("x.csv: line 3: bad"), 3, "x.csv: line 3: bad"),
        (PermissionError(13, "Permission denied", "/x"), 1, "/x: Permission denied"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (MemoryError(), 1, "out of memory"),
        (BrokenPipeError(32, "Broken pipe"), 1, "Broken pipe"),
        (KeyboardInterrupt(), 1, "interrupted"),
    ],
)
def test_what_a_verb_may_raise(capsys: pytest.CaptureFixture[str], error: BaseException, status: int, message: str):
    def work() -> int:
        raise error

    assert exit_status_of(work, []) == status
    assert capsys.readouterr().err == f"beam_taxi: error: {message}\n"


def test_the_streams_are_as_before_after_a_call(capfd: pytest.CaptureFixture[str]):
    def work() -> int:
        os.write(2, b"a library\n")
        print("another", file=sys.stderr)
        TerminalConsole(as_json=False).warn("ours")
        return 0

    before = sys.stderr
    assert exit_status_of(work, []) == 0
    assert sys.stderr is before
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "beam_taxi: warning: ours\nafter\n"


def test_a_console_never_fails_a_launch():
    code = (
        "from beam_taxi.cli.terminal import TerminalConsole\nfrom beam_taxi.cli.streams import make_usable\n"
        "make_usable()\nconsole = TerminalConsole(False)\nconsole.tell('a', 'b')\nconsole.status('s')\n"
        "console.warn('w')\nconsole.end_status()\nassert not console.ask('q')\n"
    )
    words = ["bash", "-c", f'{sys.executable} -c "{code}" >/dev/full 2>/dev/full; echo $?']
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() in ("0", "120")
