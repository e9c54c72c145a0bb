#!/usr/bin/env bash
# Make what the job needs in a Google Cloud project; run again, it makes only what is missing.
# Usage: scripts/cloud/setup.sh --project ID --region REGION --bucket NAME [--sql] [--dry-run]
#   --sql      also a Cloud SQL instance for ML Metadata; it costs money as long as it is there
#   --dry-run  print the commands for an empty project, and run none
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/cloud/common.sh

take_options "$@"
sql=false
case "${#rest[@]}:${rest[0]-}" in
    0:) ;;
    1:--sql) sql=true ;;
    *) die "unknown arguments '${rest[*]}'; see $0 --help" ;;
esac

apis=(dataflow compute storage logging monitoring artifactregistry cloudbuild bigquery bigquerystorage)
if [ "$sql" = true ]; then apis+=(sqladmin); fi
run gcloud services enable "${apis[@]/%/.googleapis.com}" --project "$project"

# Without soft delete, which would keep, and charge for, every temporary file for a week.
if ! is_there storage buckets describe "gs://$bucket"; then
    run gcloud storage buckets create "gs://$bucket" --project "$project" --location "$region" \
        --uniform-bucket-level-access --public-access-prevention --soft-delete-duration=0
fi
run gcloud storage buckets update "gs://$bucket" --lifecycle-file scripts/cloud/lifecycle.json

if ! is_there artifacts repositories describe "$repository" --location "$region"; then
    run gcloud artifacts repositories create "$repository" --repository-format docker \
        --location "$region" --project "$project"
fi

for account in "$worker_account" "$launcher_account"; do
    if ! is_there iam service-accounts describe "$(email "$account")"; then
        run gcloud iam service-accounts create "$account" --project "$project"
    fi
done

# Each binding is made once, however often it is asked for.
grant_on_project() {
    run gcloud projects add-iam-policy-binding "$project" --member "serviceAccount:$(email "$1")" \
        --role "$2" --condition None --quiet
}
grant_on_bucket() {
    run gcloud storage buckets add-iam-policy-binding "gs://$bucket" --member "serviceAccount:$(email "$1")" --role "$2"
}

grant_on_project "$worker_account" roles/dataflow.worker
grant_on_bucket "$worker_account" roles/storage.objectUser
run gcloud artifacts repositories add-iam-policy-binding "$repository" --location "$region" --project "$project" \
    --member "serviceAccount:$(email "$worker_account")" --role roles/artifactregistry.reader
grant_on_project "$launcher_account" roles/dataflow.developer
grant_on_project "$launcher_account" roles/serviceusage.serviceUsageViewer
grant_on_bucket "$launcher_account" roles/storage.objectUser
grant_on_bucket "$launcher_account" roles/storage.legacyBucketReader
run gcloud iam service-accounts add-iam-policy-binding "$(email "$worker_account")" --project "$project" \
    --member "serviceAccount:$(email "$launcher_account")" --role roles/iam.serviceAccountUser

if [ "$sql" = true ]; then
    if ! is_there sql instances describe "$sql_instance"; then
        # ML Metadata's client logs in by mysql_native_password alone.
        run gcloud sql instances create "$sql_instance" --project "$project" --region "$region" \
            --database-version MYSQL_8_0 --tier db-g1-small --edition enterprise \
            --database-flags default_authentication_plugin=mysql_native_password
    fi
    if ! is_there sql databases describe mlmd --instance "$sql_instance"; then
        run gcloud sql databases create mlmd --instance "$sql_instance" --project "$project"
    fi
    if ! is_there sql users describe beam_taxi --host % --instance "$sql_instance"; then
        run gcloud sql users create beam_taxi --host % --instance "$sql_instance" --project "$project"
        run gcloud sql users set-password beam_taxi --host % --instance "$sql_instance" --project "$project" \
            --prompt-for-password
    fi
    grant_on_project "$launcher_account" roles/cloudsql.client
    say "the proxy: cloud-sql-proxy --port 3306 $project:$region:$sql_instance"
    say "the store: --metadata_store mysql://beam_taxi@127.0.0.1:3306/mlmd, its password in BEAM_TAXI_METADATA_PASSWORD"
fi
say "next: scripts/flex_template/build.sh, or scripts/cloud/launch.sh"
