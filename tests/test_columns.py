"""Which columns of a table are chosen, and how they are renamed."""

from __future__ import annotations

import pytest

from beam_taxi.columns import PAIRS, ColumnSettings
from beam_taxi.errors import UsageError

TABLE = ["id", "pick_lat", "pick_lon", "fare", "a[1]"]
SELECTIONS = {
    "all": (ColumnSettings(), ["id", "pick_lat", "pick_lon", "fare", "a[1]"]),
    "some": (ColumnSettings(keep=("fare", "id")), ["id", "fare"]),
    "a pattern": (ColumnSettings(keep=("pick_*",)), ["pick_lat", "pick_lon"]),
    "all but some": (ColumnSettings(drop=("pick_l?t", "id")), ["pick_lon", "fare", "a[1]"]),
    "some of some": (ColumnSettings(keep=("pick_*", "id"), drop=("*lon",)), ["id", "pick_lat"]),
    "brackets": (ColumnSettings(keep=("a[1]",)), ["a[1]"]),
}


@pytest.mark.parametrize(("settings", "expected"), SELECTIONS.values(), ids=SELECTIONS)
def test_selection(settings: ColumnSettings, expected: list[str]):
    assert settings.select("t.csv", TABLE) == {name: name for name in expected}


RENAMED = {
    "one": ({"fare": "price"}, {"id": "id", "price": "fare"}),
    "a swap": ({"fare": "id", "id": "fare"}, {"fare": "id", "id": "fare"}),
    "the same": ({"id": "id"}, {"id": "id", "fare": "fare"}),
}


@pytest.mark.parametrize(("names", "expected"), RENAMED.values(), ids=RENAMED)
def test_new_names_in_the_order_of_the_table(names: dict[str, str], expected: dict[str, str]):
    found = ColumnSettings(names=names).select("t.csv", ["id", "fare"])
    assert list(found.items()) == list(expected.items())


def test_a_name_that_is_free_because_its_column_is_left_out():
    settings = ColumnSettings(drop=("fare",), names={"id": "fare"})
    assert settings.select("t.csv", ["id", "fare"]) == {"fare": "id"}


REFUSED = {
    "kept": (ColumnSettings(keep=("fares",)), "--columns: no column 'fares' in t.csv; did you mean 'fare'?"),
    "dropped": (ColumnSettings(drop=("x*",)), "--drop_columns: no column 'x*' in t.csv"),
    "renamed": (ColumnSettings(names={"far": "x"}), "--rename: no column 'far' in t.csv; did you mean 'fare'?"),
    "a pattern renamed": (ColumnSettings(names={"far*": "x"}), "--rename: no column 'far*' in t.csv"),
    "renamed, but left out": (
        ColumnSettings(drop=("fare",), names={"fare": "x"}),
        "--rename: no column 'fare' in t.csv",
    ),
    "taken": (ColumnSettings(names={"fare": "id"}), "--rename: t.csv has a column 'id' already"),
    "none": (ColumnSettings(drop=("*",)), "--columns, --drop_columns: no column of t.csv is left"),
}


@pytest.mark.parametrize(("settings", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(settings: ColumnSettings, message: str):
    with pytest.raises(UsageError) as error:
        settings.select("t.csv", TABLE)
    assert str(error.value).startswith(message)


def test_pairs():
    text = 'a:b,"x,y":z,t:10:00:c'
    pairs = {"a": "b", "x,y": "z", "t:10:00": "c"}
    assert PAIRS.parse(text) == pairs
    assert PAIRS.parse(PAIRS.format(pairs)) == pairs


@pytest.mark.parametrize("text", ["a", "a:", ":b", "a:b,a:c", "a:b,,"])
def test_text_that_is_no_pairs(text: str):
    with pytest.raises(ValueError, match="must be NAME:VALUE|names a column twice"):
        PAIRS.parse(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ColumnSettings(types={"a": "FLOAT", "b": "int"}), "--types: 'int' must be one of INT, FLOAT, STRING"),
        (ColumnSettings(names={"a": "x", "b": "x"}), "--rename a:x,b:x: new names must be unique"),
    ],
)
def test_faults(settings: ColumnSettings, message: str):
    assert list(settings.faults()) == [message]
