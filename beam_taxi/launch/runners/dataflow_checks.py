"""What can be checked of a launch on Dataflow from its arguments and this machine alone; Beam lets most of it pass."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import beam_taxi
from beam_taxi.launch.runners.base import Check
from beam_taxi.launch.runners.endpoints import is_here
from beam_taxi.launch.runners.flags import BeamFlags
from beam_taxi.launch.runners.store_check import store_fault
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.settings import Settings
from beam_taxi.sources.bigquery import SCHEME as BIGQUERY

LOCATIONS = {"temp_location": ("temp", "tmp"), "staging_location": ("staging", "binaries")}
"""The folders of a launch, and how their names end by convention."""

_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_JOB_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_FOLDER = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/[^/].*")
_IMAGE = re.compile(r"beam_python(?P<python>\d+\.\d+)_sdk:(?P<beam>\d+\.\d+\.\d+)")
_MACHINE = re.compile(r"[a-z]\w*(-[a-z0-9]+)+")
_ACCOUNT = re.compile(r"[\w.-]+@[\w.-]+\.gserviceaccount\.com")
_NUMBERS = ("max_num_workers", "num_workers", "disk_size_gb", "number_of_worker_harness_threads")
_PACKED = ("*.py", "*.j2", "*.css", "*.js", "*.json", "py.typed")


def launch_checks(flags: BeamFlags, args: Namespace, settings: Settings, store: StoreAddress | None) -> Iterator[Check]:
    """Yield the checks that ask nobody."""
    yield Check("project", _project_fault(args.project or ""))
    yield Check("region", _region_fault(flags.get("region")))
    for name, endings in LOCATIONS.items():
        yield _check_location(name, flags.get(name), endings)
    yield Check("job name", _job_name_fault(flags.get("job_name")))
    yield Check("workers", "; ".join(_worker_faults(flags)))
    image = flags.get("sdk_container_image")
    yield Check("setup file", _setup_file_fault(flags.get("setup_file"), image))
    yield _check_image(image)
    yield Check("files", "; ".join(_local_files(settings)))
    yield _check_store(args, store)


def _project_fault(project: str) -> str:
    if not project:
        return "--project: is missing; give the project that pays, one of `gcloud projects list`"
    if not _PROJECT.fullmatch(project):
        return f"--project {project}: is not the id of a project; `gcloud projects list` has them as PROJECT_ID"
    return ""


def _region_fault(region: str) -> str:
    repair = "give one of `gcloud compute regions list`, e.g. --region us-central1"
    if not region:
        return f"--region: is missing; {repair}"
    if re.fullmatch(REGION.pattern + "-[a-z]", region):
        return f"--region {region}: is a zone; give --region {region[:-2]}"
    return "" if REGION.fullmatch(region) else f"--region {region}: is no region; {repair}"


def _check_location(name: str, uri: str, endings: tuple[str, str]) -> Check:
    shown = name.replace("_", " ")
    wanted = f"give --{name} gs://BUCKET/{endings[0]}"
    if not uri:
        return Check(shown, f"--{name}: is missing, and Beam would make a bucket; {wanted}")
    if not uri.startswith("gs://"):
        return Check(shown, f"--{name} {uri}: is not in Cloud Storage; {wanted}")
    if not _FOLDER.fullmatch(uri):
        return Check(shown, f"--{name} {uri}: is not a folder in a bucket; {wanted}")
    if uri.rstrip("/").rsplit("/", 1)[1] not in endings:
        note = (
            f"--{name} {uri}: by convention it ends in /{endings[0]} or /{endings[1]}, and lifecycle rules go by that"
        )
        return Check(shown, note=note)
    return Check(shown)


def _job_name_fault(name: str) -> str:
    if not name or _JOB_NAME.fullmatch(name):
        return ""
    mended = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
    mended = mended if _JOB_NAME.fullmatch(mended) else f"job-{mended}"[:63].strip("-")
    return (
        f"--job_name {name}: a name has 1 to 63 small letters, digits and hyphens, and begins with a letter "
        f"({len(name)} given); give e.g. --job_name {mended}"
    )


def _worker_faults(flags: BeamFlags) -> Iterator[str]:
    for name in _NUMBERS:
        if not re.fullmatch(r"[1-9]\d*", flags.get(name, "1")):
            yield f"--{name} {flags.get(name)}: give a whole number above 0"
    for name in ("machine_type", "worker_machine_type"):
        if not _MACHINE.fullmatch(flags.get(name, "n2-standard-4")):
            repair = f"give one of `gcloud compute machine-types list --filter zone~{flags.get('region') or 'REGION'}`"
            yield f"--{name} {flags.get(name)}: is no machine type; {repair}"
    account = flags.get("service_account_email")
    if account and not _ACCOUNT.fullmatch(account):
        repair = "give NAME@PROJECT.iam.gserviceaccount.com, one of `gcloud iam service-accounts list`"
        yield f"--service_account_email {account}: is no service account; {repair}"


def _setup_file_fault(path: str, image: str) -> str:
    if not path:
        return (
            "" if image else "--setup_file: is missing, so that workers have no beam_taxi; give --setup_file ./setup.py"
        )
    file = Path(path)
    if file.name != "setup.py" or not file.is_file():
        return f"--setup_file {path}: is no setup.py; give the one of this repository, --setup_file ./setup.py"
    if not re.search(r"\bname=[\"']beam_taxi[\"']", file.read_text(encoding="utf-8")):
        return f"--setup_file {path}: is that of another package; give that of beam_taxi"
    return _sdist_fault(file.resolve().parent)


def _sdist_fault(folder: Path) -> str:
    """Ask setuptools what it would pack, as Beam does at the launch."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", scratch]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        listed = Path(scratch, "beam_taxi.egg-info", "SOURCES.txt")
        if done.returncode or not listed.is_file():
            lines = done.stderr.strip().splitlines() or ["no reason is given"]
            return f"--setup_file {folder}/setup.py: does not work: {lines[-1]}; try `python setup.py sdist`"
        packed = set(listed.read_text(encoding="utf-8").splitlines())
    needed = {str(path.relative_to(folder)) for kind in _PACKED for path in (folder / "beam_taxi").rglob(kind)}
    missing = sorted(needed - packed)
    if not needed:
        return f"--setup_file {folder}/setup.py: there is no beam_taxi/ beside it; run from the root of the repository"
    if missing:
        return f"--setup_file: the package would lack {', '.join(missing[:3])}; MANIFEST.in needs `graft beam_taxi`"
    running = Path(beam_taxi.__file__).resolve().parent
    if running.parent != folder and "site-packages" not in running.parts:
        return (
            f"--setup_file {folder}/setup.py: packs another beam_taxi than the one that runs, {running}; use that one's"
        )
    return ""


