#!/usr/bin/env bash
# Set up with the test tools, then lint, check types and test; stop at the first step that fails.
# Usage: scripts/test.sh                 the quick tests; what they leave out is told at the end
#        scripts/test.sh --all           all tests, also those that start engines, browsers, databases and many processes
#        scripts/test.sh ARGUMENT...     the arguments go to pytest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null
# pytest ends by itself on Ctrl-C, after which the shell would go on.
trap 'exit 130' INT
# Processes that the tests start would otherwise compile the package, each for itself.
unset PYTHONDONTWRITEBYTECODE

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

# Tests that need a download fetch it, too, and say what is missing; here it goes on beside the tests that need none.
# shellcheck disable=SC2317,SC2329  # run_all_tests calls it
fetch() {
    local name
    for name in tfds grain torch; do
        bash scripts/readers/fetch.sh "$name" >/dev/null 2>&1 || true
    done
    for name in spark flink prism; do
        bash scripts/engines/fetch.sh "$name" >/dev/null 2>&1 || true
    done
}

# A process of a test has one thread, so there is one worker for each core; each worker takes some 2 GB.
cores=$(nproc)
parallel=(-n "$((cores < 4 ? cores : 4))" --dist worksteal)

# shellcheck disable=SC2317,SC2329  # step calls it
run_quick_tests() {
    .venv/bin/python -m pytest "${parallel[@]}" -m "not slow"
}

# Two parts: what failed in the first is told again after the second.
# shellcheck disable=SC2317,SC2329  # step calls it
run_all_tests() {
    local log status=0
    log=$(mktemp)
    fetch &
    .venv/bin/python -m pytest "${parallel[@]}" -m "not alone" | tee "$log" || status=1
    wait
    .venv/bin/python -m pytest -m alone tests/engines | tee -a "$log" || status=1
    if [ "$status" != 0 ]; then
        printf '== what failed\n'
        grep -E '^(FAILED|ERROR) ' "$log" || true
    fi
    rm "$log"
    return "$status"
}

step "set-up" bash scripts/setup.sh --dev
if [ "${1-}" = --all ]; then step "packages" install_packages; fi
step "ruff check" .venv/bin/ruff check .
step "ruff format" .venv/bin/ruff format --check .
step "mypy" .venv/bin/mypy
if command -v shellcheck >/dev/null; then
    step "shellcheck" shellcheck -x scripts/*.sh scripts/*/*.sh .ci/run
else
    printf '== shellcheck\nskipped: shellcheck is not installed\n'
fi
case "${1-}" in
    "") step "pytest" run_quick_tests ;;
    --all) step "pytest" run_all_tests ;;
    *) step "pytest" .venv/bin/python -m pytest "$@" ;;
esac
printf 'Passed: %s' "${passed[0]}"
printf ', %s' "${passed[@]:1}"
printf '\n'
if [ "$#" = 0 ]; then
    printf 'Not run: the slow tests, which start engines, browsers, databases and many processes. Run everything: scripts/test.sh --all\n'
fi
