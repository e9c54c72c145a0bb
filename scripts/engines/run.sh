#!/usr/bin/env bash
# Run beam_taxi.main on an engine on this machine: start it, run, stop it.
# Usage: scripts/engines/run.sh spark|flink|prism [ARGUMENT...]       the arguments go to beam_taxi.main
# Beam's job server listens on all interfaces, without authentication: see scripts/engines/loopback.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PORT=18099

engine=${1-}
bash scripts/engines/fetch.sh "$engine"
shift

main=(.venv/bin/python -m beam_taxi.main)
case "$engine" in
    spark) exec "${main[@]}" --runner SparkRunner --spark_job_server_jar .engines/spark/job-server.jar "$@" ;;
    flink) exec "${main[@]}" --runner FlinkRunner --flink_job_server_jar .engines/flink/job-server.jar "$@" ;;
esac
.engines/prism --job_port "$PORT" --serve_http=false >.engines/prism.log 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true' EXIT
until (: >"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
    kill -0 "$pid" 2>/dev/null || { tail -n 20 .engines/prism.log >&2; exit 1; }
    sleep 0.2
done
"${main[@]}" --runner PortableRunner --job_endpoint "127.0.0.1:$PORT" "$@"
