"""TFDV's own statistics of a CSV file: `tfdv_csv.py --input FILE --output FOLDER`."""

from __future__ import annotations

import json
import os
import sys
import time

import tensorflow_data_validation as tfdv

start = time.perf_counter()
os.makedirs(sys.argv[4])
statistics = tfdv.generate_statistics_from_csv(sys.argv[2], output_path=os.path.join(sys.argv[4], "statistics"))
print(json.dumps({"seconds": time.perf_counter() - start, "rows": statistics.datasets[0].num_examples}))
