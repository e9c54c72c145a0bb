"""Checks of a launch on Dataflow that need only the arguments and this machine; Beam lets most of it pass."""

from __future__ import annotations

import difflib
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import beam_taxi
from beam_taxi.launch.beam_flags import BeamFlags
from beam_taxi.launch.options import Launch
from beam_taxi.launch.runners.base import Check
from beam_taxi.launch.runners.endpoints import is_here
from beam_taxi.metadata.secrets import is_remote
from beam_taxi.metadata.stores.base import PASSWORD_VARIABLE
from beam_taxi.run.versions import NOT_ON_WORKERS
from beam_taxi.settings import Settings
from beam_taxi.sources.bigquery.names import SCHEME as BIGQUERY

LOCATIONS = {"temp_location": ("temp", "tmp"), "staging_location": ("staging", "binaries")}
"""The folders of a launch, and how their names end by convention."""

_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
# https://cloud.google.com/dataflow/docs/resources/locations
_REGIONS = (
    *("africa-south1", "asia-east1", "asia-east2", "asia-northeast1", "asia-northeast2", "asia-northeast3"),
    *("asia-south1", "asia-south2", "asia-southeast1", "asia-southeast2", "australia-southeast1"),
    *("australia-southeast2", "europe-central2", "europe-north1", "europe-southwest1", "europe-west1"),
    *("europe-west10", "europe-west12", "europe-west2", "europe-west3", "europe-west4", "europe-west6"),
    *("europe-west8", "europe-west9", "me-central1", "me-central2", "me-west1", "northamerica-northeast1"),
    *("northamerica-northeast2", "northamerica-south1", "southamerica-east1", "southamerica-west1"),
    *("us-central1", "us-east1", "us-east4", "us-east5", "us-south1", "us-west1", "us-west2", "us-west3"),
    "us-west4",
)
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_JOB_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_FOLDER = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/[^/].*")
_IMAGE = re.compile(r"beam_python(?P<python>\d+\.\d+)_sdk:(?P<beam>\d+\.\d+\.\d+)")
_MACHINE = re.compile(r"[a-z]\w*(-[a-z0-9]+)+")
_ACCOUNT = re.compile(r"[\w.-]+@[\w.-]+\.gserviceaccount\.com")
_NUMBERS = ("max_num_workers", "num_workers", "disk_size_gb", "number_of_worker_harness_threads")
_PACKED = ("*.py", "*.j2", "*.css", "*.js", "*.json", "py.typed")


def launch_checks(launch: Launch) -> Iterator[Check]:
    """Yield the results of the checks that ask no service."""
    flags = launch.beam
    yield Check("project", _project_fault(launch.settings.project or ""))
    yield _check_region(flags.get("region"))
    for name, endings in LOCATIONS.items():
        yield _check_location(name, flags.get(name), endings)
    yield Check("job name", _job_name_fault(flags.get("job_name")))
    yield Check("workers", "; ".join(_worker_faults(flags)))
    yield Check("labels", "; ".join(_label_faults(flags.all("labels", "label"))))
    yield Check("packages", "; ".join(_package_faults(flags)))
    image = flags.get("sdk_container_image")
    yield Check("setup file", _setup_file_fault(flags.get("setup_file"), image))
    yield _check_image(image)
    yield Check("files", "; ".join(_local_files(launch.settings)))
    yield _check_store(launch)


def _project_fault(project: str) -> str:
    if not project:
        return "--project is required: the project that pays, one of `gcloud projects list`"
    if not _PROJECT.fullmatch(project):
        return f"--project {project}: not a valid project ID; `gcloud projects list` shows them as PROJECT_ID"
    return ""


def _region_fault(region: str) -> str:
    fix = "choose one of `gcloud compute regions list`, e.g. --region us-central1"
    if not region:
        return f"--region is required; {fix}"
    if re.fullmatch(REGION.pattern + "-[a-z]", region):
        return f"--region {region}: is a zone; use --region {region[:-2]}"
    if not REGION.fullmatch(region) or _without_number(region) not in map(_without_number, _REGIONS):
        close = difflib.get_close_matches(region, _REGIONS, 1)
        return f"--region {region}: is not a valid region; " + (f"did you mean {close[0]}?" if close else fix)
    return ""


