#!/usr/bin/env bash
# Make the environment of a peer unless it is there, and print its Python.
# Usage: scripts/benchmarks/environment.sh duckdb|polars|pandas|ydata|tfx
# TFX needs Python 3.10, the newest that it has, and g++: pyfarmhash has no wheel for that Python. It takes 1.8 GB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

peer=$1 python=3.11
case "$peer" in
    duckdb) packages=(duckdb==2.0.1) ;;
    polars) packages=(polars==2.1.0) ;;
    pandas) packages=(pandas==3.1.1 pyarrow==26.0.1) ;;
    # It imports pkg_resources without requiring it.
    ydata) packages=(ydata-profiling==4.18.4 'setuptools<81') ;;
    # TFX imports dill and pkg_resources without requiring them.
    tfx) python=3.10 packages=(tfx==1.16.0 dill 'setuptools<81') ;;
    *) printf 'environment: unknown peer %s: duckdb, polars, pandas, ydata or tfx\n' "$peer" >&2; exit 2 ;;
esac
uv=$(command -v uv || echo .venv-uv/bin/uv)
folder=.venv-$peer
if [ ! -f "$folder/ready" ]; then
    rm -rf "$folder"
    "$uv" venv --quiet --python "$python" "$folder" >&2
    # The pyfarmhash that TFDV asks for is older than that of the lock.
    "$uv" pip install --quiet --compile-bytecode --python "$folder/bin/python" --override <(echo 'pyfarmhash==0.5.1') "${packages[@]}" >&2
    touch "$folder/ready"
fi
printf '%s\n' "$PWD/$folder/bin/python"
