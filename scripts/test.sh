#!/usr/bin/env bash
# Set up with the test tools, then lint, check types and test; stop at the first step that fails.
# Usage: scripts/test.sh [ARGUMENT...]        the arguments go to pytest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

passed=()

step() {
    local name=$1
    shift
    printf '== %s\n' "$name"
    if ! "$@"; then
        printf 'FAILED: %s\n' "$name"
        exit 1
    fi
    passed+=("$name")
}

# Chromium for the tests of the report; elsewhere than on a CI machine they skip where it is missing, and say so.
# shellcheck disable=SC2317,SC2329  # step calls it
find_browser() {
    if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then return; fi
    if [ "${CI-}" != true ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then return; fi
    apt-get update -q=2 && DEBIAN_FRONTEND=noninteractive apt-get install -q=2 --no-install-recommends chromium chromium-driver
}

step "set-up" bash scripts/setup.sh --dev
step "browser" find_browser
step "ruff check" .venv/bin/ruff check .
step "ruff format" .venv/bin/ruff format --check .
step "mypy" .venv/bin/mypy
if command -v shellcheck >/dev/null; then
    step "shellcheck" shellcheck scripts/*.sh .ci/run
else
    printf '== shellcheck\nskipped: shellcheck is not installed\n'
fi
step "pytest" .venv/bin/python -m pytest "$@"
printf 'Passed: %s' "${passed[0]}"
printf ', %s' "${passed[@]:1}"
printf '\n'
