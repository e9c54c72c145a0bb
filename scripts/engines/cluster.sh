#!/usr/bin/env bash
# A cluster of Spark or Flink on this machine, of the parts that many machines have: a master, two executors or task
# managers, a pool of Python workers and Beam's job server. Prints a line when it is ready; Ctrl-C stops it.
# Usage: scripts/engines/cluster.sh spark|flink        Logs are in .engines/ENGINE-cluster.
# Then: python -m beam_taxi.main --runner SparkRunner --job_endpoint 127.0.0.1:18099 --environment_type EXTERNAL
#     --environment_config 127.0.0.1:50000 --input ... (FlinkRunner: and --flink_master 127.0.0.1:8081)
# The job server listens on all interfaces, without authentication: see scripts/engines/loopback.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

JOB_PORT=18099
POOL_PORT=50000

engine=${1-}
bash scripts/engines/fetch.sh "$engine"
root=$PWD/.engines/$engine-cluster
rm -rf "$root"
mkdir -p "$root/home" "$root/artifacts"
ln -s "$PWD/.engines/$engine" "$root/home/jars"

export no_proxy=${no_proxy:+$no_proxy,}localhost,127.0.0.1
pids=()
trap 'trap - EXIT; kill "${pids[@]}" 2>/dev/null || true; wait' EXIT
trap 'exit 0' INT TERM

# Start a part of the cluster; its log is NAME.log.
part() {
    local log=$root/$1.log
    shift
    "$@" >"$log" 2>&1 &
    pids+=("$!")
}

# Wait until a command succeeds; end where a part of the cluster has ended before.
wait_until() {
    local pid
    until "$@" 2>/dev/null; do
        for pid in "${pids[@]}"; do
            kill -0 "$pid" 2>/dev/null || { tail -n 20 "$root"/*.log >&2; exit 1; }
        done
        sleep 0.2
    done
}

# shellcheck disable=SC2317,SC2329  # wait_until calls it
answers() { (: >"/dev/tcp/127.0.0.1/$1"); }

start_spark() {
    export SPARK_HOME=$root/home SPARK_SCALA_VERSION=2.12 SPARK_LOCAL_IP=127.0.0.1
    local java=(java -Xmx1g -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$root/home/jars/*")
    part master "${java[@]}" org.apache.spark.deploy.master.Master --host 127.0.0.1 --port 7077 --webui-port 8080
    wait_until answers 7077
    part worker "${java[@]}" org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --cores 2 --memory 2g \
        --work-dir "$root/work" spark://127.0.0.1:7077
    server=(-Dspark.executor.cores=1 -Dspark.executor.memory=1g)
    arguments=(--spark-master-url=spark://127.0.0.1:7077)
}

# Memory is given in full, since Flink refuses to guess; 512m of network buffers are what a job of this size needs. The
# last three make the cluster give up soon: a task that does not end when it is cancelled ends its task manager after 20 s.
start_flink() {
    local number java=(java -Xmx1g -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$root/home/jars/*")
    cat >"$root/config.yaml" <<'YAML'
jobmanager.rpc.address: 127.0.0.1
jobmanager.bind-host: 127.0.0.1
jobmanager.memory.process.size: 1600m
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: 8081
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: 2
taskmanager.cpu.cores: 2.0
taskmanager.load-balance.mode: SLOTS
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.task.heap.size: 1g
taskmanager.memory.task.off-heap.size: 64m
taskmanager.memory.managed.size: 512m
taskmanager.memory.network.min: 512m
taskmanager.memory.network.max: 512m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 256m
taskmanager.memory.jvm-overhead.max: 256m
classloader.resolve-order: parent-first
restart-strategy.type: exponential-delay
restart-strategy.exponential-delay.initial-backoff: 1 s
restart-strategy.exponential-delay.backoff-multiplier: 2.0
restart-strategy.exponential-delay.max-backoff: 4 s
restart-strategy.exponential-delay.jitter-factor: 0.0
restart-strategy.exponential-delay.attempts-before-reset-backoff: 4
restart-strategy.exponential-delay.reset-backoff-threshold: 30 d
heartbeat.interval: 1000
heartbeat.rpc-failure-threshold: 2
heartbeat.timeout: 20000
task.cancellation.interval: 1000
task.cancellation.timeout: 20000
slot.request.timeout: 60000
YAML
    part jobmanager "${java[@]}" org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint \
        --configDir "$root" --executionMode cluster
    wait_until answers 8081
    for number in 1 2; do
        part "taskmanager$number" "${java[@]}" -XX:MaxDirectMemorySize=1g \
            org.apache.flink.runtime.taskexecutor.TaskManagerRunner --configDir "$root"
    done
    for number in 1 2; do
        wait_until grep -q 'Successful registration at resource manager' "$root/taskmanager$number.log"
    done
    server=()
    arguments=(--flink-master=127.0.0.1:8081 "--flink-conf-dir=$root")
}

case "$engine" in
    spark) start_spark ;;
    flink) start_flink ;;
    *) printf 'cluster: %s has no cluster\n' "$engine" >&2; exit 2 ;;
esac
part pool .venv/bin/python -m beam_taxi.launch.worker_pool --port "$POOL_PORT"
part server java "${server[@]}" -Xmx2g -jar "$root/home/jars/job-server.jar" "${arguments[@]}" \
    --job-host=127.0.0.1 "--job-port=$JOB_PORT" --artifact-port=0 --expansion-port=0 "--artifacts-dir=$root/artifacts"
wait_until answers "$POOL_PORT"
wait_until answers "$JOB_PORT"
printf 'cluster: %s is ready: --job_endpoint 127.0.0.1:%s --environment_type EXTERNAL --environment_config 127.0.0.1:%s\n' \
    "$engine" "$JOB_PORT" "$POOL_PORT"
wait
