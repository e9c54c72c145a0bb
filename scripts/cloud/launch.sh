#!/usr/bin/env bash
# Run the job on Dataflow with what scripts/cloud/setup.sh has made; the other arguments go to beam_taxi.main.
# Usage: scripts/cloud/launch.sh --project ID --region REGION --bucket NAME [--no-image] [--dry-run] --input gs://… [ARGUMENT...]
#   --no-image  workers install the package and its libraries at each start, which takes minutes, instead of running the
#               image of scripts/flex_template/build.sh
#   --dry-run   print the command, and do not run it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/cloud/common.sh

take_options "$@"
package=(--sdk_container_image "$(image)" --sdk_location container)
arguments=()
for argument in "${rest[@]}"; do
    if [ "$argument" = --no-image ]; then
        package=(--setup_file ./setup.py)
    else
        arguments+=("$argument")
    fi
done
[ "${#arguments[@]}" != 0 ] || die "give --input gs://…; see $0 --help"

run .venv/bin/python -m beam_taxi.main --runner DataflowRunner --project "$project" --region "$region" \
    --temp_location "gs://$bucket/temp" --staging_location "gs://$bucket/staging" --output "gs://$bucket/out" \
    --service_account_email "$(email "$worker_account")" "${package[@]}" "${arguments[@]}"
