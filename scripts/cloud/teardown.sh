#!/usr/bin/env bash
# Stop everything that costs money, and remove what scripts/cloud/setup.sh has made; the bucket stays unless asked for.
# Usage: scripts/cloud/teardown.sh --project ID --region REGION --bucket NAME [--delete-bucket] [--dry-run]
#   --delete-bucket  also the bucket, with every run in it
#   --dry-run        print the commands, and run none
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/cloud/common.sh

take_options "$@"
delete_bucket=false
case "${#rest[@]}:${rest[0]-}" in
    0:) ;;
    1:--delete-bucket) delete_bucket=true ;;
    *) die "unknown arguments '${rest[*]}'; see $0 --help" ;;
esac

if [ "$dry_run" = true ]; then
    jobs=JOB
else
    jobs=$(gcloud dataflow jobs list --project "$project" --region "$region" --status active \
        --filter "name~^beam-taxi" --format "value(id)")
fi
for job in $jobs; do
    run gcloud dataflow jobs cancel "$job" --region "$region" --project "$project"
done
if may_be_there sql instances describe "$sql_instance"; then
    run gcloud sql instances delete "$sql_instance" --project "$project" --quiet
fi
if may_be_there artifacts repositories describe "$repository" --location "$region"; then
    run gcloud artifacts repositories delete "$repository" --location "$region" --project "$project" --quiet
fi
for account in "$worker_account" "$launcher_account"; do
    if ! may_be_there iam service-accounts describe "$(email "$account")"; then continue; fi
    case "$account" in
        "$worker_account") roles=(roles/dataflow.worker) ;;
        *)
            roles=(roles/dataflow.developer roles/serviceusage.serviceUsageViewer)
            if [ "$dry_run" = true ] || gcloud projects get-iam-policy "$project" --format json | grep -q cloudsql.client; then
                roles+=(roles/cloudsql.client)
            fi ;;
    esac
    for role in "${roles[@]}"; do
        run gcloud projects remove-iam-policy-binding "$project" --member "serviceAccount:$(email "$account")" \
            --role "$role" --condition None --quiet || say "$role of $account was not there"
    done
    run gcloud iam service-accounts delete "$(email "$account")" --project "$project" --quiet
done
if [ "$delete_bucket" = true ] && may_be_there storage buckets describe "gs://$bucket"; then
    run gcloud storage rm "gs://$bucket" --recursive
elif [ "$delete_bucket" = false ]; then
    say "gs://$bucket stays, and is paid for; --delete-bucket removes it with every run in it"
fi
