#!/usr/bin/env bash
# Run a command where there is no network but the loopback, so that nothing it starts can be reached from elsewhere.
# Usage: scripts/engines/loopback.sh COMMAND [ARGUMENT...]        Linux; needs unshare (util-linux) and ip (iproute2)
set -euo pipefail
# shellcheck disable=SC2016  # for the inner shell
exec unshare --map-root-user --net sh -c 'ip link set lo up && exec "$@"' sh "$@"
