"""Beam's own arguments: checked as Beam's parser would, before anything is started."""

from __future__ import annotations

import subprocess
import sys

import pytest

from beam_taxi.errors import UsageError
from beam_taxi.launch.beam_flags import faults_of_words, parse_beam_options
from beam_taxi.launch.command import parse
from beam_taxi.launch.runner_names import canonical_runner, known_runners
from beam_taxi.launch.runners.dataflow import DataflowRunner
from beam_taxi.launch.runners.local import LocalRunner
from beam_taxi.launch.runners.registry import RUNNERS, choose

FAULTS = {
    "number": ("--direct_num_workers abc", "--direct_num_workers 'abc': must be a whole number"),
    "number, equals": ("--num_workers=", "--num_workers '': must be a whole number"),
    "limit": ("--direct_num_workers 257", "--direct_num_workers '257': must be between 0 and 256"),
    "negative": ("--direct_num_workers -1", "--direct_num_workers '-1': must be between 0 and 256"),
    "huge": (f"--num_workers {10**30}", f"--num_workers '{10**30}': must be between -2147483648 and 2147483647"),
    "choice": (
        "--direct_running_mode x",
        "--direct_running_mode 'x': must be one of in_memory, multi_threading, multi_processing",
    ),
    "second": ("--profile_memory --type_check_strictness ALL", "must be one of ALL_REQUIRED, DEFAULT_TO_ANY"),
    "missing": ("--region --streaming", "--region: a value is missing"),
    "switch": ("--streaming yes", "--streaming: unexpected 'yes'; the flag takes no value"),
    "switch, equals": ("--streaming=yes", "--streaming: unexpected 'yes'; the flag takes no value"),
    "stray word": ("--region r1 r2", "--region: unexpected 'r2'"),
    "unknown": ("--regoin r1", "unknown flag --regoin; did you mean --region?"),
}


@pytest.mark.parametrize(("words", "message"), FAULTS.values(), ids=FAULTS)
def test_what_beam_would_refuse_or_drop(words: str, message: str):
    (fault,) = faults_of_words(words.split(), (), has_own_flags=False)
    assert message in fault


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--direct_num_workers 0 --direct_running_mode multi_threading",
        "--experiments a --experiments b=1,2 --labels x=y",
        "--update_compatibility_version --streaming --no_use_public_ips",
        "--beam_services {} --num_workers=3 --autoscaling_algorithm NONE",
    ],
)
def test_what_beam_takes(words: str):
    assert not list(faults_of_words(words.split(), (), has_own_flags=False))
    parse_beam_options(words.split())


def test_flags_of_a_server_are_left_to_it():
    words = ["--of_the_server", "1", "2", "--num_workers", "x"]
    assert list(faults_of_words(words, (), has_own_flags=True)) == ["--num_workers 'x': must be a whole number"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--direct_num_workers", "abc"], "argument --direct_num_workers: invalid int value: 'abc'"),
        (["--gcs_custom_audit_entries", "{"], "Beam does not take its options: "),
    ],
)
def test_beams_parser_does_not_end_the_process(words: list[str], message: str):
    with pytest.raises(UsageError) as error:
        parse_beam_options(words)
    assert message in str(error.value)


def test_the_types_are_read_in_an_instant():
    code = (
        "import time\nfrom beam_taxi.launch.beam_flags import faults_of_words\nstart = time.process_time()\n"
        "list(faults_of_words(['--region', 'r'], (), False))\nprint(time.process_time() - start)"
    )
    best = min(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    )
    assert best < 0.06


@pytest.mark.parametrize(
    ("given", "name"),
    [
        *((spelling, "DataflowRunner") for spelling in ("dataflow", "Dataflow", "DATAFLOWRUNNER", "DataflowRunner")),
        ("apache_beam.runners.dataflow.dataflow_runner.DataflowRunner", "DataflowRunner"),
        ("apache_beam.runners.dataflow.DataflowRunner", "DataflowRunner"),
        *((spelling, "FnApiRunner") for spelling in ("direct", "DirectRunner", "SwitchingDirectRunner", "fnapi")),
        ("apache_beam.runners.direct.direct_runner.DirectRunner", "FnApiRunner"),
        ("prism", "PrismRunner"),
        ("flink", "FlinkRunner"),
        ("BundleBasedDirectRunner", "BundleBasedDirectRunner"),
        ("beam_taxi.a.Runner", "beam_taxi.a.Runner"),
    ],
)
def test_runners_are_spelled_as_beam_spells_them(given: str, name: str):
    assert canonical_runner(given) == name


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("FlnkRunner", "--runner 'FlnkRunner': unknown runner; did you mean FlinkRunner?"),
        ("prsm", "did you mean PrismRunner?"),
        ("xyz", "unknown runner; use one of "),
        ("nowhere.Runner", "there is no module nowhere"),
    ],
)
def test_unknown_runners(given: str, message: str):
    with pytest.raises(UsageError) as error:
        parse(["--input", "a", "--output", "o", "--runner", given])
    assert message in str(error.value)


def test_a_spelling_has_the_checks_of_its_runner():
    words = ["--input", "a.csv", "--output", "out", "--project", "p", "--runner"]
    assert type(choose(parse([*words, "dataflow"]))) is DataflowRunner
    local = choose(parse([*words, "DirectRunner"]))
    assert (type(local), local.name) == (LocalRunner, "FnApiRunner")


def test_the_rules_are_those_of_beam():
    from apache_beam.options.pipeline_options import StandardOptions
    from apache_beam.runners.runner import create_runner

    assert list(known_runners()) == StandardOptions.KNOWN_RUNNER_NAMES
    assert set(RUNNERS) <= set(known_runners())
    for name in ("flink", "FLINKRUNNER", "Portable"):
        assert type(create_runner(name)).__name__ == canonical_runner(name)
