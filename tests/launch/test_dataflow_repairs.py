"""The repair fits the reason that Google Cloud gives, not the HTTP status."""

from __future__ import annotations

import pytest

from beam_taxi.launch.runners.dataflow_repairs import Names, failure_repair, refusal_repair

KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
ROBOT = "w@p.iam.gserviceaccount.com"
NAMES = Names("p", "us-east1", "user:ann@x.com", ROBOT, "staged", KEY)
DISABLED = (
    "Dataflow API has not been used in project 123 before or it is disabled. Enable it by visiting "
    "https://console.developers.google.com/apis/api/dataflow.googleapis.com/overview?project=123 then retry."
)
ACT_AS = "(1a2b): Current user cannot act as service account 123-compute@developer.gserviceaccount.com. Grant it."


@pytest.mark.parametrize(
    ("status", "reason", "repair"),
    [
        pytest.param(403, DISABLED, "`gcloud services enable dataflow.googleapis.com --project p`", id="API off"),
        pytest.param(
            403,
            "Cloud Storage JSON API has not been used in project p: storage.googleapis.com SERVICE_DISABLED",
            "`gcloud services enable storage.googleapis.com --project p`",
            id="another API off",
        ),
        pytest.param(
            400,
            ACT_AS,
            "grant yourself roles/iam.serviceAccountUser: "
            "`gcloud iam service-accounts add-iam-policy-binding 123-compute@developer.gserviceaccount.com --project p "
            "--member user:ann@x.com --role roles/iam.serviceAccountUser`",
            id="cannot act as the account",
        ),
        pytest.param(
            403,
            "Current user cannot act as service account.",
            "grant yourself roles/iam.serviceAccountUser: "
            f"`gcloud iam service-accounts add-iam-policy-binding {ROBOT} --project p --member user:ann@x.com "
            "--role roles/iam.serviceAccountUser`",
            id="cannot act as an account that is not named",
        ),
        pytest.param(
            403,
            "The billing account for the owning project is disabled in state absent",
            "link an account that is open: `gcloud billing projects link p --billing-account ACCOUNT`",
            id="billing",
        ),
        pytest.param(
            403,
            "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: AbC",
            "launch from inside the perimeter, or ask its administrator",
            id="VPC-SC",
        ),
        pytest.param(
            400,
            "Constraint constraints/compute.vmExternalIpAccess violated for project p.",
            "ask the administrator of the organization; `gcloud resource-manager org-policies describe "
            "compute.vmExternalIpAccess --effective --project p`",
            id="policy of the organization",
        ),
        pytest.param(
            403,
            "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been "
            "authorized to use this key.",
            "`gcloud storage service-agent --project p --authorize-cmek KEY`",
            id="key of the bucket",
        ),
        pytest.param(
            400,
            "Cloud KMS key permission was denied for the service agent.",
            f"`gcloud kms keys add-iam-policy-binding {KEY} --member serviceAccount:ACCOUNT --role "
            "roles/cloudkms.cryptoKeyEncrypterDecrypter`, for the service agents of Dataflow and of Compute Engine: "
            "service-NUMBER@dataflow-service-producer-prod.iam.gserviceaccount.com and "
            "service-NUMBER@compute-system.iam.gserviceaccount.com",
            id="key of the job",
        ),
        pytest.param(
            429,
            "Too many requests.",
            "wait, or ask for more: https://console.cloud.google.com/iam-admin/quotas?project=p",
            id="rate",
        ),
        pytest.param(
            400,
            "The project has exceeded its quota of 25 concurrent jobs.",
            "wait, or ask for more: https://console.cloud.google.com/iam-admin/quotas?project=p",
            id="quota",
        ),
        pytest.param(
            400,
            "The workflow could not be created, since it was sent to an invalid regional endpoint (us-eest1).",
            "--region us-east1: choose one of `gcloud compute regions list --project p`",
            id="region",
        ),
        pytest.param(
            409,
            "(1a2b): There is already an active job named x. If you want to submit a second job, set another name.",
            "choose another --job_name, or cancel that job",
            id="name of the job",
        ),
        pytest.param(
            403,
            f"{ROBOT} does not have storage.objects.create access to the Google Cloud Storage object.",
            f"`gcloud storage buckets add-iam-policy-binding gs://staged --member serviceAccount:{ROBOT} "
            "--role roles/storage.objectCreator`",
            id="staging",
        ),
        pytest.param(
            403,
            "ann@x.com does not have storage.buckets.get access to bucket.",
            "`gcloud storage buckets add-iam-policy-binding gs://staged --member user:ann@x.com "
            "--role roles/storage.legacyBucketReader`",
            id="staging bucket",
        ),
        pytest.param(
            403,
            "The caller does not have permission",
            "grant yourself roles/dataflow.developer: "
            "`gcloud projects add-iam-policy-binding p --member user:ann@x.com --role roles/dataflow.developer`",
            id="role",
        ),
        pytest.param(401, "Expired.", "log in with `gcloud auth application-default login`", id="credentials"),
        pytest.param(404, "Not here.", "check --project p and --region us-east1", id="not found"),
        pytest.param(
            503,
            "Backend error",
            "try again later; https://status.cloud.google.com shows whether the service is down",
            id="service down",
        ),
        pytest.param(400, "Bad request.", "fix that, and launch again", id="anything else"),
    ],
)
def test_the_repair_of_a_refused_launch(status: int, reason: str, repair: str):
    assert refusal_repair(status, reason, NAMES) == repair


