"""ydata-profiling's minimal report of a CSV file: `ydata_minimal.py --input FILE --output FOLDER`."""

from __future__ import annotations

import json
import os
import sys
import time

import pandas as pd
from ydata_profiling import ProfileReport

start = time.perf_counter()
os.makedirs(sys.argv[4])
report = ProfileReport(pd.read_csv(sys.argv[2]), minimal=True, progress_bar=False)
report.to_file(os.path.join(sys.argv[4], "report.html"))
print(json.dumps({"seconds": time.perf_counter() - start}))
