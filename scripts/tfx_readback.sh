#!/usr/bin/env bash
# Let TFX 1.16 itself read what this package records: runs on synthetic trips, then a line for each check; status 1
# where one fails. Not in CI's default run: TFX and what it asks for are 1.8 GB, installed into .venv-tfx.
# Usage: scripts/tfx_readback.sh
# Needs Python 3.10, the newest that TFX has, and g++: pyfarmhash has no wheel for that Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh
python=$(bash scripts/benchmarks/environment.sh tfx)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.venv/bin/python -m beam_taxi sample --rows 5000 --seed 1 --out "$folder/trips.csv" >/dev/null
.venv/bin/python -c 'import sys, pyarrow.csv, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.csv.read_csv(sys.argv[1]), sys.argv[2])' "$folder/trips.csv" "$folder/trips.parquet"
echo 'a,row,that,is,too,short' >>"$folder/trips.csv"
run() {
    .venv/bin/python -m beam_taxi.main --output "$folder" --max_rejects 1 --run_id "$1" --input "$folder/trips.$2" \
        --pipeline_name "$3" "${@:4}" >/dev/null
}
run first csv taxi
run second csv taxi --splits train:3,eval:1
run cached csv taxi --splits train:3,eval:1 --cache
run columns parquet other
run judged csv judged --schema "$folder/first" --baseline "$folder/first"
sed -i 's/Cash/Coins/' "$folder/trips.csv"
run refused csv judged --schema "$folder/first" || test "$?" = 4
run shaped csv shaped --schema "$folder/first" --baseline "$folder/first" --fail_on none --splits train:3,eval:1 \
    --split_key payment_type --max_rejects 3 --null_values NA,n/a --drop_columns dropoff_census_tract --trim \
    --slice_features payment_type --weight_feature trip_miles --label tips --stats_features fare,company --top_k 7
run bare csv shaped --no_examples --schema "$folder/first" --fail_on none
mkdir -p "$folder"/daily/{19782/v9,19782/v10,19783/v1}
for version in "$folder"/daily/*/*; do head -n 500 "$folder/trips.csv" >"$version/trips.csv"; done
for day in 2024-03-01 2024-02-29; do
    .venv/bin/python -m beam_taxi.main --output "$folder" --pipeline_name daily --run_id "$day" --date "$day" \
        --input "$folder/daily/{SPAN}/v{VERSION}/*.csv" >/dev/null
done
run bad csv shaped --max_rejects 0 || test "$?" = 3
TF_CPP_MIN_LOG_LEVEL=3 "$python" -W ignore scripts/tfx_readback.py "$folder"
