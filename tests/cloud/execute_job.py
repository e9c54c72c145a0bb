"""Execute a staged pipeline.pb as Dataflow would, with workers in processes of this Python: `execute_job.py FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns, python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

pipeline = beam_runner_api_pb2.Pipeline.FromString(Path(sys.argv[1]).read_bytes())
for environment in pipeline.components.environments.values():
    assert environment.urn == common_urns.environments.DOCKER.urn
    environment.urn = python_urns.SUBPROCESS_SDK
    environment.payload = f"{sys.executable} -m apache_beam.runners.worker.sdk_worker_main".encode()
    del environment.dependencies[:]
assert "beam_taxi" not in sys.modules
FnApiRunner().run_via_runner_api(pipeline, PipelineOptions([])).wait_until_finish()
