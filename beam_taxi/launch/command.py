"""From the arguments of a command line to a launch."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from itertools import pairwise

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.flags import build, parse_given
from beam_taxi.launch.beam_flags import BeamFlags, faults_of_words
from beam_taxi.launch.options import Launch, LaunchOptions, known_flags, options, parser
from beam_taxi.launch.runners.registry import runner_class
from beam_taxi.metadata.address import parse_address
from beam_taxi.settings import CHECKS_FILE, SCHEMA_FILE, Settings, ValidationSettings, default_splits
from beam_taxi.sources.registry import is_table
from beam_taxi.storage import credentials


def parse(argv: Sequence[str], prog: str = "beam-taxi run") -> Launch:
    """Return the launch that the arguments ask for. Raises UsageError.

    parse(["--input", "a.csv", "--output", "out"]).settings.splits
    """
    for word in argv:
        check_text(word, "the argument")
    arguments, rest = parser(prog).parse_known_args(argv)
    given = parse_given(options(), vars(arguments))
    launch_options = build(LaunchOptions, given)
    if rest and not rest[0].startswith("-"):
        raise UsageError(f"unexpected argument {rest[0]!r}; pass files with --input")
    for fault in faults_of_words(rest, known_flags(), runner_class(launch_options.runner).has_own_flags):
        raise UsageError(fault)
    project = given.get("project")
    credentials.use(BeamFlags(rest).get("impersonate_service_account"), str(project) if project else None)
    settings = _settings(given)
    words = rest if settings.project is None else ["--project", settings.project, *rest]
    uri = store_uri(launch_options.metadata_store, settings.run_uri)
    store = parse_address(uri, launch_options.metadata_password_file)
    paths = {name: given.get(option) for name, option in ((SCHEMA_FILE, "schema"), (CHECKS_FILE, "checks"))}
    sources = {name: str(path) for name, path in paths.items() if path is not None}
    return Launch(settings, launch_options, BeamFlags(words), store, sources)


def check_output_uri(uri: str) -> None:
    """Raises UsageError if nothing can be at the URI of --output."""
    _check_uri("--output", uri)


def check_text(text: str, what: str) -> None:
    """Raises UsageError for a text that no manifest can hold, since it is not valid Unicode.

    Names of files and arguments are bytes. Python keeps those that it cannot decode as surrogates.
    """
    if not any("\udc80" <= character <= "\udcff" for character in text):
        return
    try:
        os.fsencode(text).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{what} {text} is not valid UTF-8: rename it") from error
    encoding = sys.getfilesystemencoding().upper()
    raise UsageError(f"{what} {text} is not {encoding}, the encoding of this locale: set LC_ALL=C.UTF-8")


def wants_json(argv: Sequence[str]) -> bool:
    """Return whether `--log_format json` is among the arguments, which may be wrong otherwise."""
    return "--log_format=json" in argv or ("--log_format", "json") in pairwise(argv)


def _settings(given: Mapping[str, object]) -> Settings:
    """Return the settings from values by flag name, which are checked. Raises UsageError."""
    missing = [] if given.get("input") or given.get("query") else ["--input"]
    missing += [] if given.get("output") else ["--output"]
    if missing:
        raise UsageError(f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} required; see --help")
    for name in ("input", "output", "schema", "checks", "baseline"):
        for uri in _texts(given.get(name)):
            _check_uri(f"--{name}", uri)
    run_id = str(given.get("run_id") or new_run_id(given.get("date")))
    values = {
        "input": (),
        "splits": default_splits(
            bool(given.get("no_examples", True)), by_hash=not given.keys() & {"split_column", "split_by"}
        ),
        **given,
        "run_id": run_id,
        "output": storage.join(storage.absolute(str(given["output"])), run_id),
    }
    check_text(str(values["output"]), "--output")
    if "schema" in given:
        values["schema"] = _read_schema(str(given["schema"]))
    if "checks" in given:
        values["checks"] = _read_text("checks", str(given["checks"]))
    settings = build(Settings, values)
    if settings.validation.checks is None:
        return settings
    return replace(settings, validation=_with_files(settings.validation, str(given["checks"])))


def _with_files(validation: ValidationSettings, path: str) -> ValidationSettings:
    """Return the settings with the content of the files that the checks at `path` name. Raises UsageError."""
    from beam_taxi.validation.checks_file import parse_checks

    files: dict[str, str] = {}

    def read(uri: str) -> str:
        return files.setdefault(uri, _read_text("checks", uri))

    parse_checks(validation.checks or "", f"--checks {path}", read)
    return replace(validation, check_files=files)


def new_run_id(date: object = None) -> str:
    """Return a run id that no other run has; it begins with the date of the run, else with the time."""
    return f"{date or f'{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}'}-{secrets.token_hex(3)}"


def _texts(given: object) -> tuple[str, ...]:
    return given if isinstance(given, tuple) else () if given is None else (str(given),)


def _check_uri(option: str, uri: str) -> None:
    """Raises UsageError, which names the option, if nothing can be at a path or URI."""
    if is_table(uri):
        return
    try:
        storage.check_uri(uri)
    except UsageError as error:
        raise UsageError(f"{option} {error}") from error


def _read_schema(uri: str) -> str:
    """Return the text of a schema: of a file, or of a run by its folder. Raises UsageError."""
    from beam_taxi.schemas.read import read_schema

    try:
        return read_schema(uri)[1]
    except UsageError as error:
        raise UsageError(f"--schema {error}") from error


def _read_text(option: str, uri: str) -> str:
    try:
        return storage.read_bytes(uri).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--{option} {uri}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--{option} {uri}: not UTF-8") from error


def store_uri(given: str | None, run_uri: str) -> str:
    """Return the URI of the store of a run: by default a file beside the runs, and none beside remote runs."""
    if given:
        return given
    return "none" if storage.is_remote(run_uri) else f"sqlite:///{run_uri.rpartition('/')[0]}/metadata.sqlite"
