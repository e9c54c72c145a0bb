"""Spans in a store: what TFX's resolvers choose by, and which runs a run with a date is compared with."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from beam_taxi.dates import DateSettings
from beam_taxi.metadata.queries import accepted_runs_before, artifacts_of, get_run
from beam_taxi.metadata.recorder import record
from beam_taxi.metadata.store import open_store
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.validation import Summary
from tests.metadata.runs import manifest


def dated(
    run_id: str, date: str | None, window: int = 1, version: int | None = None, accepted: bool = True
) -> RunManifest:
    whole = manifest(run_id)
    dates = DateSettings(date, window)
    return dataclasses.replace(
        whole,
        settings=dataclasses.replace(whole.settings, input=("/d/{SPAN}" if date else "/d",), dates=dates),
        settings_sha256=f"{date} {window}",
        span=dates.span,
        version=version,
        validation=Summary(accepted=accepted),
    )


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/metadata.sqlite"


SPANS = {
    "a day": (("2026-11-24", 1, None), 20781, None, (20781, 20781)),
    "a version": (("2026-11-24", 1, 3), 20781, 3, (20781, 20781)),
    "a window": (("2026-11-24", 7, 0), 20781, 0, (20775, 20781)),
    "no date": ((None, 1, None), 0, None, None),
}


@pytest.mark.parametrize(("given", "span", "version", "spans"), SPANS.values(), ids=SPANS)
def test_properties_are_where_tfx_has_them(
    store: str, given: tuple[Any, ...], span: int, version: int | None, spans: tuple[int, int] | None
):
    record(dated("r", *given), store)
    run = get_run(store, "r")
    ids = {key: one.id for key, one in artifacts_of(store, run).items()}
    with open_store(store) as connection:
        examples, statistics = connection.get_artifacts_by_id([ids["examples"], ids["statistics"]])
    for one in (examples, statistics):
        assert one.properties["span"].int_value == one.custom_properties["span"].int_value == span
    for values in (examples.properties, examples.custom_properties):
        assert ("version" in values) == (version is not None)
        assert values["version"].int_value == (version or 0)
    assert "version" not in statistics.properties
    assert (run.properties["span"], run.properties.get("version")) == (span, version)
    if spans is None:
        assert not {"range_config", "date", "window"} & {*run.properties}
        return
    assert json.loads(str(run.properties["range_config"])) == {
        "static_range": {"start_span_number": spans[0], "end_span_number": spans[1]}
    }
    assert (run.properties["date"], run.properties["window"]) == given[:2]


def test_a_day_is_compared_with_the_days_before_it(store: str):
    runs = [
        *(("a", "2019-11-20"), ("c", "2019-11-22"), ("b", "2019-11-21"), ("old c", "2019-11-22"), ("d", "2019-11-23")),
    ]
    for run_id, date in runs:
        record(dated(run_id.replace(" ", "-"), date), store)
    record(dated("week", "2019-11-21", 7), store)
    record(dated("bad", "2019-11-21", accepted=False), store)
    record(dated("undated", None), store)

    def before(date: str, window: int = 1, limit: int = 100) -> list[str]:
        return [run.run_id for run in accepted_runs_before(store, "taxi", date, window, limit)]

    # Of each day the latest accepted run; runs without a date are of the day on which they started.
    assert before("2019-11-23") == ["a", "b", "old-c"]
    assert before("2019-11-22") == ["a", "b"]
    assert before("2019-11-20") == []
    assert before("2019-11-23", limit=2) == ["b", "old-c"]
    assert before("2019-11-23", window=7) == ["week"]
    assert before("9999-01-01")[-1] == "undated"
    assert accepted_runs_before(store, "none", "2019-11-23", 1) == []
