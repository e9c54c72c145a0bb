"""The judgement of a whole table by the graph: offenders with their lines, rows that are set aside, the budget."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.errors import DataError
from beam_taxi.launch.preflight import declared_kinds
from beam_taxi.pipeline import build
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.validation import FAILED, PASSED, WARNED, Result
from beam_taxi.settings import Settings, Split, ValidationSettings
from beam_taxi.sources.plan import plan_input
from tests.transforms.test_graph import planned_run

SCHEMA = """
feature { name: "fare" type: FLOAT float_domain { min: 0 } }
feature { name: "id" type: INT presence { min_fraction: 1 } }
feature { name: "note" type: BYTES string_domain { value: "cash" value: "ca\\nrd" } }
"""
CHECKS = """version: 1
rows:
  - rule: fare < 100
  - {rule: fare < 50, severity: warning}
unique:
  - columns: [id]
"""
TABLE = """id,note,fare
1,cash,5

2,"ca
rd",-1
3,cheque,5
,cash,5
4,cash,200
5,cash,60
6,cash,5,bad
7,cash,
7,"ca
rd",7
8,cash,-2
"""
ROWS = 9


def run(folder: Path, **options: Any) -> RunManifest:
    """Run the graph on what `folder` holds in `data`; return the manifest."""
    validation = ValidationSettings(**{"checks": CHECKS, **options.pop("validation", {})})
    number = sum(path.name.startswith("run") for path in folder.iterdir())
    settings = Settings(
        (str(folder / "data" / "*"),),
        str(folder / f"run-{number}"),
        f"run-{number}",
        schema=SCHEMA,
        validation=validation,
        **{"splits": (Split("all", 1),), "max_rejects": 9, "num_shards": 1, **options},
    )
    RunFolder(settings.run_uri).claim()
    plan = plan_input(settings, declared_kinds(settings))
    with TestPipeline(runner="FnApiRunner") as pipeline:
        planned = replace(planned_run(settings, plan), started="2026-01-02T03:04:05+00:00")
        manifests = build(pipeline, plan, planned)
        assert_that(manifests | beam.Map(lambda one: one.run_id), equal_to([settings.run_id]))
    return RunFolder(settings.run_uri).read_manifest()


def results(manifest: RunManifest) -> list[Result]:
    return list(RunFolder(manifest.run_uri).read_validation().results)


def told(manifest: RunManifest, folder: Path) -> dict[str, tuple[str, str]]:
    """Return outcome and offenders by the name of each result; those that passed by their features, too."""
    found = {}
    for one in results(manifest):
        rows = "" if one.offenders is None else one.offenders.text().replace(f"{folder}/data/", "")
        name = f"{one.name} {one.features[0]}" if one.outcome == PASSED and one.name == "SCHEMA" else one.name
        found[name] = (one.outcome, rows)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text(TABLE)
    return tmp_path


OFFENDERS = {
    "FLOAT_TYPE_SMALL_FLOAT": (FAILED, "2 rows, first x.csv:4"),
    "FEATURE_TYPE_LOW_FRACTION_PRESENT": (FAILED, "1 row, first x.csv:7"),
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES": (FAILED, "1 row, first x.csv:6"),
    "fare < 100": (FAILED, "1 row, first x.csv:8"),
    "fare < 50": (WARNED, "2 rows, first x.csv:8"),
    "unique id": (FAILED, "2 rows, first x.csv:11"),
}


def test_offenders_by_line(folder: Path):
    manifest = run(folder)
    assert told(manifest, folder) == OFFENDERS
    assert not manifest.validation.accepted
    by_name = {one.name: one for one in results(manifest)}
    first = by_name["FLOAT_TYPE_SMALL_FLOAT"].offenders.first
    assert [(one.number, dict(one.values)) for one in first] == [(4, {"fare": "-1.0"}), (14, {"fare": "-2.0"})]
    assert [one.number for one in by_name["unique id"].offenders.first] == [11, 12]
    assert by_name["FEATURE_TYPE_LOW_FRACTION_PRESENT"].offenders.first[0].values == {"id": None}
    assert sum(split.rows or 0 for split in manifest.splits) == ROWS
    assert manifest.count_rejects() == Counter(fields=1)
    assert {"anomalies", "examples", "statistics", "schema", "inferred_schema", "rejects"} == set(manifest.artifacts)


MANY = "".join(
    f"{number % 1990},{'cheque' if number % 700 == 3 else 'cash'},{-1 if number % 500 == 7 else number % 90}\n"
    for number in range(2000)
)


def test_the_same_offenders_in_any_number_of_units_and_batches(folder: Path):
    for part in range(3):
        lines = MANY.splitlines(keepends=True)[part * 700 : (part + 1) * 700]
        (folder / "data" / f"{part}.csv").write_text("id,note,fare\n" + "".join(lines))
    (folder / "data" / "x.csv").unlink()
    splits = (Split("train", 2), Split("eval", 1))
    options: dict[str, Any] = {"splits": splits, "validation": {"offenders": 3}}
    found = [results(run(folder, **options)), results(run(folder, **options, num_shards=5, batch_bytes=100))]
    assert found[1] == found[0]
    counts = Counter[str]()
    for one in found[0]:
        if one.offenders is not None:
            counts[one.name] += one.offenders.count
            places = [(offender.file, offender.number) for offender in one.offenders.first]
            assert places == sorted(places)
            assert len(places) == min(3, one.offenders.count)
    assert counts == {
        "FLOAT_TYPE_SMALL_FLOAT": 4,
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES": 3,
        "fare < 50": sum(float(line.rsplit(",", 1)[1]) >= 50 for line in MANY.splitlines()),
        "unique id": 20,
    }


def statistics_of(manifest: RunManifest, split: str) -> statistics_pb2.DatasetFeatureStatistics:
    content = Path(manifest.run_uri, "statistics", f"Split-{split}", "FeatureStats.pb").read_bytes()
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(content).datasets[0]


def rejects(manifest: RunManifest) -> list[dict[str, Any]]:
    files = sorted(Path(manifest.run_uri, "rejects").iterdir())
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_rows_that_are_set_aside(folder: Path):
    manifest = run(folder, validation={"quarantine": True}, num_shards=3)
    (entry,) = manifest.inputs
    assert (entry.records, entry.rows, entry.rejects) == (10, 4, {"anomaly": 4, "check": 1, "fields": 1})
    assert sum(split.rows or 0 for split in manifest.splits) == 4
    assert sum(file.rows or 0 for file in manifest.artifacts["examples"].files) == 4
    statistics = statistics_of(manifest, "all")
    assert statistics.num_examples == 4
    (fare,) = [one for one in statistics.features if one.path.step[0] == "fare"]
    assert (fare.num_stats.min, fare.num_stats.max) == (5, 60)
    assert {(one["line"], one["code"], one["text"]) for one in rejects(manifest)} == {
        (4, "anomaly", '2,"ca\nrd",-1'),
        (6, "anomaly", "3,cheque,5"),
        (7, "anomaly", ",cash,5"),
        (8, "check", "4,cash,200"),
        (10, "fields", "6,cash,5,bad"),
        (14, "anomaly", "8,cash,-2"),
    }
    assert {(one["line"], one["reason"]) for one in rejects(manifest)} >= {
        (4, "FLOAT_TYPE_SMALL_FLOAT: fare is -1.0"),
        (8, "fare < 100: fare is 200.0"),
    }
    found = told(manifest, folder)
    assert found == {
        **{f"SCHEMA {name}": (PASSED, "") for name in ("fare", "id", "note")},
        **{name: (WARNED, OFFENDERS[name][1]) for name in OFFENDERS if name.isupper() or "_" in name},
        "fare < 100": (WARNED, "1 row, first x.csv:8"),
        "fare < 50": (WARNED, OFFENDERS["fare < 50"][1]),
        "unique id": (FAILED, "2 rows, first x.csv:11"),
    }


def test_more_rows_than_the_budget_allows_are_an_error_with_file_and_line(folder: Path):
    message = r"x\.csv: line 4: FLOAT_TYPE_SMALL_FLOAT: fare is -1\.0; 6 of 10 rows are bad or violate a rule, 5 may"
    with pytest.raises(DataError, match=message):
        run(folder, validation={"quarantine": True}, num_shards=4, max_rejects=5)


def test_rows_of_parquet_that_are_set_aside(folder: Path):
    (folder / "data" / "x.csv").unlink()
    columns = {"id": [1, 2, 3], "note": ["cash", 'a"b', "cash"], "fare": pa.array([1.5, 2.5, -0.1], pa.float32())}
    pq.write_table(pa.table(columns), folder / "data" / "x.parquet", row_group_size=2)
    manifest = run(folder, validation={"quarantine": True})
    assert [(one["row_group"], one["line"], one["text"]) for one in rejects(manifest)] == [
        (0, 2, '2,"a""b",2.5'),
        (1, 1, "3,cash,-0.1"),
    ]
    assert told(manifest, folder)["FLOAT_TYPE_SMALL_FLOAT"] == (WARNED, "1 row, first x.parquet: row group 1, row 1")
