"""Values that are too long, too large or not UTF-8: what is stored is whole, and every store takes it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from beam_taxi.metadata import nodes
from beam_taxi.metadata.parameters import MOST_INPUTS
from beam_taxi.metadata.queries import Run, artifacts_of, get_run
from beam_taxi.metadata.recorder import fail, record, start
from beam_taxi.metadata.stores.base import one_line
from beam_taxi.metadata.texts import MAX_TEXT, shorten, storable, text_of_first
from beam_taxi.run.manifest import InputEntry, RunManifest, SplitEntry
from beam_taxi.settings import Settings
from tests.metadata.runs import manifest, planned

SHORTENED = {
    "fits": ("0123456789", 10, "0123456789"),
    "too long": ("0123456789", 9, "012345…89"),
    "characters of four bytes": ("😀" * 10, 8, "😀" * 5 + "…" + "😀" * 2),
    "empty": ("", 8, ""),
}


@pytest.mark.parametrize(("text", "limit", "expected"), SHORTENED.values(), ids=SHORTENED)
def test_a_text_is_shortened_in_the_middle(text: str, limit: int, expected: str):
    assert shorten(text, limit) == expected


def test_the_longest_text_fits_into_mysqls_text():
    assert len(shorten("😀" * 70_000).encode()) <= 65_535


FIRST = {"all": ([1, 2], "[1, 2]", 0), "none": ([], "[]", 0)}


@pytest.mark.parametrize(("items", "text", "left_out"), FIRST.values(), ids=FIRST)
def test_a_list_that_fits_is_whole(items: list[int], text: str, left_out: int):
    assert text_of_first(items, lambda some: json.dumps(list(some))) == (text, left_out)


def test_as_much_of_a_list_as_fits():
    text, left_out = text_of_first(range(100_000), lambda some: json.dumps(list(some)))
    kept = json.loads(text)
    assert kept == list(range(100_000 - left_out))
    assert len(text) <= MAX_TEXT < len(json.dumps([*kept, len(kept)]))


def test_texts_that_a_store_refuses_are_escaped():
    assert storable("a\0b caf\udce9 é 😀") == "a\ufffdb caf\\udce9 é 😀"


def test_an_error_in_one_line_keeps_its_cause_and_its_address():
    text = one_line(RuntimeError("the cause:\n" + "INSERT " * 1_000 + "\nat http://page"))
    assert len(text) == 1_000
    assert text.startswith("the cause: INSERT")
    assert text.endswith("INSERT at http://page")
    assert one_line(RuntimeError("mysql_query failed: errno: no, error: no")) == "mysql_query failed: no"


def run_of(store: str, run: RunManifest) -> Run:
    start(dataclasses.replace(run, artifacts={}), store, "FnApiRunner")
    record(run, store)
    return get_run(store, run.run_id)


def test_properties_that_readers_parse_stay_whole(store: str):
    files = tuple(f"/data/{'é😀' * 50}/{number:04}.csv" for number in range(300))
    names = tuple(f"split-{number:04}-{'x' * 40}" for number in range(1_000))
    whole = manifest("r")
    run = dataclasses.replace(
        whole,
        settings=Settings(files, whole.run_uri, "r", "taxi", query="SELECT " + "😀" * 20_000),
        inputs=tuple(InputEntry(file, "csv", 1, "sha256:1", 1) for file in files),
        splits=tuple(SplitEntry(name, 1, 1) for name in names),
    )
    stored = run_of(store, run)
    values = stored.properties
    patterns = [one["pattern"] for one in json.loads(str(values["input_config"]))["splits"]]
    assert patterns == list(files[: len(patterns)])
    assert 0 < len(patterns) == 301 - int(values["patterns_left_out"])
    base = str(values["input_base"]).split(",")
    assert tuple(base) == files[: len(base)]
    splits = json.loads(str(values["output_config"]))["split_config"]["splits"]
    assert [one["name"] for one in splits] == list(names[: len(splits)])
    assert len(splits) == 1_000 - int(values["splits_left_out"])
    artifacts = artifacts_of(store, stored)
    assert len([key for key in artifacts if key.startswith("input/")]) == 300
    for key in ("examples", "statistics"):
        properties = artifacts[key].properties
        found = json.loads(str(properties["split_names"]))
        assert found == list(names[: len(found)])
        assert len(found) == 1_000 - int(properties["splits_left_out"])


def test_a_short_list_leaves_nothing_out(store: str):
    values = run_of(store, manifest("r")).properties
    assert not [key for key in values if key.endswith("_left_out")]


def test_of_many_inputs_the_first_are_artifacts():
    entries = tuple(InputEntry(f"/data/{number}.csv", "csv", 1, "sha256:1", 1) for number in range(MOST_INPUTS + 3))
    run = dataclasses.replace(manifest("r"), inputs=entries)
    found = nodes.inputs(run)
    assert [one.uri for one in found] == [one.uri for one in entries[:MOST_INPUTS]]
    parameters = nodes.steps(run)[0].parameters
    assert parameters["inputs_left_out"] == 3
    assert parameters["input_fingerprint"] == nodes.fingerprint(entries)


def test_an_error_keeps_its_beginning_and_its_end(store: str):
    start(planned("r"), store, "FnApiRunner")
    fail("r", store, "the cause\0 " + "😀" * 70_000 + " see https://console/job?a=1")
    error = str(get_run(store, "r").properties["error"])
    assert len(error) == MAX_TEXT
    assert error.startswith("the cause\ufffd 😀")
    assert error.endswith("😀 see https://console/job?a=1")


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 10**15 - 1])
def test_sizes_of_more_than_32_bits(store: str, size: int):
    whole = manifest("r")
    run = run_of(store, dataclasses.replace(whole, inputs=(InputEntry("/big.csv", "csv", size, "sha256:1", size),)))
    properties = artifacts_of(store, run)["input/0"].properties
    assert (properties["size"], properties["rows"]) == (size, size)
    assert type(properties["size"]) is int


def test_an_input_whose_name_is_not_utf8(store: str):
    whole = manifest("r")
    run = run_of(store, dataclasses.replace(whole, inputs=(InputEntry("/caf\udce9.csv", "csv", 1, "sha256:1", 1),)))
    assert artifacts_of(store, run)["input/0"].uri == "/caf\\udce9.csv"
