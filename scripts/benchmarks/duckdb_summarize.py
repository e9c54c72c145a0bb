"""DuckDB's statistics of a CSV file, on all cores: `duckdb_summarize.py --input FILE --output UNUSED`."""

from __future__ import annotations

import json
import sys
import time

import duckdb

start = time.perf_counter()
rows = duckdb.sql(f"SUMMARIZE SELECT * FROM read_csv('{sys.argv[2]}')").fetchall()
print(json.dumps({"seconds": time.perf_counter() - start, "columns": len(rows)}))
