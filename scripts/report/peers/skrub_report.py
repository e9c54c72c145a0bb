"""skrub's TableReport of a CSV file: `skrub_report.py FILE HTML`."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from skrub import TableReport

report = TableReport(pd.read_csv(sys.argv[1]), verbose=0)
Path(sys.argv[2]).write_text(report.html(), encoding="utf-8")
