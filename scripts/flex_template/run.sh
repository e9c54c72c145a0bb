#!/usr/bin/env bash
# Launch the Flex Template: it makes the job and leaves, so that a worker records the run where a store is given.
# Usage: scripts/flex_template/run.sh --project ID --region REGION --bucket NAME [--dry-run] input=gs://… [NAME=VALUE...] [--FLAG...]
# NAME=VALUE are the parameters of metadata.json; --FLAGs go to gcloud dataflow flex-template run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/cloud/common.sh

take_options "$@"
# Values may have any character, so gcloud is told of a separator that none has.
separator='|beam_taxi|'
parameters="^$separator^output=gs://$bucket/out"
flags=()
for argument in "${rest[@]}"; do
    case "$argument" in
        --*) flags+=("$argument") ;;
        *=*) parameters+="$separator$argument" ;;
        *) die "'$argument' is no NAME=VALUE; write flags of gcloud as --FLAG=VALUE" ;;
    esac
done
run gcloud dataflow flex-template run "beam-taxi-$(date -u +%Y%m%d-%H%M%S)" --project "$project" --region "$region" \
    --template-file-gcs-location "gs://$bucket/templates/beam_taxi.json" \
    --temp-location "gs://$bucket/temp" --staging-location "gs://$bucket/staging" \
    --service-account-email "$(email "$worker_account")" --parameters "$parameters" "${flags[@]}"
