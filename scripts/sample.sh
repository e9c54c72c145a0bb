#!/usr/bin/env bash
# Set up, make a synthetic sample of 15,000 taxi trips unless it is there, and run the pipeline on it.
# Usage: scripts/sample.sh [ARGUMENT...]      the arguments go to beam_taxi.main, after --input and --output
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sample=sample/chicago_taxi.csv

bash scripts/setup.sh
if [ ! -f "$sample" ]; then
    printf 'sample: writing %s\n' "$sample" >&2
    .venv/bin/python -m beam_taxi sample --rows 15000 --seed 1 --out "$sample"
fi
printf 'sample: python -m beam_taxi.main --input %s --output out/ %s\n' "$sample" "$*" >&2
exec .venv/bin/python -m beam_taxi.main --input "$sample" --output out/ "$@"
