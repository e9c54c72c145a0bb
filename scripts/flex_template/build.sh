#!/usr/bin/env bash
# Build the image by Cloud Build, and put the Flex Template into the bucket.
# Usage: scripts/flex_template/build.sh --project ID --region REGION --bucket NAME [--dry-run]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/cloud/common.sh

take_options "$@"
[ "${#rest[@]}" = 0 ] || die "unknown arguments '${rest[*]}'; see $0 --help"
run gcloud builds submit . --project "$project" --region "$region" \
    --config scripts/flex_template/cloudbuild.yaml --substitutions "_IMAGE=$(image)"
run gcloud dataflow flex-template build "gs://$bucket/templates/beam_taxi.json" --project "$project" \
    --image "$(image)" --sdk-language PYTHON --metadata-file scripts/flex_template/metadata.json
