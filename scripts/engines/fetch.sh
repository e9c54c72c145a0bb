#!/usr/bin/env bash
# Fetch an engine into .engines: Beam's job server with Spark or Flink from Maven Central, or Prism by Go's module proxy.
# Usage: scripts/engines/fetch.sh spark|flink|prism        Needs Maven and Java 17, or Go. Quick when it is there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# One at a time: tests that run side by side need the same.
mkdir -p .engines
exec 9>.engines/lock
flock 9

PRISM_VERSION=v2.77.0

die() { printf 'engines: %s\n' "$*" >&2; exit 2; }

# Pack a jar that starts a job server with the jars of its folder, and opens to it what Spark needs of Java 17.
launcher() {
    local opens=(java.base/java.{lang,lang.invoke,lang.reflect,io,net,nio,util,util.concurrent,util.concurrent.atomic}
        java.base/sun.{nio.ch,nio.cs,security.action,util.calendar}) line
    for line in "Main-Class: $2" "Add-Opens: ${opens[*]}" "Class-Path: $(cd "$1" && echo ./*.jar)"; do
        printf '%s\n' "$line" | fold -b -w 70 | sed '2,$s/^/ /'  # the longest line of a manifest: 72 bytes
    done >"$1/manifest"
    jar --create --file "$1/job-server.jar" --manifest "$1/manifest"
}

engine=${1-}
case "$engine" in
    spark | flink)
        target=.engines/$engine
        if [ ! -f "$target/job-server.jar" ]; then
            command -v mvn >/dev/null || die "no mvn found: install Maven and Java 17 (Debian: apt-get install maven openjdk-17-jdk-headless)"
            rm -rf "$target" "$target.part"
            mvn -q -B -f "scripts/engines/$engine/pom.xml" dependency:copy-dependencies -DoutputDirectory="$PWD/$target.part"
            launcher "$target.part" "org.apache.beam.runners.$engine.${engine^}JobServerDriver"
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
