# Sourced by the scripts for Google Cloud, from the root of the repository: the options that all have, and how they call gcloud.
# shellcheck shell=bash disable=SC2034

worker_account=beam-taxi-worker
launcher_account=beam-taxi-launcher
repository=beam-taxi
sql_instance=beam-taxi

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() { say "$*"; exit 2; }

# Print the comment at the top of the script that runs.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; }

# Take --project, --region, --bucket and --dry-run; what else there is goes to the array `rest`.
take_options() {
    project="" region="" bucket="" dry_run=false rest=()
    while [ "$#" -gt 0 ]; do
        case "$1" in
            --project | --region | --bucket)
                [ "$#" -ge 2 ] || die "$1 needs a value"
                printf -v "${1#--}" '%s' "$2"
                shift ;;
            --dry-run) dry_run=true ;;
            --help) usage; exit 0 ;;
            *) rest+=("$1") ;;
        esac
        shift
    done
    bucket=${bucket#gs://}
    bucket=${bucket%/}
    local name missing=()
    for name in project region bucket; do
        if [ -z "${!name}" ]; then missing+=("--$name"); fi
    done
    [ "${#missing[@]}" = 0 ] || die "missing: ${missing[*]}; see $0 --help"
    if [ "$dry_run" = false ] && ! command -v gcloud >/dev/null; then
        die "no gcloud on PATH: see https://cloud.google.com/sdk/docs/install"
    fi
}

# Show a command, and run it unless this is a dry run.
run() {
    printf '+'
    printf ' %q' "$@"
    printf '\n'
    if [ "$dry_run" = false ]; then "$@"; fi
}

# Tell whether something is there already; in a dry run nothing is asked, and nothing is there.
is_there() { [ "$dry_run" = false ] && gcloud "$@" --project "$project" >/dev/null 2>&1; }

# Tell whether something may be there; in a dry run everything is.
may_be_there() { [ "$dry_run" = true ] || is_there "$@"; }

email() { printf '%s@%s.iam.gserviceaccount.com' "$1" "$project"; }

# The name of the image, by which the checks before a launch know its versions.
image() {
    local base version
    base=$(sed -n 's/^FROM apache\/\(.*\)$/\1/p' scripts/flex_template/Dockerfile)
    version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' beam_taxi/__init__.py)
    printf '%s-docker.pkg.dev/%s/%s/%s-%s' "$region" "$project" "$repository" "$base" "$version"
}
