"""Polars' summary of a CSV file, on all cores: `polars_describe.py --input FILE --output UNUSED`."""

from __future__ import annotations

import json
import sys
import time

import polars as pl

start = time.perf_counter()
# Types are inferred from all rows, as they are by the job.
described = pl.read_csv(sys.argv[2], infer_schema_length=None).describe()
print(json.dumps({"seconds": time.perf_counter() - start, "columns": described.width}))
