"""How BigQuery tables and queries are opened and read, on a stand-in in this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import pyarrow as pa
import pytest

from beam_taxi.columns import ColumnSettings
from beam_taxi.errors import BeamTaxiError, DataError, UsageError
from beam_taxi.settings import Settings, StatisticsSettings
from beam_taxi.sources.bigquery import table as reading
from beam_taxi.sources.bigquery.identity import identity_of_query
from beam_taxi.sources.bigquery.names import TableName
from beam_taxi.sources.bigquery.opening import check_query, open_bigquery, open_query
from beam_taxi.sources.bigquery.query import dry_run
from beam_taxi.sources.bigquery.table import BigQueryTable
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import Opened, TablePlan, plan_sources
from beam_taxi.sources.unit_count import most_units
from tests.cloud.bigquery_service import ROWS, Tables, serving

SETTINGS = Settings(input=("bq://data.d.trips",), run_uri="/out/r", run_id="r", project="payer")
TRIPS = "projects/data/datasets/d/tables/trips"


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    known = Tables()
    with serving(known) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield known


def opened(name: str = "trips", **settings: Any) -> BigQueryTable:
    return open_bigquery(f"bq://data.d.{name}", replace(SETTINGS, **settings), {})


def queried(query: str, settings: Settings = SETTINGS) -> BigQueryTable:
    return open_query(check_query(query, settings), settings, {})


def planned(table: BigQueryTable, **settings: Any) -> TablePlan:
    return plan_sources(Opened([table], []), replace(SETTINGS, **settings), {})


def rows_of(table: BigQueryTable) -> list[dict[str, Any]]:
    reader = table.reader(table.kinds, has_rejects=False)
    batches = [batch.rows for batch in reader.read(0, len(table.streams))]
    return pa.Table.from_batches(batches).to_pylist()


GIB = 1 << 30
CUTS: dict[str, tuple[int, int, int, dict[str, Any], int]] = {
    "as many streams as units": (4 * GIB, 1000, 0, {}, 128),
    "one stream, which is split": (4 * GIB, 1, 10**6, {}, 128),
    "one stream, which is not": (4 * GIB, 1, 0, {}, 1),
    "four streams, which are not": (10 * GIB, 4, 0, {}, 4),
    "some can be split": (10 * GIB, 4, 3, {}, 7),
    "three streams for five units": (5 << 25, 3, 10**6, {}, 5),
    "more streams than units": (1, 4, 10**6, {}, 1),
    "small units": (4000, 1, 10**6, {"unit_bytes": 400}, 10),
    "a number of shards": (1, 1, 10**6, {"num_shards": 7}, 7),
    "more shards than streams of a session": (GIB, 1000, 10**6, {"num_shards": 1000}, 1000),
    "fewer rows than units": (100 * GIB, 4, 10**6, {}, ROWS),
}


@pytest.mark.parametrize(("size", "streams", "splits", "settings", "units"), CUTS.values(), ids=CUTS)
def test_units_have_rows(tables: Tables, size: int, streams: int, splits: int, settings: dict[str, Any], units: int):
    tables.size, tables.most_streams, tables.most_splits = size, streams, splits
    table = opened(**settings)
    plan = planned(table, **settings)
    _, found = plan_table(plan, replace(SETTINGS, **settings))
    assert plan.n_units == len(found) == units
    assert all(unit.pieces for unit in found)
    reader = table.reader({"id": Kind.INT}, has_rejects=False)
    ids = [
        value
        for unit in found[:200]
        for batch in reader.read(unit.pieces[0].start, unit.pieces[0].end)
        for value in batch.rows["id"].to_pylist()
    ]
    assert ids == list(range(len(ids)))
    assert len(ids) == ROWS or len(found) > 200


def test_a_number_of_shards_that_cannot_all_have_rows_is_told(tables: Tables):
    tables.most_streams = tables.most_splits = 1
    plan = planned(opened(num_shards=5), num_shards=5)
    assert plan.n_units == 5
    assert plan.notes == ("3 of 5 shards are empty: BigQuery serves the table in too few streams",)


MIXED = {
    "equal": ([(100, 1), (100, 1)], 2),
    "a table of few streams beside a small file": ([(1000, 10), (50, None)], 11),
    "a file beside a small table": ([(100_000, None), (1, 1)], 100_001),
    "files": ([(1, None), (2, None)], None),
}


@pytest.mark.parametrize(("sources", "most"), MIXED.values(), ids=MIXED)
def test_most_units_of_several_sources(tables: Tables, sources: list[tuple[int, int | None]], most: int | None):
    info = opened().info
    assert most_units([replace(info, size=size, most_units=limit) for size, limit in sources]) == most


SELECTED: dict[str, tuple[str, ColumnSettings, dict[str, str], list[str]]] = {
    "all": ("trips", ColumnSettings(), {"id": "id", "fare": "fare", "company": "company", "start": "start"}, []),
    "some": ("trips", ColumnSettings(keep=("fare", "id")), {"id": "id", "fare": "fare"}, ["id", "fare"]),
    "all but some": (
        "trips",
        ColumnSettings(drop=("[cs]*",), names={"id": "fare", "fare": "price"}),
        {"fare": "id", "price": "fare"},
        ["id", "fare"],
    ),
    "fields of structs": (
        "typed",
        ColumnSettings(keep=("place.x", "tags"), names={"place.x": "x"}),
        {"tags": "tags", "x": "place.x"},
        ["tags", "place.x"],
    ),
}


@pytest.mark.parametrize(("name", "columns", "expected", "asked"), SELECTED.values(), ids=SELECTED)
def test_only_the_columns_that_are_used_are_asked_for(
    tables: Tables, name: str, columns: ColumnSettings, expected: dict[str, str], asked: list[str]
):
    table = opened(name, columns=columns, flatten=True)
    assert {new: ".".join(column.path) for new, column in table.columns.items()} == expected
    assert table.info.columns == tuple(expected)
    assert list(tables.sessions[-1].read_session.read_options.selected_fields) == asked
    whole = {str(row): row for row in rows_of(opened(name, flatten=True))}
    assert rows_of(table) == [{new: row[old] for new, old in expected.items()} for row in whole.values()]


def test_columns_that_cannot_be_used_are_not_asked_for(tables: Tables):
    settings = replace(SETTINGS, schema="")
    table = open_bigquery("bq://data.d.typed", settings, {"id": Kind.INT, "tags": Kind.STRING})
    assert list(table.info.left_out) == ["place"]
    assert list(tables.sessions[-1].read_session.read_options.selected_fields) == ["id", "amount", "tags", "start"]
    assert opened("typed", columns=ColumnSettings(drop=("place",))).info.columns == ("id", "amount", "tags", "start")


def test_a_column_that_the_table_does_not_have(tables: Tables):
    with pytest.raises(UsageError, match=r"--columns: no column 'far' in bq://data\.d\.trips; did you mean 'fare'"):
        opened(columns=ColumnSettings(keep=("far",)))


NAMES = {
    "bq://a.b.c": TableName("a", "b", "c"),
    "bq://example.com:proj.b.c$20240101": TableName("example.com:proj", "b", "c$20240101"),
    "bq://a-1.b.events_*": TableName("a-1", "b", "events_*"),
}


@pytest.mark.parametrize(("uri", "name"), NAMES.items())
def test_names(uri: str, name: TableName):
    assert TableName.parse(uri) == name


@pytest.mark.parametrize("uri", ["bq://a.b", "bq://a:b.c", "bq://a.b.c.d", "bq://.b.c", "bq://a.b.", "bq://a/b.c.d"])
def test_no_names(uri: str):
    with pytest.raises(UsageError, match="--input bq://.*: give bq://PROJECT.DATASET.TABLE"):
        TableName.parse(uri)


def test_projects_of_a_domain(tables: Tables):
    settings = replace(SETTINGS, project="example.com:payer")
    table = open_bigquery("bq://example.com:data.d.trips", settings, {})
    assert len(rows_of(table)) == ROWS
    assert table.identity.startswith("bigquery-table:")
    assert tables.sessions[0].parent == "projects/example.com:payer"
    assert tables.sessions[0].read_session.table == "projects/example.com:data/datasets/d/tables/trips"
    tables.referenced = ("projects/example.com:data/datasets/d/tables/trips",)
    query = queried("SELECT * FROM `example.com:data.d.trips`", settings)
    assert len(rows_of(query)) == 10
    assert query.identity.startswith("bigquery-query:")


CHANGES: dict[str, dict[str, Any]] = {
    "modified": {"modified": 1},
    "rows": {"resources": {TRIPS: {"numRows": "7"}}},
    "bytes": {"resources": {TRIPS: {"numBytes": "7"}}},
}
UNKNOWN: dict[str, dict[str, Any]] = {
    "rows are streamed in": {"resources": {TRIPS: {"streamingBuffer": {"estimatedRows": "5"}}}},
    "an external table": {"resources": {TRIPS: {"type": "EXTERNAL"}}},
}


@pytest.mark.parametrize("changes", [*CHANGES.values(), *UNKNOWN.values()], ids=[*CHANGES, *UNKNOWN])
@pytest.mark.parametrize("query", [None, "SELECT 1"], ids=["table", "query"])
def test_the_identity_of_the_content(tables: Tables, query: str | None, changes: dict[str, Any]):
    def identity() -> str:
        table = opened() if query is None else queried(query)
        assert table.content_hash(()) == table.hash_content(1) == table.identity
        return table.identity

    before = identity()
    assert identity() == before
    for name, value in changes.items():
        setattr(tables, name, value)
    after = identity()
    assert after != before
    assert (identity() == after) == (changes in CHANGES.values())


QUERIES = {
    "an equal one": ("SELECT a FROM t", " SELECT a FROM t\n", True),
    "another": ("SELECT a FROM t", "SELECT b FROM t", False),
}


@pytest.mark.parametrize(("one", "other", "is_equal"), QUERIES.values(), ids=QUERIES)
def test_the_identity_of_queries(tables: Tables, one: str, other: str, is_equal: bool):
    first, second = queried(one), queried(other)
    assert (first.identity == second.identity) is (first.info.uri == second.info.uri) is is_equal


@pytest.mark.parametrize(
    "query",
    ["SELECT CURRENT_DATE", "SELECT * FROM t WHERE rand() < 0.1", "SELECT * FROM t TABLESAMPLE SYSTEM (1 PERCENT)"],
)
def test_queries_with_other_rows_each_time_have_no_identity(query: str):
    assert identity_of_query(query, [], "payer") is None


def test_no_time_of_the_launcher_is_sent(tables: Tables):
    opened()
    assert "table_modifiers" not in tables.sessions[0].read_session


@pytest.mark.parametrize("statement", ["INSERT", "CREATE_TABLE_AS_SELECT", "SCRIPT", "EXPORT_DATA"])
def test_what_is_no_select_is_refused_before_it_costs(tables: Tables, statement: str):
    tables.statement = statement
    told = f"--query: must be one SELECT statement, not {statement}"
    for refused in (lambda: queried("…"), lambda: dry_run("…", "payer")):
        with pytest.raises(UsageError) as error:
            refused()
        assert str(error.value) == told
    assert tables.paid == 0


def test_a_query_without_a_project(tables: Tables, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/none")
    for name in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="--project PROJECT is required: the project that pays for the query"):
        queried("SELECT 1", replace(SETTINGS, project=None))


def test_what_a_query_would_process(tables: Tables):
    found = dry_run("SELECT 1", "payer")
    assert (found.processed_bytes, found.tables) == (1_234_567, (TableName("data", "d", "trips"),))
    tables.referenced = (TRIPS,) * 50
    assert dry_run("SELECT 1", "payer").tables is None


@pytest.mark.parametrize("name", ["view", "external", "events_*"])
def test_what_is_no_stored_table_is_for_a_query(tables: Tables, name: str):
    told = r"bq://data\.d\..*: BigQuery refused: 400 .*non-table.*; use --query 'SELECT \* FROM `data\.d\..*`'"
    with pytest.raises(UsageError, match=told):
        opened(name)


TRANSIENT = {
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "internal": grpc.StatusCode.INTERNAL,
    "too many": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "aborted": grpc.StatusCode.ABORTED,
    "too late": grpc.StatusCode.DEADLINE_EXCEEDED,
}


@pytest.mark.parametrize("status", TRANSIENT.values(), ids=TRANSIENT)
def test_transient_errors(tables: Tables, status: grpc.StatusCode):
    tables.status, tables.most_streams = status, 1
    tables.failing.update(create=1, read=2)
    assert [row["id"] for row in rows_of(opened())] == list(range(ROWS))
    assert len(tables.sessions) == 2
    assert tables.offsets == [0, 100, 200]


def test_a_query_is_asked_again_after_a_transient_error(tables: Tables):
    tables.failing.update(query=1)
    assert len(rows_of(queried("SELECT 1"))) == 10
    assert tables.paid == 1


READ_ERRORS = {
    "away": (grpc.StatusCode.UNAVAILABLE, "bq://data.d.trips: BigQuery cannot be reached: 50. Try again."),
    "internal": (grpc.StatusCode.INTERNAL, "bq://data.d.trips: BigQuery cannot be reached: 500 Try again."),
    "expired": (grpc.StatusCode.FAILED_PRECONDITION, "bq://data.d.trips: BigQuery refused: 400 Try again."),
}


@pytest.mark.parametrize(("status", "told"), READ_ERRORS.values(), ids=READ_ERRORS)
def test_rows_that_never_come(tables: Tables, monkeypatch: pytest.MonkeyPatch, status: grpc.StatusCode, told: str):
    table = opened()
    tables.status = status
    tables.failing.update(begin=10**6)
    monkeypatch.setattr(reading, "_READ_SECONDS", 0.5)
    with pytest.raises(BeamTaxiError, match=told):
        rows_of(table)


def test_a_page_of_many_megabytes(tables: Tables):
    assert [len(row["a"]) for row in rows_of(opened("wide"))] == [6 << 20]


WEIGHTS: dict[str, tuple[list[float | None], str]] = {
    "negative": ([1.0] * 130 + [-1.0] * 70, "is -1; weights must be finite and at least 0"),
    "missing": ([1.0] * 130 + [None] * 70, "is missing"),
    "no number": ([1.0] * 130 + [float("nan")] * 70, "is nan; weights must be finite and at least 0"),
    "infinite": ([1.0] * 130 + [float("inf")] * 70, "is inf; weights must be finite and at least 0"),
}


@pytest.mark.parametrize(("weights", "told"), WEIGHTS.values(), ids=WEIGHTS)
def test_weights_that_cannot_be_used(tables: Tables, weights: list[float | None], told: str):
    tables.tables[TRIPS] = pa.table({"a": range(200), "w": pa.array(weights, pa.float64())})
    tables.most_streams = 2
    table = opened(statistics=StatisticsSettings(weight_feature="w"), columns=ColumnSettings(drop=("a",)))
    with pytest.raises(DataError) as error:
        rows_of(table)
    assert str(error.value) == f"bq://data.d.trips: stream 1, row 31: column 'w', the --weight_feature, {told}"


def test_weights_that_can_be_used(tables: Tables):
    assert len(rows_of(opened("trips", statistics=StatisticsSettings(weight_feature="id")))) == ROWS


def test_weights_that_are_no_numbers(tables: Tables):
    with pytest.raises(
        DataError, match="column 'company', the --weight_feature, is of type string, which is not a number"
    ):
        opened(statistics=StatisticsSettings(weight_feature="company"))
