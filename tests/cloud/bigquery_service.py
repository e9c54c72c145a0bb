"""A stand-in for BigQuery's two services, as far as tables are read and queries are run."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import unquote

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

from tests.cloud.answers import JsonHandler

ROWS = 1000
TRIPS = pa.table(
    {
        "id": pa.array(range(ROWS)),
        "fare": pa.array([None if i % 10 == 0 else i / 4 for i in range(ROWS)]),
        "company": pa.array([f"company {i % 7}" for i in range(ROWS)]),
        "start": pa.array([1357000000 + i for i in range(ROWS)], pa.timestamp("us", "UTC")),
    }
)
TYPED = pa.table(
    {
        "id": pa.array([10**17 + i for i in range(60)]),
        "amount": pa.array([Decimal("0.1"), None, Decimal("-12.50")] * 20, pa.decimal128(38, 9)),
        "tags": pa.array([["a", "b"], [], ["c"]] * 20),
        "place": pa.array([{"x": 1, "ys": [1.5]}, None, {"x": 2, "ys": []}] * 20),
        "start": pa.array([0, None, 1] * 20, pa.timestamp("us", "UTC")),
    }
)
TABLES = {
    "projects/data/datasets/d/tables/trips": TRIPS,
    "projects/example.com:data/datasets/d/tables/trips": TRIPS,
    "projects/data/datasets/_temp/tables/result": TRIPS.slice(0, 10),
    "projects/data/datasets/d/tables/nested": pa.table({"a": pa.array([{"x": 1}])}),
    "projects/data/datasets/d/tables/typed": TYPED,
    "projects/data/datasets/d/tables/ids": pa.table(
        {"a": pa.array([Decimal(10**17 + i) for i in range(60)], pa.decimal128(38, 9))}
    ),
    "projects/data/datasets/d/tables/large": pa.table({"a": [1.5, 1e39]}),
    "projects/data/datasets/d/tables/empty": pa.table({"a": [1]}).slice(1),
    "projects/data/datasets/d/tables/weights": pa.table({"a": range(300), "w": [1.0] * 250 + [-1.0] * 50}),
    "projects/data/datasets/d/tables/wide": pa.table({"a": ["x" * (6 << 20)]}),
}
NO_TABLES = ("view", "external", "events_*")
PAYERS = ("projects/payer", "projects/example.com:payer")


@dataclass
class Tables:
    """What the services know: the tables, the most streams that they give, and what to refuse the next time.

    `size` is the number of bytes that a session expects, if not that of the rows.
    """

    tables: dict[str, pa.Table] = field(default_factory=lambda: dict(TABLES))
    most_streams: int = 4
    most_splits: int = 10**6
    size: int | None = None
    failing: Counter[str] = field(default_factory=Counter)
    status: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    sessions: list[types.CreateReadSessionRequest] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    modified: int = 1_764_000_000_123
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    statement: str = "SELECT"
    referenced: tuple[str, ...] = ("projects/data/datasets/d/tables/trips",)
    paid: int = 0
    parameters: list[dict[str, str]] = field(default_factory=list)

    def fails(self, call: str) -> bool:
        """Return whether a call fails this time."""
        self.failing[call] -= 1
        return self.failing[call] >= 0


def columns_of(table: pa.Table, selected: Any) -> pa.Table:
    """Return a table with only some columns, or fields of structs, in its own order."""
    if not selected:
        return table
    found = {}
    for name in table.column_names:
        inner = [one.partition(".")[2] for one in selected if one.startswith(f"{name}.")]
        column = table[name].combine_chunks()
        if inner:
            fields = [one for one in column.type if one.name in inner]
            arrays = [column.field(one.name) for one in fields]
            column = pa.StructArray.from_arrays(arrays, fields=fields, mask=column.is_null())
        if inner or name in selected:
            found[name] = column
    return pa.table(found)


class ReadApi(grpc.GenericRpcHandler):
    """CreateReadSession, SplitReadStream and ReadRows of google.cloud.bigquery.storage.v1.BigQueryRead."""

    def __init__(self, tables: Tables) -> None:
        self.known = tables

    def service(self, call: Any) -> Any:
        return {
            "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                self.create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
            ),
            "SplitReadStream": grpc.unary_unary_rpc_method_handler(
                self.split, types.SplitReadStreamRequest.deserialize, types.SplitReadStreamResponse.serialize
            ),
            "ReadRows": grpc.unary_stream_rpc_method_handler(
                self.read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
            ),
        }[call.method.rsplit("/", 1)[1]]

    def create(self, request: types.CreateReadSessionRequest, context: grpc.ServicerContext) -> types.ReadSession:
        known, name = self.known, request.read_session.table
        known.sessions.append(request)
        if known.fails("create"):
            context.abort(known.status, "Try again.")
        if name.rsplit("/", 1)[1] in NO_TABLES:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "request failed: non-table entities cannot be read")
        if name not in known.tables:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: Table {name}")
        assert request.parent in PAYERS
        assert "snapshot_time" not in request.read_session.table_modifiers
        wanted, most = request.preferred_min_stream_count, request.max_stream_count or 1000
        assert wanted <= most <= 1000
        options = request.read_session.read_options
        table = columns_of(known.tables[name], options.selected_fields)
        count = min(max(wanted, 4), most, known.most_streams) if len(table) else 0
        bounds = [len(table) * i // count for i in range(count + 1)] if count else []
        fields = ",".join(options.selected_fields)
        return types.ReadSession(
            name=f"session {len(known.sessions)}",
            arrow_schema=types.ArrowSchema(serialized_schema=table.schema.serialize().to_pybytes()),
            streams=[types.ReadStream(name=f"{name}#{fields}#{bounds[i]}#{bounds[i + 1]}") for i in range(count)],
            estimated_total_bytes_scanned=table.nbytes if known.size is None else known.size,
        )

    def split(
        self, request: types.SplitReadStreamRequest, context: grpc.ServicerContext
    ) -> types.SplitReadStreamResponse:
        name, fields, start, end = request.name.split("#")
        self.known.most_splits -= 1
        middle = int(start) + round((int(end) - int(start)) * request.fraction)
        if self.known.most_splits < 0 or not int(start) < middle < int(end):
            return types.SplitReadStreamResponse()
        return types.SplitReadStreamResponse(
            primary_stream=types.ReadStream(name=f"{name}#{fields}#{start}#{middle}"),
            remainder_stream=types.ReadStream(name=f"{name}#{fields}#{middle}#{end}"),
        )

    def read(self, request: types.ReadRowsRequest, context: grpc.ServicerContext) -> Iterator[types.ReadRowsResponse]:
        name, fields, start, end = request.read_stream.split("#")
        self.known.offsets.append(request.offset)
        if self.known.fails("begin"):
            context.abort(self.known.status, "Try again.")
        table = columns_of(self.known.tables[name], list(filter(None, fields.split(","))))
        first = int(start) + request.offset
        for batch in table.slice(first, int(end) - first).combine_chunks().to_batches(max_chunksize=100):
            yield types.ReadRowsResponse(
                arrow_schema=types.ArrowSchema(serialized_schema=table.schema.serialize().to_pybytes()),
                arrow_record_batch=types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes()),
                row_count=len(batch),
            )
            if self.known.fails("read"):
                context.abort(self.known.status, "Try again.")


REFERENCE = {"projectId": "payer", "jobId": "job", "location": "US"}


class Jobs(JsonHandler):
    """jobs.insert, jobs.get and tables.get of the REST API; queries are done at once."""

    known: ClassVar[Tables]

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["configuration"]
        query = request["query"]["query"]
        if self.known.fails("query"):
            self.answer({"error": {"code": 503, "message": "Try again."}}, 503)
        elif "FORM" in query:
            self.answer({"error": {"code": 400, "message": f"Syntax error in {query}"}}, 400)
        else:
            given = request["query"].get("queryParameters", [])
            self.known.parameters.append({one["name"]: one["parameterValue"]["value"] for one in given})
            assert all(one["parameterType"] == {"type": "DATE"} for one in given)
            self.known.paid += not request.get("dryRun")
            self.answer(self.job(query))

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        if "/tables/" in path:
            self.table(path[path.index("projects/") :])
        else:
            self.answer(self.job("SELECT"))

    def table(self, name: str) -> None:
        known = self.known
        if name not in known.tables:
            self.answer({"error": {"code": 404, "message": f"Not found: Table {name}"}}, 404)
            return
        project, dataset, table = re.fullmatch("projects/(.*)/datasets/(.*)/tables/(.*)", name).groups()  # type: ignore[union-attr]
        self.answer(
            {
                "tableReference": {"projectId": project, "datasetId": dataset, "tableId": table},
                "type": "TABLE",
                "lastModifiedTime": str(known.modified),
                "numRows": str(len(known.tables[name])),
                "numBytes": str(known.tables[name].nbytes),
                **known.resources.get(name, {}),
            }
        )

    def job(self, query: str) -> dict[str, Any]:
        known = self.known
        statement = "INSERT" if query.startswith("INSERT") else known.statement
        names = [re.split("projects/|/datasets/|/tables/", name)[1:] for name in known.referenced]
        table = {"projectId": "data", "datasetId": "_temp", "tableId": "result"}
        return {
            "jobReference": REFERENCE,
            "configuration": {
                "jobType": "QUERY",
                "query": {"query": query, **({} if statement == "SCRIPT" else {"destinationTable": table})},
            },
            "status": {"state": "DONE"},
            "statistics": {
                "query": {
                    "totalBytesProcessed": "1234567",
                    "statementType": statement,
                    "referencedTables": [
                        dict(zip(("projectId", "datasetId", "tableId"), name, strict=True)) for name in names
                    ],
                }
            },
        }


@contextmanager
def serving(tables: Tables) -> Iterator[dict[str, str]]:
    """Serve tables; yield the environment variables under which BigQuery is here."""
    unlimited = [("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(8), options=unlimited)
    server.add_generic_rpc_handlers((ReadApi(tables),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    jobs = ThreadingHTTPServer(("127.0.0.1", 0), type("Jobs", (Jobs,), {"known": tables}))
    threading.Thread(target=jobs.serve_forever, daemon=True).start()
    try:
        yield {
            "BIGQUERY_STORAGE_EMULATOR_HOST": f"127.0.0.1:{port}",
            "BIGQUERY_EMULATOR_HOST": f"http://127.0.0.1:{jobs.server_port}",
        }
    finally:
        jobs.shutdown()
        jobs.server_close()
        server.stop(None)
