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

# What the tests of the report, of ML Metadata and of the engines need from Debian, beside Maven, Java and Go. Elsewhere than on a CI machine they are skipped where it is
# missing, and say how to get it.
# shellcheck disable=SC2317,SC2329  # step calls it
install_packages() {
    local missing=()
    if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then missing+=(chromium chromium-driver); fi
    if ! PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null; then missing+=(mariadb-server); fi
    if ! command -v gcc >/dev/null; then missing+=(gcc libc6-dev); fi
    if ! command -v ip >/dev/null; then missing+=(iproute2); fi
    if [ "${#missing[@]}" = 0 ] || [ "${CI-}" != true ] || [ "$(id -u)" != 0 ]; then return; fi
    apt-get update -q=2 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -q=2 -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Tests that need an engine fetch it, too, and say what is missing.
# shellcheck disable=SC2317,SC2329  # run_tests calls it
fetch_engines() {
    local engine
    for engine in spark flink prism; do
        bash scripts/engines/fetch.sh "$engine" >/dev/null 2>&1 || true
    done
}

# Most tests start processes of one thread, so two groups run at the same time; the output of the first follows. Clusters
# have both cores to themselves. A shell's background process ignores Ctrl-C unless told otherwise, and tests send it.
# shellcheck disable=SC2317,SC2329  # step calls it
run_tests() {
    if [ "$#" != 0 ]; then
        .venv/bin/python -m pytest "$@"
        return
    fi
    local output status=0 group=(tests/cli tests/cloud tests/launch tests/report)
    local clusters=(tests/engines/test_engines.py tests/engines/test_clusters.py)
    output=$(mktemp)
    env --default-signal=INT .venv/bin/python -m pytest "${group[@]}" >"$output" 2>&1 &
    local beside=$!
    fetch_engines &
    local fetching=$!
    .venv/bin/python -m pytest "${group[@]/#/--ignore=}" "${clusters[@]/#/--ignore=}" || status=1
    wait "$beside" || status=1
    wait "$fetching"
    cat "$output"
    rm "$output"
    .venv/bin/python -m pytest "${clusters[@]}" || status=1
    return "$status"
}

step "set-up" bash scripts/setup.sh --dev
step "packages" install_packages
step "ruff check" .venv/bin/ruff check .
step "ruff format" .venv/bin/ruff format --check .
step "mypy" .venv/bin/mypy
if command -v shellcheck >/dev/null; then
    step "shellcheck" shellcheck -x scripts/*.sh scripts/*/*.sh .ci/run
else
    printf '== shellcheck\nskipped: shellcheck is not installed\n'
fi
step "pytest" run_tests "$@"
printf 'Passed: %s' "${passed[0]}"
printf ', %s' "${passed[@]:1}"
printf '\n'
