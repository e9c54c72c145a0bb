"""Checks that ask Google Cloud before a launch: credentials, buckets, permissions, APIs.

Checks that lack permission are reported as notes: the launch itself may still be permitted.
"""

from __future__ import annotations

from collections.abc import Iterator

from beam_taxi.errors import StorageError
from beam_taxi.launch import cloud_storage
from beam_taxi.launch.beam_flags import BeamFlags
from beam_taxi.launch.options import Launch
from beam_taxi.launch.runners.base import Check
from beam_taxi.launch.runners.dataflow_checks import LOCATIONS, REGION
from beam_taxi.settings import Settings
from beam_taxi.sources.bigquery.names import SCHEME as BIGQUERY
from beam_taxi.storage import credentials, gcs

_READ = ("storage.objects.get", "storage.objects.list")
_WRITE = (*_READ, "storage.objects.create", "storage.objects.delete")
_CONTINENTS = {"US": "us-", "EU": "europe-", "ASIA": "asia-"}
_CALL_SECONDS = 10


def cloud_checks(launch: Launch) -> Iterator[Check]:
    """Yield the results of the checks that ask Google Cloud; without credentials only that they are missing."""
    flags, settings = launch.beam, launch.settings
    if not credentials.has_credentials():
        yield Check(
            "credentials",
            f"no Google Cloud credentials found: `{credentials.LOG_IN}`, or set GOOGLE_APPLICATION_CREDENTIALS to a "
            "key file",
        )
        return
    fault = credentials.fault()
    yield Check("credentials", fault)
    if fault:
        return
    project, region = settings.project or "PROJECT", flags.get("region")
    for bucket, uses in _buckets(flags, settings).items():
        yield _check_bucket(bucket, uses, project, region)
        yield _check_permissions(bucket, _READ if uses == {"input"} else _WRITE)
    yield _check_staging(flags.get("staging_location"))
    if settings.project:
        yield _check_apis(settings.project, _apis(flags, settings))


def _buckets(flags: BeamFlags, settings: Settings) -> dict[str, set[str]]:
    """Return what each bucket of the launch is used for."""
    uris = [(name, flags.get(name)) for name in LOCATIONS]
    uris += [("output", settings.run_uri), *(("input", pattern) for pattern in settings.input)]
    uris += [("input", uri) for uri in settings.validation.baseline_files]
    found: dict[str, set[str]] = {}
    for use, uri in uris:
        if uri.startswith(gcs.SCHEME) and gcs.split(uri)[0]:
            found.setdefault(gcs.split(uri)[0], set()).add(use)
    return found


def _check_bucket(bucket: str, uses: set[str], project: str, region: str) -> Check:
    name = f"bucket {bucket}"
    used_as = ", ".join(f"--{use}" for use in sorted(uses))
    try:
        location, holds = cloud_storage.location(bucket)
    except StorageError as error:
        if error.code == 404:
            create = f"gcloud storage buckets create gs://{bucket} --project {project} --location {region or 'REGION'}"
            return Check(name, f"{used_as}: bucket gs://{bucket} does not exist; `{create}`")
        if error.code == 403:
            return Check(name, note=f"gs://{bucket}: these credentials may not see its location")
        return Check(name, f"{used_as}: {error}")
    if not REGION.fullmatch(region) or _is_near(location, holds, region):
        return Check(name)
    where = f"{used_as}: gs://{bucket} is in {location}, the job in {region}"
    is_one_region = location not in _CONTINENTS and len(holds) == 1
    if is_one_region and uses & LOCATIONS.keys():
        return Check(name, f"{where}; use --region {location.lower()}, or a bucket in {region}")
    return Check(name, note=f"{where}: this is slower, and the transfer is billed")


def _is_near(location: str, holds: tuple[str, ...], region: str) -> bool:
    continent = _CONTINENTS.get(location)
    return region.startswith(continent) if continent else region.upper() in holds


def _check_permissions(bucket: str, needed: tuple[str, ...]) -> Check:
    name = f"permissions {bucket}"
    try:
        missing = sorted(set(needed) - cloud_storage.granted(bucket, needed))
    except StorageError as error:
        # A bucket that does not exist is the fault of another check.
        return Check(
            name, note="" if error.code == 404 else f"permissions on gs://{bucket} could not be checked: {error}"
        )
    if not missing:
        return Check(name)
    role = "roles/storage.objectViewer" if needed == _READ else "roles/storage.objectUser"
    member = credentials.member()
    grant = f"gcloud storage buckets add-iam-policy-binding gs://{bucket} --member {member} --role {role}"
    return Check(name, f"gs://{bucket}: missing permissions: {', '.join(missing)}; `{grant}`")


def _check_staging(folder: str) -> Check:
    if not folder.startswith(gcs.SCHEME) or not gcs.split(folder)[0]:
        return Check("staging")
    try:
        cloud_storage.try_write(folder)
    except StorageError as error:
        # A bucket that does not exist is the fault of another check.
        return Check("staging", "" if error.code == 404 else f"--staging_location: cannot be written: {error}")
    return Check("staging")


def _apis(flags: BeamFlags, settings: Settings) -> list[str]:
    found = ["dataflow", "compute", "storage", "logging"]
    if settings.query is not None or any(pattern.startswith(BIGQUERY) for pattern in settings.input):
        found += ["bigquery", "bigquerystorage"]
    if "pkg.dev/" in flags.get("sdk_container_image"):
        found.append("artifactregistry")
    return [f"{name}.googleapis.com" for name in found]


def _check_apis(project: str, needed: list[str]) -> Check:
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession
    from requests import RequestException

    parent = f"projects/{project}"
    query = "&".join(f"names={parent}/services/{name}" for name in needed)
    uri = f"https://serviceusage.googleapis.com/v1/{parent}/services:batchGet?{query}"
    try:
        session = AuthorizedSession(credentials.credentials(), refresh_timeout=_CALL_SECONDS)
        answer = session.get(uri, timeout=_CALL_SECONDS, max_allowed_time=_CALL_SECONDS)
        answer.raise_for_status()
        services: list[dict[str, str]] = answer.json().get("services", [])
    except (GoogleAuthError, RequestException) as error:
        answered = getattr(error, "response", None)
        reason = type(error).__name__ if answered is None else f"{answered.status_code} {answered.reason}"
        return Check("APIs", note=f"could not check whether they are enabled: {reason}")
    enabled = {one["name"].rsplit("/", 1)[1] for one in services if one.get("state") == "ENABLED"}
    missing = [name for name in needed if name not in enabled]
    fix = f"`gcloud services enable {' '.join(missing)} --project {project}`"
    return Check("APIs", f"not enabled: {', '.join(missing)}; {fix}" if missing else "")
