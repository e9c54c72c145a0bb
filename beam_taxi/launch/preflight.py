"""The checks before a launch; nothing heavy is imported."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, DataError, UsageError
from beam_taxi.launch.command import check_text
from beam_taxi.launch.options import Launch
from beam_taxi.launch.runners.base import Check, Runner
from beam_taxi.launch.traces import as_fault
from beam_taxi.settings import CHECKS_FILE, Settings
from beam_taxi.sources.bigquery import Waiting
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import Opened, TablePlan, open_input, open_query, plan_sources

_SHOWN = 5
if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

QUERY = "query"
"""The name of the check of a query; its note says what the query would process."""


def look(runner: Runner, waiting: Waiting | None = None) -> tuple[list[Check], TablePlan | None]:
    """Return the results of all checks, and the plan of the input if there can be one.

    A query runs, which costs, only if nothing else forbids the launch; its result is part of the plan. Meanwhile
    `waiting` is called with the seconds that it has been running.
    """
    settings, options = runner.settings, runner.options
    inputs = _Inputs(settings, waiting, runner.launch.sources.get(CHECKS_FILE, ""))
    checks = [
        *_checks_of(runner),
        _check("temporary files", check_temporary_files),
        _check("output", lambda: check_output(settings)),
        _check("input", inputs.open),
        *_checks_of_validation(settings),
    ]
    if settings.query is None:
        return checks, inputs.plan
    checks.append(_check("record", lambda: check_unrecorded(runner.launch)))
    if options.preflight or options.plan:
        return [*checks, _check(QUERY, lambda: _dry_run(settings))], None
    if not any(check.fault for check in checks):
        checks.append(_check(QUERY, inputs.run_query))
    return checks, inputs.plan


class _Inputs:
    """What `--input` and `--query` name, opened once."""

    def __init__(self, settings: Settings, waiting: Waiting | None, checks_path: str) -> None:
        self._checks_path = checks_path
        self.plan: TablePlan | None = None
        self._waiting = waiting
        self._settings = settings
        self._opened = Opened([], [])
        self._kinds: Mapping[str, Kind] = {}

    def open(self) -> None:
        """Open what costs nothing. Raises UsageError and DataError."""
        self._kinds = declared_kinds(self._settings)
        self._opened = open_input(self._settings, self._kinds)
        for source in self._opened.sources:
            check_text(source.info.uri, "--input: the name of a file")
        if self._opened.sources:
            self._make_plan()
        if self._settings.query is None and self.plan is not None:
            self._check_columns(self.plan)

    def run_query(self) -> None:
        """Run the query, and open its result too. Raises UsageError and DataError."""
        assert self._settings.query is not None
        query = open_query(self._settings.query, self._settings, self._kinds, self._waiting)
        self._opened.sources.insert(0, query)
        self._check_columns(self._make_plan())

    def _check_columns(self, plan: TablePlan) -> None:
        check_columns(self._settings, plan)
        check_checks(self._settings, plan, self._checks_path)

    def _make_plan(self) -> TablePlan:
        self.plan = plan_sources(self._opened, self._settings, self._kinds)
        return self.plan


def _checks_of(runner: Runner) -> Iterator[Check]:
    try:
        yield from runner.checks()
    except OSError as error:
        yield Check("runner", str(as_fault(error)))


def _checks_of_validation(settings: Settings) -> Iterator[Check]:
    """Check the environment of the schema, and the baseline."""
    validation = settings.validation
    if validation.environment is not None:
        yield _check("environment", lambda: check_environment(settings))
    for uri in validation.baseline_files:
        yield _check("baseline", partial(check_baseline, uri))


def check_environment(settings: Settings) -> None:
    """Raises UsageError if the schema has no such environment."""
    known, wanted = list(_schema(settings).default_environment), settings.validation.environment
    if wanted not in known:
        described = ", ".join(known) or "none"
        raise UsageError(f"--environment {wanted}: not a default_environment of the schema, which has {described}")


def check_baseline(uri: str) -> None:
    """Raises UsageError if there are no statistics to compare with."""
    from beam_taxi.statistics.read import read_statistics

    try:
        read_statistics(uri)
    except UsageError as error:
        raise UsageError(f"--baseline {error}") from error


def _dry_run(settings: Settings) -> str:
    from beam_taxi.sources.bigquery import dry_run_bytes

    return f"would process {dry_run_bytes(settings):,} bytes; its result is known only after it has run"


def refuse(checks: Iterable[Check]) -> None:
    """Raise all faults at once, if there are any: DataError if one is in the data, else UsageError."""
    found = [check for check in checks if check.fault]
    if found:
        kind = DataError if any(check.is_data for check in found) else UsageError
        raise kind("; ".join(dict.fromkeys(check.fault for check in found)))


def _check(name: str, look: Callable[[], str | None]) -> Check:
    """Return the result of a check, which raises a fault or returns a note, if it has one."""
    try:
        return Check(name, note=look() or "")
    except (UsageError, DataError, OSError) as error:
        return Check(name, str(as_fault(error)), is_data=isinstance(error, DataError))


def declared_kinds(settings: Settings) -> Mapping[str, Kind]:
    """Return the types that `--types` and `--schema` give, by feature. Raises UsageError if it is not a Schema."""
    types = {name: Kind[type_] for name, type_ in settings.columns.types.items()}
    if settings.schema is None:
        return types
    from tensorflow_metadata.proto.v0 import schema_pb2

    kinds = {schema_pb2.INT: Kind.INT, schema_pb2.FLOAT: Kind.FLOAT, schema_pb2.BYTES: Kind.STRING}
    features = _schema(settings).feature
    wrong = [feature.name for feature in features if feature.type not in kinds]
    if wrong:
        raise UsageError(f"--schema: the type of feature {wrong[0]!r} must be INT, FLOAT or BYTES")
    return {feature.name: kinds[feature.type] for feature in features} | types


def _schema(settings: Settings) -> Schema:
    """Return the given schema. Raises UsageError if it is not one."""
    from beam_taxi.schemas.read import parse_schema

    return parse_schema((settings.schema or "").encode(), "--schema")[0]


def schema_notes(declared: Iterable[str], columns: Iterable[str]) -> list[str]:
    """Return warnings about features of a given schema that are not columns, and the other way round."""
    names, found = list(declared), list(columns)
    if not names:
        return []
    lost, new = [n for n in names if n not in found], [n for n in found if n not in names]
    notes = [f"only in --schema, not in the data: {_counted(lost, found)}"] if lost else []
    return notes + ([f"only in the data, not in --schema: {_counted(new, names)}"] if new else [])


def _counted(names: Sequence[str], others: Sequence[str]) -> str:
    shown = ", ".join(repr(name) + _suggest(name, others) for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} column{'' if len(names) == 1 else 's'} ({shown}{more})"


def check_columns(settings: Settings, plan: TablePlan) -> None:
    """Raises UsageError if an option names a column that the input does not have, or that it cannot use."""
    statistics = settings.statistics
    named = {
        "--types": list(settings.columns.types),
        "--redact_columns": settings.columns.redacted,
        "--split_key": [settings.split_key],
        "--weight_feature": [statistics.weight_feature],
        "--label": [statistics.label],
        "--stats_features": statistics.features,
        "--slice_features": statistics.slice_features,
    }
    faults = [
        f"{option}: no column {name!r}{_suggest(name, plan.columns)}"
        for option, names in named.items()
        for name in names
        if name is not None and name not in plan.columns
    ]
    faults += [
        f"{option}: column {name!r} has lists, not one value in each row"
        for option in ("--split_key", "--weight_feature")
        for name in named[option]
        if name in plan.with_lists
    ]
    if faults:
        raise UsageError("; ".join(faults))


def check_checks(settings: Settings, plan: TablePlan, path: str) -> None:
    """Raises UsageError if a check of the file at `path` does not fit the columns or the splits.

    The types of CSV columns are not known yet.
    """
    if settings.validation.checks is None:
        return
    from beam_taxi.validation.checks import check_columns as faults_of_columns
    from beam_taxi.validation.checks import check_splits
    from beam_taxi.validation.rules import checks_of

    checks = replace(checks_of(settings), source=f"--checks {path}")
    known = {**plan.sources[0].column_kinds(), **plan.declared}
    kinds = {name: known.get(name) for name in plan.columns}
    baseline_expected = settings.validation.baseline is not None
    faults = faults_of_columns(checks, kinds, baseline_expected, with_lists=plan.with_lists)
    faults += check_splits(checks, [split.name for split in settings.splits])
    if faults:
        raise UsageError("; ".join(faults))


def _suggest(name: str, columns: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(columns), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def check_unrecorded(launch: Launch) -> None:
    """Raises UsageError if the store has a run with this id that is running or has a result."""
    if launch.store is None:
        return
    from beam_taxi.metadata.queries import get_run

    run_id = launch.settings.run_id
    try:
        state = get_run(launch.store, run_id).state
    except BeamTaxiError:
        # There is no such run, or no answer: an unreachable store never stops a run.
        return
    if state not in ("FAILED", "CANCELED"):
        raise UsageError(f"--run_id {run_id}: the store has a run of this id, which is {state}; choose another")


def check_temporary_files() -> None:
    """Raises UsageError if there is no folder for temporary files: the libraries cannot even be imported without it."""
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise UsageError("no folder takes temporary files: set TMPDIR to one with free space") from error


def check_output(settings: Settings) -> None:
    """Raises UsageError if the run exists or its folder cannot be created."""
    if storage.exists(settings.run_uri):
        raise UsageError(f"--run_id {settings.run_id}: {settings.run_uri} exists; choose another --run_id")
    if storage.is_remote(settings.run_uri):
        return
    try:
        folder = _nearest(settings.run_uri)
    except OSError as error:
        raise UsageError(f"--output {settings.run_uri}: {error.strerror}") from error
    if not os.path.isdir(folder):
        raise UsageError(f"--output: {folder} is not a directory")
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise UsageError(f"--output: {folder} is on a read-only file system")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--output: permission denied: cannot write to {folder}")


def _nearest(path: str) -> str:
    """Return the nearest folder above an absolute path that exists. Raises OSError if the path cannot exist."""
    while True:
        folder = os.path.dirname(path)
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            path = folder
        else:
            return path