def _check_region(region: str) -> Check:
    fault = _region_fault(region)
    is_new = not fault and region not in _REGIONS
    return Check("region", fault, f"--region {region}: is not among the regions that this release knows" * is_new)


def _without_number(region: str) -> str:
    return region.rstrip("0123456789")


def _check_location(name: str, uri: str, endings: tuple[str, str]) -> Check:
    shown = name.replace("_", " ")
    wanted = f"use --{name} gs://BUCKET/{endings[0]}"
    if not uri:
        return Check(shown, f"--{name} is required, or Beam would create a bucket; {wanted}")
    if not uri.startswith("gs://"):
        return Check(shown, f"--{name} {uri}: is not in Cloud Storage; {wanted}")
    if not _FOLDER.fullmatch(uri):
        return Check(shown, f"--{name} {uri}: is not a folder in a bucket; {wanted}")
    if uri.rstrip("/").rsplit("/", 1)[1] not in endings:
        note = f"--{name} {uri}: by convention it ends in /{endings[0]} or /{endings[1]}, on which lifecycle rules rely"
        return Check(shown, note=note)
    return Check(shown)


def _job_name_fault(name: str) -> str:
    if not name or _JOB_NAME.fullmatch(name):
        return ""
    valid = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
    valid = valid if _JOB_NAME.fullmatch(valid) else f"job-{valid}"[:63].strip("-")
    return (
        f"--job_name {name}: must have 1 to 63 lower-case letters, digits and hyphens, and begin with a letter "
        f"(it has {len(name)}); use e.g. --job_name {valid}"
    )


def _worker_faults(flags: BeamFlags) -> Iterator[str]:
    for name in _NUMBERS:
        if not re.fullmatch(r"[1-9]\d*", flags.get(name, "1")):
            yield f"--{name} {flags.get(name)}: must be a whole number above 0"
    for name in ("machine_type", "worker_machine_type"):
        if not _MACHINE.fullmatch(flags.get(name, "n2-standard-4")):
            command = f"gcloud compute machine-types list --filter zone~{flags.get('region') or 'REGION'}"
            yield f"--{name} {flags.get(name)}: is not a machine type; choose one of `{command}`"
    account = flags.get("service_account_email")
    if account and not _ACCOUNT.fullmatch(account):
        fix = "use NAME@PROJECT.iam.gserviceaccount.com, one of `gcloud iam service-accounts list`"
        yield f"--service_account_email {account}: is not a service account; {fix}"


def _label_faults(labels: Iterable[str]) -> Iterator[str]:
    for text in labels:
        try:
            pairs = json.loads(text).items() if text.startswith("{") else [text.split("=", 1)]
            is_valid = all(_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value) for key, value in pairs)
        except (ValueError, AttributeError, TypeError):
            is_valid = False
        if not is_valid:
            yield f"--labels {text}: use KEY=VALUE, with lower-case letters, digits, hyphens and underscores"


def _package_faults(flags: BeamFlags) -> Iterator[str]:
    for name in ("requirements_file", "extra_package", "extra_packages"):
        for path in flags.all(name):
            if "://" not in path and not Path(path).is_file():
                yield f"--{name} {path}: file not found"


def _setup_file_fault(path: str, image: str) -> str:
    if not path:
        return "" if image else "--setup_file is required, or the workers lack beam_taxi; use --setup_file ./setup.py"
    file = Path(path)
    if file.name != "setup.py" or not file.is_file():
        return f"--setup_file {path}: not a setup.py; use the one of this repository, --setup_file ./setup.py"
    if not re.search(r"\bname=[\"']beam_taxi[\"']", file.read_text(encoding="utf-8")):
        return f"--setup_file {path}: belongs to another package; use that of beam_taxi"
    return _sdist_fault(file.resolve().parent)