def test_the_repair_of_a_refused_upload():
    assert refusal_repair(403, "Access denied.", NAMES, is_storage=True) == (
        "`gcloud storage buckets add-iam-policy-binding gs://staged --member user:ann@x.com "
        "--role roles/storage.objectUser`"
    )


@pytest.mark.parametrize(
    ("cause", "names", "repair"),
    [
        pytest.param(
            "123-compute@developer.gserviceaccount.com does not have storage.objects.get access to gs://taxi/x.csv",
            NAMES,
            "grant it to the workers' account, 123-compute@developer.gserviceaccount.com: `gcloud storage buckets "
            "add-iam-policy-binding gs://taxi --member serviceAccount:123-compute@developer.gserviceaccount.com "
            "--role roles/storage.objectViewer`",
            id="the account of the workers by the reason",
        ),
        pytest.param(
            "403 GET https://storage.googleapis.com/storage/v1/b/taxi/o/x: Permission 'storage.objects.list' denied",
            NAMES,
            f"grant it to the workers' account, {ROBOT}: `gcloud storage buckets add-iam-policy-binding gs://taxi "
            f"--member serviceAccount:{ROBOT} --role roles/storage.objectViewer`",
            id="the account of the workers by the option",
        ),
        pytest.param(
            "Failed to pull image",
            Names(),
            "check --sdk_container_image; the workers' account, the default Compute Engine service account, needs "
            "roles/artifactregistry.reader",
            id="the default account",
        ),
        pytest.param(
            "ZONE_RESOURCE_POOL_EXHAUSTED: Instance",
            NAMES,
            "try another --region or --machine_type, or launch later",
            id="stockout",
        ),
        pytest.param(
            "Permissions verification failed. roles/dataflow.worker should be granted to "
            "1-compute@developer.gserviceaccount.com.",
            NAMES,
            "`gcloud projects add-iam-policy-binding p --member serviceAccount:1-compute@developer.gserviceaccount.com "
            "--role roles/dataflow.worker`",
            id="role of the workers",
        ),
        pytest.param(
            "The worker lost contact with the service (4 attempts)",
            NAMES,
            "often for lack of memory: choose a --machine_type with more, such as n2-highmem-4",
            id="lost worker",
        ),
        pytest.param("ValueError: bad (x.py:7)", NAMES, "", id="no advice"),
    ],
)
def test_the_repair_of_a_failed_job(cause: str, names: Names, repair: str):
    assert failure_repair(cause, names) == repair
