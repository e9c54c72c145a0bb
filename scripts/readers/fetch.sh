#!/usr/bin/env bash
# Fetch a library that the tests of beam_taxi.open_run need into .readers: TensorFlow Datasets or Grain from PyPI, or Debian's
# build of PyTorch, which is for the CPU and a fraction of the size of that of PyPI. Nothing is installed.
# Usage: scripts/readers/fetch.sh tfds|grain|torch        Needs .venv; torch: Debian, root, and its Python's version in .venv
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# One at a time: tests that run side by side need the same.
mkdir -p .readers
exec 9>.readers/lock
flock 9

TFDS=(
    tensorflow-datasets==4.9.10 etils==1.13.0 fsspec==2026.9.0 zipp==4.1.2 importlib-resources==7.1.0 dm-tree==0.1.10
    immutabledict==4.3.1 promise==2.3 simple-parsing==0.1.9 docstring-parser==0.18.0 toml==0.10.2 tqdm==4.70.1 attrs==26.1.0
    einops==0.8.2 termcolor==3.3.0
)
# With the protobuf that Grain needs, which is newer than that of requirements.txt.
GRAIN=(
    grain==0.2.18 array-record==0.8.6 etils==1.13.0 fsspec==2026.9.0 zipp==4.1.2 importlib-resources==7.1.0 cloudpickle==3.1.3
    portpicker==1.6.0 protobuf==7.36.2
)

# Install packages into a folder of their own, without what they require.
install_into() {
    local uv
    for uv in "$(command -v uv || true)" .venv-uv/bin/uv .venv-uv/lib/bin/uv; do
        if [ -x "$uv" ]; then break; fi
    done
    "$uv" pip install -q --python "${PYTHON:-.venv/bin/python}" --no-deps --target "$1" "${@:2}"
}

die() { printf 'readers: %s\n' "$*" >&2; exit 2; }

# Unpack Debian's package with what it depends on and is not installed, and note where the libraries are.
unpack_torch() {
    local folder=$1 deb
    mkdir -p "$folder/debs/partial" "$folder/root" "$folder/python"
    if ! apt-cache show python3-torch >/dev/null 2>&1; then apt-get update -q=2; fi
    apt-get -o Dir::Cache::archives="$PWD/$folder/debs" install -q=2 -y --download-only --no-install-recommends python3-torch
    for deb in "$folder"/debs/*.deb; do dpkg -x "$deb" "$folder/root"; done
    rm -rf "$folder/debs"
    ln -s ../root/usr/lib/python3/dist-packages/torch "$folder/python/torch"
    find "$folder/root" -name '*.so*' -not -path '*python3*' -printf '%h\n' | sort -u | sed "s|^$folder|.readers/torch|" >"$folder/libraries"
}

name=${1-}
target=.readers/$name
case "$name" in
    tfds | grain | torch) if [ -d "$target" ]; then exit 0; fi ;;
    *) die "unknown library '$name': tfds, grain or torch" ;;
esac
rm -rf "$target.part"
mkdir -p "$target.part"
case "$name" in
    tfds) install_into "$target.part/python" "${TFDS[@]}" ;;
    grain) install_into "$target.part/python" "${GRAIN[@]}" ;;
    torch)
        command -v apt-get >/dev/null || die "no apt-get found: pip install torch, and run the tests of the readers with it"
        unpack_torch "$target.part" ;;
esac
mv "$target.part" "$target"
printf 'readers: %s is ready\n' "$target" >&2
