#!/usr/bin/env bash
# Make .venv in the repository root: Python 3.11 (or 3.10), the locked libraries and this package, editable. Where no
# such Python is here or can be downloaded, and glibc is 2.39 or later: 3.13 or 3.12 with the other lock.
# Usage: scripts/setup.sh [--dev] [--notebook]
#   --dev adds the test tools of requirements-dev.txt, --notebook the JupyterLab of requirements-notebook.txt
# Needs a python3 (3.8 or later) or uv; no compiler where Python 3.11 is found or can be downloaded. Status 2: something is missing, and the line before says what.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

UV_VERSION=0.13.9

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

# Run a command, and show what it printed only when it fails.
quietly() {
    local output
    if ! output=$("$@" 2>&1); then
        printf '%s\n' "$output" >&2
        return 1
    fi
}

extras=()
for argument in "$@"; do
    case "$argument" in
        --dev | --notebook) extras+=("requirements-${argument#--}.txt") ;;
        *) die "unknown argument '$argument': there are --dev and --notebook" ;;
    esac
done

# What .venv is made from: a lock, the packaging, the Python, and the place (an editable install points at it).
fingerprint() {
    {
        cat "$1" setup.py scripts/setup.sh
        pwd
        .venv/bin/python -c 'import sys; print(sys.version)'
    } | cksum
}

# The lock for the Python of .venv.
lock() {
    case "$(.venv/bin/python -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null)" in
        "3 12" | "3 13") printf requirements-py313.txt ;;
        *) printf requirements.txt ;;
    esac
}

stamp() { printf '.venv/%s.stamp' "$1"; }

is_installed() {
    [ -x .venv/bin/python ] && [ -f "$(stamp "$1")" ] && [ "$(fingerprint "$1")" = "$(cat "$(stamp "$1")")" ]
}

has_glibc() {
    local libc
    libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || true)
    [[ "$libc" = "glibc "* ]] && [ "$(printf '%s\n%s\n' "$1" "${libc#glibc }" | sort -V | head -n 1)" = "$1" ]
}

warn_about_platform() {
    local machine
    machine="$(uname -s) $(uname -m)"
    if [ "$machine" != "Linux x86_64" ]; then
        say "warning: the locked tensorflow-data-validation 1.16.1 and ml-metadata 1.17.1 both have wheels for Linux x86_64" \
            "alone, and this is $machine: expect the install to fail; use a container or a Linux x86_64 machine"
        return
    fi
    if ! has_glibc 2.28; then
        say "warning: the locked wheels need glibc 2.28 or later, and this system has $(getconf GNU_LIBC_VERSION 2>/dev/null ||
            echo 'another C library (musl?)'): expect the install to fail"
    fi
}

# Set `uv` to a uv that runs: the one on PATH, the one of an earlier set-up, or a new one in .venv-uv.
find_uv() {
    uv=$(command -v uv || true)
    if [ -n "$uv" ] && "$uv" --version >/dev/null 2>&1; then return; fi
    for uv in .venv-uv/bin/uv .venv-uv/lib/bin/uv; do
        if "$uv" --version >/dev/null 2>&1; then return; fi
    done
    command -v python3 >/dev/null || die "no python3 and no uv found: install one of them"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' ||
        die "$(command -v python3) is $(python3 --version 2>&1), 3.8 or later is needed: install one, or uv"
    rm -rf .venv-uv
    say "installing uv $UV_VERSION into .venv-uv"
    if python3 -c 'import ensurepip, venv' 2>/dev/null; then
        quietly python3 -m venv .venv-uv || die "python3 -m venv failed: see above"
        quietly .venv-uv/bin/python -m pip install --disable-pip-version-check --only-binary :all: "uv==$UV_VERSION" ||
            die "pip could not install uv $UV_VERSION: see above"
        uv=.venv-uv/bin/uv
    elif python3 -m pip --version >/dev/null 2>&1; then
        quietly python3 -m pip install --disable-pip-version-check --only-binary :all: --target .venv-uv/lib "uv==$UV_VERSION" ||
            die "pip could not install uv $UV_VERSION: see above"
        uv=.venv-uv/lib/bin/uv
    else
        die "python3 has neither venv nor pip: install them (Debian, Ubuntu: apt-get install python3-venv) or install uv"
    fi
    "$uv" --version >/dev/null || die "the uv just installed does not run here: install uv by hand"
}

# With pip, which Beam needs to stage --requirements_file. Prefer a Python that is here to one to be downloaded. 3.10 needs a compiler: pyfarmhash has no wheel for it.
make_venv() {
    local choice choices=("3.11 --no-python-downloads") log="" output
    if command -v g++ >/dev/null; then choices+=("3.10 --no-python-downloads"); fi
    choices+=("3.11")
    if has_glibc 2.39; then choices+=("3.13 --no-python-downloads" "3.12 --no-python-downloads"); fi
    rm -rf .venv
    for choice in "${choices[@]}"; do
        # shellcheck disable=SC2086  # two words
        if output=$("$uv" venv --seed --python $choice .venv 2>&1); then
            say "made .venv with Python $(.venv/bin/python -c 'import platform; print(platform.python_version())')"
            return
        fi
        log+="$output"$'\n'
    done
    printf '%s' "$log" >&2
    die "no Python 3.11 here, nor 3.10 with g++, nor 3.13 or 3.12 with glibc 2.39, and uv could not download 3.11 (see above):" \
        "install python3.11"
}

# Install a lock as it stands.
install() {
    say "installing the $(grep -c '^[a-z]' "$1") lines of $1"
    quietly "$uv" --quiet pip install --python .venv/bin/python --no-deps -r "$1" || die "$1 could not be installed: see above"
}

if ! is_installed "$(lock)"; then
    warn_about_platform
    find_uv
    make_venv
    install "$(lock)"
    # setuptools is in the lock, so that building in isolation, which downloads another, is not needed.
    quietly "$uv" --quiet pip install --python .venv/bin/python --no-deps --no-build-isolation --editable . ||
        die "beam_taxi itself could not be installed: see above"
    # So that a run finds compiled what it imports, even where PYTHONDONTWRITEBYTECODE is set: that halves its start-up.
    quietly env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -c 'import beam_taxi.pipeline, ml_metadata' ||
        die "the installed libraries cannot be imported: see above"
    fingerprint "$(lock)" >"$(stamp "$(lock)")"
fi
for extra in "${extras[@]}"; do
    if ! is_installed "$extra"; then
        find_uv
        install "$extra"
        fingerprint "$extra" >"$(stamp "$extra")"
    fi
done
say ".venv is ready"
