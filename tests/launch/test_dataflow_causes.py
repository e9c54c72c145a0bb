"""The cause of a job that failed on Dataflow, by the messages that the service keeps."""

from __future__ import annotations

import pytest

from beam_taxi.launch.runners.dataflow_causes import cause_of_messages

STOCKOUT = (
    "Startup of the worker pool in zone us-east1-b failed to bring up any of the desired 1 workers. "
    "ZONE_RESOURCE_POOL_EXHAUSTED: Instance 'beam-taxi-x-harness-1a2b' creation failed: The zone "
    "'projects/p/zones/us-east1-b' does not have enough resources available to fulfill the request."
)
FOUR_TIMES = (
    "The job failed because a work item has failed 4 times. Look in previous log entries for the cause of each one of "
    "the 4 failures. If the logs only contain generic timeout errors related to accessing external resources, such as "
    "MongoDB, verify that the worker service account has permission to access the resource's subnetwork. For more "
    "information, see https://cloud.google.com/dataflow/docs/guides/common-errors. The work item was attempted on "
    "these workers: "
)
LOST = "".join(
    f"\n\n      Root cause: The worker lost contact with the service.\n      Worker ID: beam-taxi-x-harness-{n},"
    for n in range(4)
)
TIMED_OUT = (
    "\n\n      Root cause: Timed out waiting for an update from the worker. For more information, see "
    "https://cloud.google.com/dataflow/docs/guides/common-errors#worker-lost-contact.\n      Worker ID: x-harness-1,"
)
QUOTA = (
    "Project p has insufficient quota(s) to execute this workflow with 1 instances in region us-east1. Quota summary "
    "(required/available): 1/7 instances, 4/0 CPUs, 50/818 disk GB."
)
DENIED = "1-compute@developer.gserviceaccount.com does not have storage.objects.get access to the object."
TRACE = """Error message from worker: Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1498, in apache_beam.runners.common.DoFnRunner.process
  File "/usr/local/lib/python3.11/site-packages/google/cloud/storage/blob.py", line 12, in _do_download
    raise self
{error}

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/usr/local/lib/python3.11/site-packages/x.py", line 7, in read
    raise Other
{error} [while running 'ReadTable/Read-ptransform-33']
"""
AUTOSCALING = (
    "Autoscaling: Unable to reach resize target in zone us-east1-b. QUOTA_EXCEEDED: Quota 'CPUS' exceeded. Limit: 24.0"
)
IMAGE = 'Failed to pull image "us-docker.pkg.dev/p/r/i:1": rpc error: code = NotFound desc = manifest unknown'


@pytest.mark.parametrize(
    ("texts", "cause"),
    [
        pytest.param([], "", id="no message"),
        pytest.param(["Workflow failed."], "", id="no reason"),
        pytest.param([STOCKOUT, "Workflow failed."], STOCKOUT, id="stockout"),
        pytest.param([FOUR_TIMES + LOST], "The worker lost contact with the service (4 attempts)", id="lost worker"),
        pytest.param([FOUR_TIMES + TIMED_OUT], "Timed out waiting for an update from the worker", id="timed out"),
        pytest.param(
            [f"Workflow failed. Causes: S02:Read/Scan+Read/Keys failed., {FOUR_TIMES}\n  x-harness-1,\n  x-harness-2"],
            "",
            id="a chain that names only workers",
        ),
        pytest.param(
            [f"(1a2b3c4d5e6f7081): Workflow failed. Causes: (f00dfeedf00dfeed): {QUOTA}\n\nPlease see https://x.y/z"],
            QUOTA,
            id="quota in a chain with identifiers",
        ),
        pytest.param(
            ["Workflow failed. Causes: S01:Read+Write failed., Internal Issue (1a2b3c4d5e6f7081): 63963027:24514"],
            "Internal Issue (1a2b3c4d5e6f7081): 63963027:24514",
            id="the innermost of a chain",
        ),
        pytest.param(
            [TRACE.format(error="ValueError: bad"), FOUR_TIMES + LOST, "Workflow failed."],
            "ValueError: bad (/usr/local/lib/python3.11/site-packages/x.py:7)",
            id="a trace before a lost worker",
        ),
        pytest.param(
            [TRACE.format(error="beam_taxi.errors.DataError: x.csv: line 3: bad"), STOCKOUT],
            "x.csv: line 3: bad",
            id="an error of ours",
        ),
        pytest.param(
            [TRACE.format(error=f"google.api_core.exceptions.Forbidden: 403 GET https://x: {DENIED}"), FOUR_TIMES],
            f"google.api_core.exceptions.Forbidden: 403 GET https://x: {DENIED} "
            "(/usr/local/lib/python3.11/site-packages/x.py:7)",
            id="permission in a trace",
        ),
        pytest.param(
            [
                "Workflow failed. Causes: Permissions verification for controller service account failed. All "
                "permissions in IAM role roles/dataflow.worker should be granted to controller service account w@p.",
                "Cleaning up.",
                "Stopping worker pool...",
            ],
            "Permissions verification for controller service account failed. All permissions in IAM role "
            "roles/dataflow.worker should be granted to controller service account w@p.",
            id="permission before cleaning up",
        ),
        pytest.param(
            [AUTOSCALING, TRACE.format(error="KeyError: 'x'")],
            "KeyError: 'x' (/usr/local/lib/python3.11/site-packages/x.py:7)",
            id="a job with fewer workers fails otherwise",
        ),
        pytest.param([AUTOSCALING, "Workflow failed."], AUTOSCALING, id="no more than autoscaling"),
        pytest.param([IMAGE, "Workflow failed. Causes: SDK disconnected."], IMAGE, id="image"),
        pytest.param(
            [FOUR_TIMES + LOST, "The worker VM had to shut down one or more processes due to lack of memory."],
            "The worker VM had to shut down one or more processes due to lack of memory.",
            id="out of memory",
        ),
        pytest.param(
            ["Workflow failed. Causes: The Dataflow job appears to be stuck because no worker activity has been seen."],
            "The Dataflow job appears to be stuck because no worker activity has been seen.",
            id="stuck",
        ),
        pytest.param(
            ["Bad [while running 'ReadTable/Read']; more"], "Bad", id="a step is not named, nor what follows it"
        ),
        pytest.param(["word " * 200], ("word " * 200)[:499] + "…", id="a long text is cut"),
    ],
)
def test_the_cause_of_a_failed_job(texts: list[str], cause: str):
    assert cause_of_messages(texts) == cause
