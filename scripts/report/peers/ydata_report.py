"""ydata-profiling's report of a CSV file: `ydata_report.py FILE HTML [minimal]`."""

from __future__ import annotations

import sys

import pandas as pd
from ydata_profiling import ProfileReport

report = ProfileReport(pd.read_csv(sys.argv[1]), minimal=sys.argv[3:] == ["minimal"], progress_bar=False)
report.to_file(sys.argv[2])
