"""The same job by TFX, in its LocalDagRunner: `tfx_pipeline.py --input FILE --output FOLDER`."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time

from tfx import v1 as tfx

source, out = sys.argv[2], sys.argv[4]
data = os.path.join(out, "data")
os.makedirs(data)
# TFX reads folders.
shutil.copy(source, data)
start = time.perf_counter()
examples = tfx.components.CsvExampleGen(input_base=data)
statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
schema = tfx.components.SchemaGen(statistics=statistics.outputs["statistics"])
store = tfx.orchestration.metadata.sqlite_metadata_connection_config(os.path.join(out, "metadata.db"))
tfx.orchestration.LocalDagRunner().run(
    tfx.dsl.Pipeline(
        pipeline_name="benchmark",
        pipeline_root=os.path.join(out, "root"),
        components=[examples, statistics, schema],
        metadata_connection_config=store,
        # By default Beam would look for another runner on the network.
        beam_pipeline_args=["--runner=FnApiRunner", "--direct_num_workers=1"],
    )
)
seconds = time.perf_counter() - start
os.remove(os.path.join(data, os.path.basename(source)))
print(json.dumps({"seconds": seconds}))
