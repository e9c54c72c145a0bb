#!/usr/bin/env bash
# Run beam_taxi.main on an engine on this machine: start it, run, stop it. Its log is .engines/ENGINE.log.
# Usage: scripts/engines/run.sh spark|flink|prism [ARGUMENT...]       the arguments go to beam_taxi.main
# Beam's job server listens on all interfaces, without authentication: see scripts/engines/loopback.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PORT=18099

engine=${1-}
bash scripts/engines/fetch.sh "$engine"
shift

opens=()
for package in lang lang.invoke lang.reflect io net nio util util.concurrent util.concurrent.atomic; do
    opens+=("--add-opens=java.base/java.$package=ALL-UNNAMED")
done
for package in nio.ch nio.cs security.action util.calendar; do
    opens+=("--add-opens=java.base/sun.$package=ALL-UNNAMED")
done
artifacts=$(mktemp -d)
ports=(--job-host=127.0.0.1 "--job-port=$PORT" "--artifact-port=$((PORT - 1))" "--expansion-port=$((PORT - 2))")
server=(java "${opens[@]}" -Xmx2g -cp ".engines/$engine/*")
arguments=(--runner PortableRunner --job_endpoint "127.0.0.1:$PORT" --environment_type LOOPBACK --environment_cache_millis 300000)
case "$engine" in
    spark) server+=(org.apache.beam.runners.spark.SparkJobServerDriver "${ports[@]}" "--artifacts-dir=$artifacts" "--spark-master-url=local[2]") ;;
    flink)
        server+=(org.apache.beam.runners.flink.FlinkJobServerDriver "${ports[@]}" "--artifacts-dir=$artifacts" "--flink-master=[local]")
        arguments+=(--parallelism 2) ;;
    prism) server=(.engines/prism --job_port "$PORT" --serve_http=false) ;;
esac

"${server[@]}" >".engines/$engine.log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -rf "$artifacts"' EXIT
until (: >"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
    kill -0 "$pid" 2>/dev/null || { tail -n 20 ".engines/$engine.log" >&2; exit 1; }
    sleep 0.2
done
.venv/bin/python -m beam_taxi.main "${arguments[@]}" "$@"
