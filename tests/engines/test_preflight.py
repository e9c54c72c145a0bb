"""What is checked before a launch on an engine, against Beam's own job service and worker pool in this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from apache_beam.runners.portability.local_job_service import LocalJobServicer
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError
from beam_taxi.launch.worker_pool import serve
from beam_taxi.main import main
from beam_taxi.run.versions import check_versions, versions
from tests.cloud.answers import JsonHandler


class _Overview(JsonHandler):
    def do_GET(self) -> None:
        self.answer({"slots-total": 3})


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """Yield addresses: `job` and `pool` are what the names say, `flink` a REST service, `none` nobody."""
    service = LocalJobServicer()
    job = service.start_grpc_server()
    pool, pool_server = BeamFnExternalWorkerPoolServicer.start()
    _, our_server, our_port = serve("127.0.0.1", 0)
    flink = ThreadingHTTPServer(("127.0.0.1", 0), _Overview)
    threading.Thread(target=flink.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        none = f"127.0.0.1:{free.getsockname()[1]}"
        yield {"job": f"localhost:{job}", "pool": pool, "flink": f"127.0.0.1:{flink.server_port}", "none": none} | {
            "ours": f"127.0.0.1:{our_port}"
        }
    flink.shutdown()
    pool_server.stop(0)
    our_server.stop(0)
    service.stop()


REFUSED = {
    "no endpoint": ("PortableRunner", ["--job_endpoint HOST:PORT of a Beam job service is required"]),
    "nobody": ("SparkRunner --job_endpoint {none}", ["no answer at {none} (Connection refused): start the job"]),
    "another": (
        "SparkRunner --job_endpoint {pool}",
        ["the server at {pool} is not a Beam job service (UNIMPLEMENTED)"],
    ),
    "a flag": (
        "FlinkRunner --job_endpoint {job} --num_shard 3",
        ["unknown flag --num_shard; did you mean --num_shards?"],
    ),
    "nobody waits": (
        "PortableRunner --job_endpoint {job} --no_wait",
        ["--no_wait: cannot be used with PortableRunner, which ends with this process; remove it"],
    ),
    "nobody waits for a job server from here": (
        "FlinkRunner --flink_master {flink} --environment_type EXTERNAL --environment_config {pool} --no_wait",
        ["--no_wait requires --job_endpoint"],
    ),
    "no such command": (
        """PortableRunner --job_endpoint {job} --environment_type PROCESS --environment_config {{"command":"/nope"}}""",
        ["--environment_config: /nope does not exist or cannot be executed"],
    ),
    "no such command, as an option": (
        "PortableRunner --job_endpoint {job} --environment_type PROCESS --environment_options process_command=/nope",
        ["--environment_config: /nope does not exist or cannot be executed"],
    ),
    "no command": (
        "PortableRunner --job_endpoint {job} --environment_type PROCESS --environment_config boot",
        ["--environment_config: must be JSON with a command"],
    ),
    "pool: nobody": (
        "PortableRunner --job_endpoint {job} --environment_type EXTERNAL --environment_config {none}",
        ["--environment_config: no answer at {none}", "start the pool first: python -m beam_taxi.launch.worker_pool"],
    ),
    "pool: another": (
        "PortableRunner --job_endpoint {job} --environment_type EXTERNAL --environment_config {job}",
        ["the server at {job} is not a worker pool (UNIMPLEMENTED)"],
    ),
    "pool: none": (
        "PortableRunner --job_endpoint {job} --environment_type EXTERNAL",
        ["--environment_config HOST:PORT of the worker pools is required"],
    ),
    "elsewhere": (
        "PortableRunner --job_endpoint cluster.invalid:8099 --record_on worker --metadata_store sqlite:///m.sqlite",
        [
            "no answer at cluster.invalid:8099",
            "--environment_type is required: --job_endpoint cluster.invalid:8099 is not this machine",
            "/x.csv, --output ",
            "with --job_endpoint cluster.invalid:8099 the workers are on others",
            "--record_on worker: with --job_endpoint cluster.invalid:8099 workers do not see sqlite:///m.sqlite",
        ],
    ),
    "containers": (
        "PortableRunner --job_endpoint {job} --environment_type DOCKER",
        ["with --environment_type DOCKER the workers are on others"],
    ),
    "jar": ("SparkRunner --spark_job_server_jar no.jar", ["--spark_job_server_jar no.jar: file not found"]),
    "java": ("SparkRunner --job_server_java_launcher nojava", ["nojava not found: install Java 17"]),
    "master": ("SparkRunner --spark_master_url spark://{none}", ["--spark_master_url: no answer at {none}"]),
    "flink": ("FlinkRunner --flink_master {none}", ["Flink's REST service does not answer at {none}"]),
    "slots": (
        "FlinkRunner --flink_master {flink} --parallelism 4",
        ["--parallelism 4: the cluster at {flink} has 3 slots"],
    ),
}


def plan(runner: str, servers: dict[str, str], folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    (folder / "x.csv").write_text("a,b\n1,2\n")
    args = ["--input", str(folder / "x.csv"), "--output", str(folder / "out"), "--plan", "--runner"]
    status = main([*args, *runner.format(**servers).split()])
    told = capsys.readouterr()
    assert not (folder / "out").exists()
    return status, told.out + told.err


@pytest.mark.parametrize(("runner", "messages"), REFUSED.values(), ids=REFUSED)
def test_a_launch_that_would_hang_or_fail_is_refused(
    runner: str, messages: list[str], servers: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    status, told = plan(runner, servers, tmp_path, capsys)
    assert status == 2
    assert told.count("\n") == 1
    for message in messages:
        assert message.format(**servers) in told


PLANNED = {
    "loopback": (
        "PortableRunner --job_endpoint {job}",
        ["service    {job}", "workers    LOOPBACK, kept for 3000 ms"],
    ),
    "pool": (
        "SparkRunner --job_endpoint {job} --environment_type EXTERNAL --environment_config {pool} "
        "--environment_cache_millis 5",
        ["workers    EXTERNAL {pool}, kept for 5 ms"],
    ),
    "our pool": (
        "SparkRunner --job_endpoint {job} --environment_type EXTERNAL --environment_config {ours}",
        ["workers    EXTERNAL {ours}, kept for 3000 ms"],
    ),
    "Beam's pool": (
        "SparkRunner --job_endpoint {job} --environment_type EXTERNAL --environment_config {pool}",
        ["workers    EXTERNAL {pool}, kept for 300000 ms"],
    ),
    "slots": ("FlinkRunner --job_endpoint {job} --flink_master {flink}", ["master     {flink}", "parallel   3"]),
    "parallelism": ("FlinkRunner --flink_master {flink} --parallelism 2", ["parallel   2"]),
    "shared": (
        "PortableRunner --job_endpoint {job} --environment_type DOCKER --shared_filesystem",
        ["workers    DOCKER, kept for 3000 ms"],
    ),
}


@pytest.mark.parametrize(("runner", "lines"), PLANNED.values(), ids=PLANNED)
def test_the_plan_tells_what_will_be_used(
    runner: str, lines: list[str], servers: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    status, told = plan(runner, servers, tmp_path, capsys)
    assert status == 0, told
    assert {line.format(**servers) for line in lines} <= set(told.splitlines())


def test_a_worker_with_other_code_is_told():
    check_versions(versions())
    with pytest.raises(BeamTaxiError, match=r"a worker has code sha256:\w+ instead of another: install"):
        check_versions({"code": "another"})


def test_a_run_whose_files_its_launcher_removed_is_not_closed(tmp_path: Path):
    (tmp_path / "kept").touch()
    storage.check_published(str(tmp_path), ["kept"])
    with pytest.raises(BeamTaxiError, match="gone: was removed during the run"):
        storage.check_published(str(tmp_path), ["kept", "gone"])
