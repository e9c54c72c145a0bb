#!/usr/bin/env bash
# Time the job on this machine, on embedded engines and on clusters of them: a table of seconds in Markdown.
# Usage: scripts/engines/benchmark.sh [FILE.csv ...]        default: synthetic taxi trips, 15,002 and 300,000 rows
# Runs in a network of its own, since the engines' servers would listen on all interfaces.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ -z "${BEAM_TAXI_ALONE-}" ]; then
    for engine in spark flink prism; do bash scripts/engines/fetch.sh "$engine"; done
    BEAM_TAXI_ALONE=1 exec bash scripts/engines/loopback.sh bash "$0" "$@"
fi

folder=$(mktemp -d)
cluster=
trap 'if [ -n "$cluster" ]; then kill "$cluster"; fi; rm -rf "$folder"' EXIT
files=("$@")
if [ $# = 0 ]; then
    for rows in 15002 300000; do
        files+=("$folder/$rows.csv")
        .venv/bin/python -m beam_taxi sample --rows "$rows" --seed 1 --out "$folder/$rows.csv" >/dev/null
    done
fi

# One line of the table: a name, and the command that runs the job.
line() {
    local name=$1 file start cells=""
    shift
    for file in "${files[@]}"; do
        start=$(date +%s%N)
        "$@" --input "$file" --output "$folder/out" --metadata_store none >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
        cells+=" $((($(date +%s%N) - start) / 1000000000)) |"
    done
    printf '| %s |%s\n' "$name" "$cells"
}

# Start a cluster and set `cluster` to its process.
start_cluster() {
    mkfifo "$folder/$1"
    bash scripts/engines/cluster.sh "$1" >"$folder/$1" &
    cluster=$!
    head -n 1 "$folder/$1" >/dev/null
}

stop_cluster() {
    kill "$cluster"
    wait "$cluster" || true
    cluster=
}

main=(.venv/bin/python -m beam_taxi.main)
there=(--job_endpoint 127.0.0.1:18099 --environment_type EXTERNAL --environment_config 127.0.0.1:50000)
printf '| seconds |'
for file in "${files[@]}"; do printf ' %s bytes |' "$(stat -c %s "$file")"; done
printf '\n|---|'
printf -- '---|%.0s' "${files[@]}"
printf '\n'
line "this machine, no engine" "${main[@]}"
line "Prism" bash scripts/engines/run.sh prism
line "Spark, embedded" bash scripts/engines/run.sh spark
line "Flink, embedded" bash scripts/engines/run.sh flink
start_cluster spark
line "Spark, cluster of two executors" "${main[@]}" --runner SparkRunner "${there[@]}"
stop_cluster
start_cluster flink
line "Flink, cluster of two task managers" "${main[@]}" --runner FlinkRunner --flink_master 127.0.0.1:8081 "${there[@]}"
stop_cluster