def _sdist_fault(folder: Path) -> str:
    """Let setuptools list what it would pack, as Beam does at the launch."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", scratch]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        listed = Path(scratch, "beam_taxi.egg-info", "SOURCES.txt")
        if done.returncode or not listed.is_file():
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            return f"--setup_file {folder}/setup.py: fails: {lines[-1]}; try `python setup.py sdist`"
        packed = set(listed.read_text(encoding="utf-8").splitlines())
    package = folder / "beam_taxi"
    needed = {
        str(path.relative_to(folder))
        for kind in _PACKED
        for path in package.rglob(kind)
        if path.relative_to(package).parts[0] != NOT_ON_WORKERS
    }
    missing = sorted(needed - packed)
    if not needed:
        return f"--setup_file {folder}/setup.py: beam_taxi/ not found beside it; run from the root of the repository"
    if missing:
        return f"--setup_file: the package would lack {', '.join(missing[:3])}; MANIFEST.in needs `graft beam_taxi`"
    running = Path(beam_taxi.__file__).resolve().parent
    if running.parent != folder and "site-packages" not in running.parts:
        fault = "packs another beam_taxi than the running one; use the setup.py beside"
        return f"--setup_file {folder}/setup.py: {fault} {running}"
    return ""


def _check_image(image: str) -> Check:
    here = {"python": ".".join(platform.python_version_tuple()[:2]), "beam": version("apache-beam")}
    if not image:
        return Check("versions")
    found = _IMAGE.search(image)
    if found is None:
        return Check(
            "versions",
            note=f"--sdk_container_image {image}: the name does not contain its versions; it must have Python "
            f"{here['python']} and Beam {here['beam']}",
        )
    if found.groupdict() == here:
        return Check("versions")
    matching = _IMAGE.sub(f"beam_python{here['python']}_sdk:{here['beam']}", image)
    return Check(
        "versions",
        f"--sdk_container_image {image}: has Python {found['python']} and Beam {found['beam']}, but the launcher "
        f"has Python {here['python']} and Beam {here['beam']}; use --sdk_container_image {matching}",
    )


def _local_files(settings: Settings) -> Iterator[str]:
    for pattern in settings.input:
        if not pattern.startswith(("gs://", BIGQUERY)):
            copy = f"`gcloud storage cp {pattern} gs://BUCKET/input/`"
            yield f"--input {pattern}: workers do not see local files; {copy} and use gs://BUCKET/input/…"
    for uri in settings.validation.baseline_files:
        if not uri.startswith("gs://"):
            yield f"--baseline {uri}: workers do not see local files; copy it to gs://BUCKET/… and use that"
    if not settings.run_uri.startswith("gs://"):
        yield "--output: workers do not see local folders; use --output gs://BUCKET/out"


def _password_fault(launch: Launch) -> str:
    """Return why workers would not have the password of a database; empty if they have it, or need none."""
    reference, store = launch.options.metadata_password_file, launch.store
    if store is None or not store.uri.startswith("mysql") or (reference and is_remote(reference)):
        return ""
    place = f"the file {reference}" if reference else f"the variable {PASSWORD_VARIABLE}"
    return (
        f"--record_on worker: workers on other machines do not have {place}; pass --metadata_password_file "
        "projects/PROJECT/secrets/SECRET/versions/latest, or gs://BUCKET/FILE"
    )


def _check_store(launch: Launch) -> Check:
    name, store = "metadata store", launch.store
    if store is None:
        return Check(name)
    if launch.options.records_on_worker:
        if store.is_local:
            fault = f"--metadata_store {store.uri}: is a file on this machine, which workers do not see"
            return Check(name, f"{fault}; use mysql:// or grpc://, or --record_on launcher")
        if is_here(store.host):
            fault = f"--metadata_store {store.uri}: on a worker, {store.host} is the worker itself"
            return Check(name, f"{fault}; use an address in the network of the workers (--network, --subnetwork)")
        return Check(name, _password_fault(launch))
    if launch.options.no_wait:
        return Check(name, note="no launcher waits for the job: record it later, or use --record_on worker")
    # An unreachable store never stops a run, which warns of it.
    return Check(name, store.fault() if launch.options.preflight else "")
