"""The options: declared once, from a command line and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_taxi import flags
from beam_taxi.errors import UsageError
from beam_taxi.flags import format_names, parse_names
from beam_taxi.launch import stderr
from beam_taxi.launch.command import parse
from beam_taxi.launch.options import LaunchOptions, known_flags, options, parser
from beam_taxi.run.typed_json import from_json
from beam_taxi.settings import (
    GIVEN_SCHEMA,
    ColumnSettings,
    DateSettings,
    Dialect,
    Settings,
    Split,
    SplitSettings,
    StatisticsSettings,
    ValidationSettings,
    command_line,
    given_options,
)

# argparse drops a word `--`, wherever it stands; null characters are in no command line.
_TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=1, max_size=8).filter(
    lambda text: text != "--"
)
_TUPLES = st.lists(_TEXTS, max_size=3).map(tuple)
_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True)
_COUNTS = st.integers(1, 1 << 40)
_ASCII = st.characters(min_codepoint=1, max_codepoint=126, blacklist_characters="\r\n")


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    quote = draw(st.just("") | _ASCII)
    return Dialect(
        delimiter=draw(_ASCII.filter(lambda character: character != quote)),
        quote=quote,
        encoding=draw(st.sampled_from(["utf-8", "latin-1", "utf-16"])),
        null_values=draw(_TUPLES | st.just(("",))),
        columns=tuple(dict.fromkeys(draw(_TUPLES))),
        max_field_bytes=draw(st.integers(1, 1 << 28)),
    )


@st.composite
def settings(draw: st.DrawFn) -> Settings:
    names = draw(st.lists(_NAMES, min_size=1, max_size=3, unique=True))
    shards = draw(st.none() | st.integers(1, 99_999))
    run_id = draw(_NAMES)
    dates = draw(
        st.just(DateSettings())
        | st.builds(DateSettings, st.dates(date(2000, 1, 1)).map(str), st.integers(2, 9), st.integers(0, 1))
    )
    splitting = draw(st.sampled_from([SplitSettings(), SplitSettings(("a", "b,c")), SplitSettings((), "x")]))
    splits = tuple(Split(name, draw(st.integers(1, 1 << 24))) for name in names)
    splits = draw(st.sampled_from([splits, (Split("train", 2), Split("eval", 1)), (Split("all", 1),)]))
    conditions = tuple(draw(st.lists(_TEXTS, min_size=len(names), max_size=len(names))))[1:]
    if conditions and draw(st.booleans()):
        splitting, splits = SplitSettings(("k",), conditions=conditions), tuple(Split(name) for name in names)
    elif not splitting.by_hash:
        splits = draw(st.sampled_from([(Split("train"), Split("eval")), tuple(Split(name) for name in names)]))
    return Settings(
        input=(*draw(st.lists(_TEXTS, min_size=1, max_size=3)), *(["{SPAN}"] if dates.date else [])),
        run_uri=draw(st.sampled_from(["/", "/out/", "/a folder/-/", "gs://bucket/out/"])) + run_id,
        run_id=run_id,
        pipeline_name=draw(_NAMES),
        query=draw(st.none() | _TEXTS),
        project=draw(st.none() | _TEXTS),
        examples=draw(st.booleans()),
        splits=splits,
        splitting=splitting,
        dates=dates,
        schema=draw(st.none() | st.just("feature { name: 'a' type: INT }")),
        dialect=draw(dialects()),
        max_rejects=draw(st.none() | st.integers(0, 9)),
        max_reject_ratio=draw(st.none() | st.floats(0, 1)),
        num_shards=shards,
        unit_bytes=draw(st.none() | _COUNTS) if shards is None else None,
        batch_bytes=draw(st.integers(1, 1 << 30)),
        gzip_level=draw(st.integers(0, 3)),
        statistics=StatisticsSettings(
            *(draw(st.integers(1, 10_000)) for _ in range(3)), draw(st.none() | _TEXTS), draw(_TUPLES), draw(_TUPLES)
        ),
    )


@given(settings())
def test_the_command_line_of_settings_gives_them_again(settings: Settings):
    words = command_line(settings)
    if settings.schema is not None:
        place = words.index("--schema")
        assert words[place + 1] == GIVEN_SCHEMA
        del words[place : place + 2]
    again = parse([*words, "--run_id", settings.run_id, "--metadata_store", "none"]).settings
    assert again == replace(settings, schema=None)


_NOT_OPTIONS_OF_THE_DATA = {
    *("input", "output", "run_id", "pipeline_name", "query", "project", "batch_bytes", "splits", "schema", "checks")
}


@given(settings())
def test_the_given_options_are_those_of_the_command_line(settings: Settings):
    flags = {word.partition("=")[0][2:] for word in command_line(settings) if word.startswith("--")}
    assert given_options(settings).keys() == flags - _NOT_OPTIONS_OF_THE_DATA


def test_given_options_are_json_values():
    settings = Settings(
        ("a.csv",),
        "/out/r",
        "r",
        examples=False,
        splitting=SplitSettings(("id", "day")),
        max_reject_ratio=0.5,
        columns=ColumnSettings(drop=("b*",), names={"a": "x"}),
    )
    assert given_options(settings) == {
        "no_examples": True,
        "split_key": ["id", "day"],
        "max_reject_ratio": 0.5,
        "drop_columns": ["b*"],
        "rename": {"a": "x"},
    }


def test_defaults_need_no_flags():
    assert command_line(Settings(("a.csv",), "/out/r", "r")) == ["--input", "a.csv", "--output", "/out"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"examples": False, "splits": (Split("all", 1),)}, ["--no_examples"]),
        ({"examples": False}, ["--no_examples", "--splits", "train:2,eval:1"]),
        ({"splits": (Split("all", 1),)}, ["--splits", "all:1"]),
        ({"batch_bytes": 9, "project": "p"}, ["--project", "p", "--batch_bytes", "9"]),
        (
            {"columns": ColumnSettings(keep=("a*",), names={"a:b": "c,d"}, types={"x": "INT"})},
            ["--columns", "a*", "--rename", '"a:b:c,d"', "--types", "x:INT"],
        ),
        ({"dialect": Dialect(quote="", columns=("a,b", "-c"))}, ["--quote", "", "--column_names", '"a,b","-c"']),
        ({"splitting": SplitSettings(key=("-k",))}, ["--split_key", '"-k"']),
        ({"splitting": SplitSettings(key=("a,b", "c"))}, ["--split_key", '"a,b",c']),
        ({"splitting": SplitSettings((), "x"), "splits": (Split("train"), Split("eval"))}, ["--split_column", "x"]),
        (
            {"splitting": SplitSettings((), None, ("-a > 1", "b < 2")), "splits": tuple(map(Split, "xyz"))},
            ["--splits", "x,y,z", "--split_by=-a > 1", "--split_by", "b < 2"],
        ),
        (
            {"splitting": SplitSettings(stratify=True), "statistics": StatisticsSettings(label="l")},
            ["--stratify", "--label", "l"],
        ),
    ],
)
def test_the_flags_of_changed_settings(changed: Mapping[str, object], words: list[str]):
    settings = replace(Settings(("a.csv",), "/out/r", "r"), **changed)
    assert command_line(settings)[4:] == words


@given(settings())
def test_settings_are_read_from_json_by_their_types(settings: Settings):
    assert from_json(Settings, settings.to_json()) == settings


@given(_TUPLES | st.just(("",)))
def test_names_are_read_as_they_are_written(names: tuple[str, ...]):
    assert parse_names(format_names(names)) == names


def test_every_field_has_a_flag_of_its_own():
    parts = (ColumnSettings, DateSettings, Dialect, SplitSettings, StatisticsSettings, ValidationSettings)
    declared = [one.name for kind in (Settings, *parts, LaunchOptions) for one in fields(kind)]
    for follows_from_another in ("check_files", "history"):
        declared.remove(follows_from_another)
    assert len(options()) == len(declared) - len(parts)
    assert len({option.name for option in options()}) == len(options())
    assert {text for action in parser()._actions for text in action.option_strings} == known_flags()


def test_defaults_stand_in_the_declarations_alone():
    launch = parse(["--input", "a.csv", "--output", "/out", "--run_id", "r"])
    assert launch.settings == Settings(("a.csv",), "/out/r", "r")
    assert launch.options == LaunchOptions()
    assert launch.store_uri == "sqlite:////out/metadata.sqlite"
    assert parse(["--input", "a.csv", "--output", "gs://bucket/out"]).store_uri == "none"


def test_switches_and_other_names():
    words = ["--input", "a", "b", "--output", "/o", "--input", "c", "--dry_run", "--cache", "--project", "p"]
    launch = parse([*words, "--runner", "DataflowRunner", "--region", "r"])
    assert launch.settings.input == ("a", "b", "c")
    assert launch.options == LaunchOptions(runner="DataflowRunner", plan=True, cache=True)
    assert launch.beam.words == ("--project", "p", "--region", "r")


REFUSED = {
    "nothing": ([], "--input and --output are required; see --help"),
    "no output": (["--query", "SELECT 1"], "--output is required; see --help"),
    "numbers": (
        ["--top_k", "x", "--max_reject_ratio", "y"],
        "--max_reject_ratio 'y': must be a number; --top_k 'x': must be a whole number",
    ),
    "names": (["--null_values", "a\rb"], "must be names separated by commas"),
    "choice": (["--record_on", "moon"], "argument --record_on: invalid choice: 'moon'"),
    "value": (["--input", "a", "--output", "o", "--gzip_level", "4"], "--gzip_level 4: must be between 0 and 3"),
    "schema": (["--input", "a", "--output", "o", "--schema", "none"], "--schema none: cannot be read: "),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_arguments(words: list[str], message: str):
    with pytest.raises(UsageError) as error:
        parse(words)
    assert message in str(error.value)


LIMITS = {
    "max_rejects": (["-1", "1000000000001"], ["0", "1000000000000"]),
    "max_reject_ratio": (["-0.1", "1.1", "nan", "inf", "-inf"], ["0", "0.29", "1"]),
    "num_shards": (["0", "100000", "9" * 30], ["1", "99999"]),
    "unit_bytes": (["0", "9" * 30], ["1"]),
    "batch_bytes": (["0", "1073741825", "9" * 30], ["1073741824"]),
    "max_field_bytes": (["0", "268435457", "9" * 30], ["268435456"]),
    "histogram_buckets": (["0", "10001"], ["10000"]),
    "quantile_buckets": (["0", "10001"], ["10000"]),
    "top_k": (["0", "1000001"], ["1000000"]),
    "gzip_level": (["-1", "4"], ["0", "3"]),
    "run_id": (["x" * 201, "-x", ""], ["x" * 200]),
    "pipeline_name": (["x" * 201, "a/b"], ["x" * 200]),
    "splits": ([f"a:{2**24 + 1}", "a:0", ",".join(f"s{i}:1" for i in range(257))], [f"a:{2**24}"]),
}


@pytest.mark.parametrize("option", LIMITS)
def test_limits_of_values(option: str):
    refused, taken = LIMITS[option]
    base = ["--input", "a.csv", "--output", "/out", "--metadata_store", "none"]
    for value in taken:
        parse([*base, f"--{option}={value}"])
    for value in filter(None, refused):
        with pytest.raises(UsageError, match=f"--{option}"):
            parse([*base, f"--{option}={value}"])


@pytest.mark.parametrize(
    ("ratio", "records", "allowed"),
    [(0.29, 100, 29), (0.57, 100, 57), (0.1, 10, 1), (1e-7, 10**8, 10), (1.0, 7, 7), (0.0, 9, 0), (0.5, 3, 1)],
)
def test_a_ratio_is_that_of_decimal_numbers(ratio: float, records: int, allowed: int):
    assert Settings(("a",), "/out/r", "r", max_reject_ratio=ratio).allowed_rejects(records) == allowed


def test_the_option_for_traces_is_the_same_everywhere():
    assert flags.VERBOSE == stderr.VERBOSE
