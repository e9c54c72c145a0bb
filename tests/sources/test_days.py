"""Which files a run with a date reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from beam_taxi.dates import DateSettings
from beam_taxi.errors import MissingDays, UsageError
from beam_taxi.settings import Settings
from beam_taxi.sources.days import Days, find_days
from beam_taxi.sources.plan import plan_input

FILES = [
    *("day=2024-02-28/a.csv", "day=2024-02-29/a.csv", "day=2024-02-29/b.csv", "day=2024-03-01/a.csv"),
    *("v/2024/02/29/1/a.csv", "v/2024/02/29/9/a.csv", "v/2024/02/29/10/a.csv", "v/2024/02/29/10/b.csv"),
    *("v/2024/02/29/11_old/a.csv", "v/2024/03/01/2/a.csv"),
    *("s/19782-v001.csv", "s/19782-v012.csv", "s/19782-v0013.csv", "s/019783.csv"),
    *("twice/19782/v2/a.csv", "twice/19782/v02/a.csv"),
    *("other/2024-02-29.csv", "static/zones.csv"),
]
DAILY, VERSIONS = "day={YYYY}-{MM}-{DD}/*.csv", "v/{YYYY}/{MM}/{DD}/{VERSION}/*.csv"
OTHER = "other/{YYYY}-{MM}-{DD}.csv"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("days")
    for name in FILES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text("x\n1\n")
    return made


def settings_of(folder: Path, patterns: Sequence[str], *dates: object) -> Settings:
    return Settings(tuple(f"{folder}/{one}" for one in patterns), "/out/r", "r", dates=DateSettings(*dates))  # type: ignore[arg-type]


def names(folder: Path, days: Days) -> list[str]:
    return [file.uri.removeprefix(f"{folder}/") for one in days.inputs for file in one.files]


FOUND = {
    "a day": ([DAILY], ["2024-02-29"], ["day=2024-02-29/a.csv", "day=2024-02-29/b.csv"], None),
    "a window": ([DAILY], ["2024-03-01", 3], FILES[:4], None),
    "a folder": (["day={YYYY}-{MM}-{DD}"], ["2024-03-01"], ["day=2024-03-01/a.csv"], None),
    "the highest version": ([VERSIONS], ["2024-02-29"], ["v/2024/02/29/10/a.csv", "v/2024/02/29/10/b.csv"], 10),
    "a folder of a version": (
        ["v/{YYYY}/{MM}/{DD}/{VERSION}"],
        ["2024-02-29"],
        ["v/2024/02/29/10/a.csv", "v/2024/02/29/10/b.csv"],
        10,
    ),
    "versions of a window": ([VERSIONS], ["2024-03-01", 2], [*FILES[6:8], FILES[9]], 2),
    "a span with versions": (["s/{SPAN}-v{VERSION:3}.csv"], ["2024-02-29"], ["s/19782-v012.csv"], 12),
    "a version without a width": (["s/{SPAN}-v{VERSION}.csv"], ["2024-02-29"], ["s/19782-v0013.csv"], 13),
    "a span with a width": (["s/{SPAN:6}.csv"], ["2024-03-01"], ["s/019783.csv"], None),
    "one of two days": ([DAILY], ["2024-03-02", 2, 1], ["day=2024-03-01/a.csv"], None),
    "no version of a day without files": ([VERSIONS], ["2024-03-02", 2, 1], ["v/2024/03/01/2/a.csv"], None),
    "several inputs": ([DAILY, OTHER], ["2024-02-29"], [*FILES[1:3], "other/2024-02-29.csv"], None),
    "others are not looked at": ([DAILY, "none/*.csv"], ["2024-03-01"], ["day=2024-03-01/a.csv"], None),
}


@pytest.mark.parametrize(("patterns", "dates", "expected", "version"), FOUND.values(), ids=FOUND)
def test_found(folder: Path, patterns: list[str], dates: list[object], expected: list[str], version: int | None):
    days = find_days(settings_of(folder, patterns, *dates))
    assert names(folder, days) == expected
    assert days.version == version


REFUSED = {
    "a day": ([DAILY], ["2024-03-02"], "day={YYYY}-{MM}-{DD}/*.csv: no file for 2024-03-02"),
    "all days are named": ([DAILY], ["2024-03-03", 4], "no file for 2024-03-02, 2024-03-03"),
    "too many": ([DAILY], ["2024-03-03", 4, 1], "no file for 2024-03-02, 2024-03-03; --allow_missing 1 allows 1"),
    "not for each input": (
        [DAILY, OTHER],
        ["2024-03-01", 3, 2],
        "other/{YYYY}-{MM}-{DD}.csv: no file for 2024-02-28, 2024-03-01, of which another --input has files",
    ),
    "no version": ([VERSIONS], ["2024-02-28"], "no file for 2024-02-28"),
}


@pytest.mark.parametrize(("patterns", "dates", "message"), REFUSED.values(), ids=REFUSED)
def test_missing_days(folder: Path, patterns: list[str], dates: list[object], message: str):
    with pytest.raises(MissingDays) as error:
        find_days(settings_of(folder, patterns, *dates))
    assert str(error.value).endswith(message)
    assert error.value.exit_status == 2


WRONG = {
    "two names of a version": (["twice/{SPAN}/v{VERSION}/*.csv"], "version 2 has several names: 02, 2"),
    "different versions": ([VERSIONS, "s/{SPAN}-v{VERSION:3}.csv"], "the latest versions of the day differ: 10 ("),
}


@pytest.mark.parametrize(("patterns", "message"), WRONG.values(), ids=WRONG)
def test_versions_that_are_not_clear(folder: Path, patterns: list[str], message: str):
    with pytest.raises(UsageError) as error:
        find_days(settings_of(folder, patterns, "2024-02-29"))
    assert message in str(error.value)


def test_a_version_of_a_table():
    pattern = "bq://p.d.t_{SPAN}_{VERSION}"
    with pytest.raises(UsageError, match="VERSION} cannot be in the name of a table"):
        find_days(Settings((pattern,), "/out/r", "r", dates=DateSettings("2024-02-29")))


KEYS = {
    "a day": (DAILY, ["2024-03-01", 3], {"x", "day"}),
    "one file": ("day={YYYY}-{MM}-{DD}/a.csv", ["2024-03-01"], {"x", "day"}),
    "no key": (OTHER, ["2024-02-29"], {"x"}),
}


@pytest.mark.parametrize(("pattern", "dates", "columns"), KEYS.values(), ids=KEYS)
def test_keys_of_paths_are_columns(folder: Path, pattern: str, dates: list[object], columns: set[str]):
    plan = plan_input(settings_of(folder, [pattern], *dates), {})
    assert {*plan.columns} == columns


def test_a_plan_has_dated_and_other_files_and_tells_what_is_missing(folder: Path):
    plan = plan_input(settings_of(folder, [OTHER, "static/zones.csv"], "2024-03-01", 2, 1), {})
    assert [one.info.uri.removeprefix(f"{folder}/") for one in plan.sources] == [
        "other/2024-02-29.csv",
        "static/zones.csv",
    ]
    assert any(note.endswith("no file for 2024-03-01") for note in plan.notes)
