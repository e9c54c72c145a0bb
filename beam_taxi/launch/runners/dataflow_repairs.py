"""What to do about the reason that Google Cloud gives for refusing a launch, or for the failure of a job.

The HTTP status alone does not say: 403 is the answer to a missing role, an API that is off, a project without billing,
a policy of the organization and a perimeter of VPC Service Controls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_DEFAULT_ACCOUNT = "the default Compute Engine service account"
_DEFAULT_EMAIL = "NUMBER-compute@developer.gserviceaccount.com"
_ACCOUNT = re.compile(r"[\w.-]+@[\w.-]+\.[a-z]+")
_BUCKET = re.compile(r"gs://([a-z0-9][\w.-]+[a-z0-9])|/b/([a-z0-9][\w.-]+[a-z0-9])|buckets/([a-z0-9][\w.-]+[a-z0-9])")
_SERVICE = re.compile(r"[a-z]+\.googleapis\.com")
_DENIED = re.compile(r"(?:does not have|lacks|[Pp]ermission) '?(storage\.\w+\.\w+)'?")
_QUOTAS = "https://console.cloud.google.com/iam-admin/quotas?project={project}"

_REFUSALS: Sequence[tuple[str, str]] = (
    (r"already (an )?active job|ALREADY_EXISTS|already been updated", "choose another --job_name, or cancel that job"),
    (
        r"SERVICE_DISABLED|has not been used in project|API .{0,40}(is disabled|not enabled)",
        "`gcloud services enable {service} --project {project}`",
    ),
    (r"vpcServiceControls|VPC Service Controls", "launch from inside the perimeter, or ask its administrator"),
    (
        r"act as service account|serviceAccounts\.actAs|serviceAccountUser",
        "grant yourself roles/iam.serviceAccountUser: "
        "`gcloud iam service-accounts add-iam-policy-binding {email} --project {project} --member {launcher} "
        "--role roles/iam.serviceAccountUser`",
    ),
    (
        r"billing",
        "link an account that is open: `gcloud billing projects link {project} --billing-account ACCOUNT`",
    ),
    (
        r"constraints/",
        "ask the administrator of the organization; "
        "`gcloud resource-manager org-policies describe {constraint} --effective --project {project}`",
    ),
    (
        r"Cloud Storage service (account|agent).*\bkey\b|\bkey\b.*Cloud Storage service (account|agent)",
        "`gcloud storage service-agent --project {project} --authorize-cmek KEY`",
    ),
    (
        r"cloudkms|Cloud KMS|\bKMS\b|cryptoKey",
        "`gcloud kms keys add-iam-policy-binding {key} --member serviceAccount:ACCOUNT --role "
        "roles/cloudkms.cryptoKeyEncrypterDecrypter`, for the service agents of Dataflow and of Compute Engine: "
        "service-NUMBER@dataflow-service-producer-prod.iam.gserviceaccount.com and "
        "service-NUMBER@compute-system.iam.gserviceaccount.com",
    ),
    (
        r"RESOURCE_EXHAUSTED|rateLimit|quota|too many (active|concurrent) jobs|^(storage )?429",
        f"wait, or ask for more: {_QUOTAS}",
    ),
    (
        r"(regional endpoint|\bregion\b|\blocation\b).*(invalid|not found|unsupported|unknown|not supported)"
        r"|(invalid|unknown|unsupported|unexpected) (regional endpoint|region|location)",
        "--region {region}: choose one of `gcloud compute regions list --project {project}`",
    ),
    (r"^(storage )?401|UNAUTHENTICATED|invalid_grant|[Rr]eauth", "log in with `gcloud auth application-default login`"),
    (
        r"storage\.\w+\.\w+",
        "`gcloud storage buckets add-iam-policy-binding gs://{bucket} --member {member} --role {role}`",
    ),
    (
        r"^storage 403",
        "`gcloud storage buckets add-iam-policy-binding gs://{bucket} --member {member} "
        "--role roles/storage.objectUser`",
    ),
    (
        r"^403|PERMISSION_DENIED",
        "grant yourself roles/dataflow.developer: `gcloud projects add-iam-policy-binding {project} "
        "--member {launcher} --role roles/dataflow.developer`",
    ),
    (r"^404", "check --project {project} and --region {region}"),
    (r"^(storage )?5\d\d", "try again later; https://status.cloud.google.com shows whether the service is down"),
)
_FAILURES: Sequence[tuple[str, str]] = (
    (
        r"RESOURCE_POOL_EXHAUSTED|does not have enough resources|stockout",
        "try another --region or --machine_type, or launch later",
    ),
    (r"QUOTA_EXCEEDED|insufficient quota|quota\b.* exceeded", f"lower --max_num_workers, or ask for more: {_QUOTAS}"),
    (
        r"roles/dataflow\.worker",
        "`gcloud projects add-iam-policy-binding {project} --member serviceAccount:{email} "
        "--role roles/dataflow.worker`",
    ),
    (
        r"storage\.\w+\.\w+",
        "grant it to the workers' account, {worker}: `gcloud storage buckets add-iam-policy-binding gs://{bucket} "
        "--member serviceAccount:{email} --role {role}`",
    ),
    (
        r"(pull\w*|fetch\w*) (the )?(container )?image|ImagePullBackOff|ErrImagePull|manifest unknown",
        "check --sdk_container_image; the workers' account, {worker}, needs roles/artifactregistry.reader",
    ),
    (
        r"out of memory|lack of memory|MemoryError|OutOfMemoryError|OOM",
        "choose a --machine_type with more memory, such as n2-highmem-4",
    ),
    (
        r"lost contact|waiting for an update from the worker|SDK (harness \S+ )?disconnected",
        "often for lack of memory: choose a --machine_type with more, such as n2-highmem-4",
    ),
    (
        r"private Google access",
        "`gcloud compute networks subnets update NAME --region {region} --enable-private-ip-google-access`",
    ),
)


@dataclass(frozen=True)
class Names:
    """What a launch names: the words of its repairs.

    `launcher` is the launcher's account as IAM names it, `worker` the workers' account, `bucket` that of staging.
    """

    project: str = "PROJECT"
    region: str = "REGION"
    launcher: str = "user:YOU"
    worker: str = ""
    bucket: str = "BUCKET"
    key: str = "KEY"


def refusal_repair(status: int, reason: str, names: Names, is_storage: bool = False) -> str:
    """Return how to fix that Dataflow, or Cloud Storage, refused a launch with an HTTP status and a reason."""
    text = f"{'storage ' if is_storage else ''}{status} {reason}"
    return _first(_REFUSALS, text, names) or "fix that, and launch again"


def failure_repair(cause: str, names: Names) -> str:
    """Return how to fix the cause of a failed job, empty if there is no advice."""
    return _first(_FAILURES, cause, names)


def _first(repairs: Sequence[tuple[str, str]], text: str, names: Names) -> str:
    for pattern, repair in repairs:
        if re.search(pattern, text, re.I):
            return repair.format(**_words(text, names))
    return ""


def _words(text: str, names: Names) -> dict[str, str]:
    """Return the words of a repair: what the reason names, else what the launch names."""
    account, bucket, service = _ACCOUNT.search(text), _BUCKET.search(text), _SERVICE.search(text)
    constraint, denied = re.search(r"constraints/([\w.]+\w)", text), _DENIED.search(text)
    is_robot = account is not None and account[0].endswith("gserviceaccount.com")
    worker = account[0] if account and is_robot else names.worker
    return {
        "project": names.project,
        "region": names.region,
        "worker": worker or _DEFAULT_ACCOUNT,
        "email": worker or _DEFAULT_EMAIL,
        "member": f"{'serviceAccount' if is_robot else 'user'}:{account[0]}" if account else names.launcher,
        "launcher": names.launcher,
        "bucket": next(filter(None, bucket.groups())) if bucket else names.bucket,
        "key": names.key,
        "service": service[0] if service else "dataflow.googleapis.com",
        "constraint": constraint[1] if constraint else "CONSTRAINT",
        "role": _least_role(denied[1] if denied else ""),
    }


def _least_role(permission: str) -> str:
    """Return the least role with a permission of Cloud Storage."""
    if permission in ("storage.objects.get", "storage.objects.list"):
        return "roles/storage.objectViewer"
    if permission == "storage.objects.create":
        return "roles/storage.objectCreator"
    return "roles/storage.legacyBucketReader" if permission == "storage.buckets.get" else "roles/storage.objectUser"
