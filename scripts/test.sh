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

# The tests of ML Metadata on MySQL start a server of their own; without it they are skipped, but fail on CI.
install_mariadb() {
    apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mariadb-server >/dev/null
}

if [ "${CI-}" = true ] && [ "$(id -u)" = 0 ] && ! PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null; then
    step "MariaDB" install_mariadb
fi
step "set-up" bash scripts/setup.sh --dev
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