def _check_image(image: str) -> Check:
    here = {"python": ".".join(platform.python_version_tuple()[:2]), "beam": version("apache-beam")}
    if not image:
        return Check("versions")
    found = _IMAGE.search(image)
    if found is None:
        return Check(
            "versions",
            note=f"--sdk_container_image {image}: its name does not tell its versions; it must have Python "
            f"{here['python']} and Beam {here['beam']}",
        )
    if found.groupdict() == here:
        return Check("versions")
    fitting = _IMAGE.sub(f"beam_python{here['python']}_sdk:{here['beam']}", image)
    return Check(
        "versions",
        f"--sdk_container_image {image}: has Python {found['python']} and Beam {found['beam']}, the launcher "
        f"Python {here['python']} and Beam {here['beam']}; give --sdk_container_image {fitting}",
    )


def _local_files(settings: Settings) -> Iterator[str]:
    for pattern in settings.input:
        if not pattern.startswith(("gs://", BIGQUERY)):
            copy = f"`gcloud storage cp {pattern} gs://BUCKET/input/`"
            yield f"--input {pattern}: workers do not see this machine's files; {copy} and give gs://BUCKET/input/…"
    if not settings.run_uri.startswith("gs://"):
        yield "--output: workers do not see this machine's folders; give --output gs://BUCKET/out"


def _check_store(args: Namespace, store: StoreAddress | None) -> Check:
    name = "metadata store"
    if store is None:
        return Check(name)
    if args.record_on == "worker":
        if store.is_local:
            fault = f"--metadata_store {store.uri}: is a file on this machine, which workers do not see"
            return Check(name, f"{fault}; give mysql://… or grpc://…, or --record_on launcher")
        if is_here(store.host):
            fault = f"--metadata_store {store.uri}: on a worker {store.host} is the worker itself"
            return Check(name, f"{fault}; give an address in the workers' network (--network, --subnetwork)")
        return Check(name)
    if args.no_wait:
        return Check(name, note="nobody waits for the job: record it later, or give --record_on worker")
    # A launch goes on without its store, and says so itself.
    return Check(name, store_fault(store) if args.preflight else "")
