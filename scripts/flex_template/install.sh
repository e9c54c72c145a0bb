#!/usr/bin/env bash
# Install the lock, or beam_taxi itself, or both, into a Python, as the image has them; uv must be on PATH.
# Usage: scripts/flex_template/install.sh PYTHON [lock|package]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=${1:?"give the Python to install into"}
part=${2:-all}

if [ "$part" != package ]; then
    uv pip install --quiet --python "$python" --no-deps --requirements requirements.txt
fi
if [ "$part" != lock ]; then
    # setuptools is in the lock.
    uv pip install --quiet --python "$python" --no-deps --no-build-isolation .
fi
