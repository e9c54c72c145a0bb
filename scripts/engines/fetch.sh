#!/usr/bin/env bash
# Fetch an engine into .engines: Beam's job server with Spark or Flink from Maven Central, or Prism by Go's module proxy.
# Usage: scripts/engines/fetch.sh spark|flink|prism        Needs Maven and Java 17, or Go. Quick when it is there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PRISM_VERSION=v2.77.0

die() { printf 'engines: %s\n' "$*" >&2; exit 2; }

engine=${1-}
case "$engine" in
    spark | flink)
        target=.engines/$engine
        if [ ! -d "$target" ]; then
            command -v mvn >/dev/null || die "no mvn found: install Maven and Java 17 (Debian: apt-get install maven openjdk-17-jdk-headless)"
            rm -rf "$target.part"
            mvn -q -B -f "scripts/engines/$engine/pom.xml" dependency:copy-dependencies -DoutputDirectory="$PWD/$target.part"
            mv "$target.part" "$target"
        fi ;;
    prism)
        target=.engines/prism
        if [ ! -x "$target" ]; then
            command -v go >/dev/null || die "no go found: install Go (https://go.dev/dl)"
            GOBIN=$PWD/.engines go install "github.com/apache/beam/sdks/v2/go/cmd/prism@$PRISM_VERSION"
        fi ;;
    *) die "unknown engine '$engine': spark, flink or prism" ;;
esac
printf 'engines: %s is ready\n' "$target" >&2
