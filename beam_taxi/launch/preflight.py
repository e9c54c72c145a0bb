"""The checks before a launch; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from beam_taxi.errors import DataError, UsageError
from beam_taxi.example_formats import FORMATS, check_installed
from beam_taxi.launch.claim import check_free
from beam_taxi.launch.command import check_text
from beam_taxi.launch.folders import check_output, check_temporary_files
from beam_taxi.launch.options import Launch
from beam_taxi.launch.runners.base import Check, Runner
from beam_taxi.launch.traces import as_fault
from beam_taxi.metadata.stores.base import StoreError, StoreFailure
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import InputEntry
from beam_taxi.settings import CHECKS_FILE, Settings, suggestion
from beam_taxi.sources.bigquery.opening import FORMAT as BIGQUERY
from beam_taxi.sources.bigquery.opening import check_query, open_query
from beam_taxi.sources.bigquery.query import Waiting, dry_run
from beam_taxi.sources.fingerprint import hashes_of
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import Opened, TablePlan, open_input, plan_sources
from beam_taxi.sources.source import AnySource

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

_SHOWN = 5
QUERY = "query"
"""The name of the check of a query; its note says what the query would process."""

IsReused = Callable[[Sequence[InputEntry], Callable[[], list[str]] | None], bool]
"""Called with the inputs, and what returns their content hashes, before anything is done that takes time or costs.

Returns whether an earlier run of the same is reused. Without hashes, that is not known yet.
"""


def look(
    runner: Runner,
    waiting: Waiting | None = None,
    is_reused: IsReused | None = None,
    claim: Callable[[], None] | None = None,
) -> tuple[list[Check], TablePlan | None]:
    """Return the results of all checks, and the plan of the input if there can be one.

    A query runs, which costs, only if nothing else forbids the launch and no earlier run is reused; its result is part
    of the plan. Meanwhile `waiting` is called with the seconds that it has been running.

    `claim` is called before the input is opened, if nothing else forbids the launch; if it raises, the other checks are
    left out. Without it, the launch is only looked at.
    """
    settings, options = runner.settings, runner.options
    inputs = _Inputs(runner.launch, waiting)
    checks = check_options(runner)
    if claim is None and not checks[-1].fault:
        checks[-1] = _check("output", lambda: check_free(RunFolder(settings.run_uri), runner.launch.store))
    if claim is not None and not any(check.fault for check in checks):
        checks[-1] = _check("output", claim)
        if checks[-1].fault:
            return checks, None
    checks += _checks_of_data(runner, inputs)
    if settings.query is None:
        return checks, inputs.plan
    if claim is None:
        checks.append(_check("record", lambda: check_unrecorded(runner.launch)))
    if options.preflight or options.plan:
        return [*checks, _check(QUERY, lambda: _dry_run(settings))], None
    if not any(check.fault for check in checks):
        checks.append(_check(QUERY, lambda: inputs.run_query(is_reused)))
    return checks, inputs.plan


def check_options(runner: Runner) -> list[Check]:
    """Return the results of the checks that do not depend on the input; the last is that of the output."""
    output = _check("output", lambda: check_output(runner.settings))
    temporary = _check("temporary files", check_temporary_files)
    return [*_checks_of(runner), *_checks_of_format(runner.settings), temporary, output]


class _Inputs:
    """What `--input` and `--query` name, opened once."""

    def __init__(self, launch: Launch, waiting: Waiting | None) -> None:
        self._checks_path = launch.sources.get(CHECKS_FILE, "")
        self._days = launch.days
        self.plan: TablePlan | None = None
        self._waiting = waiting
        self._settings = launch.settings
        self._opened = Opened([], [])
        self._kinds: Mapping[str, Kind] = {}

    def open(self) -> None:
        """Open what costs nothing. Raises UsageError and DataError."""
        self._kinds = declared_kinds(self._settings)
        self._opened = open_input(self._settings, self._kinds, self._days)
        for source in self._opened.sources:
            check_text(source.info.uri, "--input: the name of a file")
        if self._opened.sources:
            self._make_plan()
        if self._settings.query is None and self.plan is not None:
            self._check_columns(self.plan)

    def run_query(self, is_reused: IsReused | None) -> None:
        """Run the query unless an earlier run is reused, and open its result. Raises UsageError and DataError."""
        assert self._settings.query is not None
        query = check_query(self._settings.query, self._settings)
        others = self._opened.sources

        def content_hashes() -> list[str]:
            return [str(query.identity), *hashes_of(others)]

        if is_reused is not None:
            entries = [InputEntry(query.uri, BIGQUERY, query.processed_bytes), *map(input_entry, others)]
            if is_reused(entries, content_hashes if query.identity is not None else None):
                return
        self._opened.sources.insert(0, open_query(query, self._settings, self._kinds, self._waiting))
        self._check_columns(self._make_plan())

    def _check_columns(self, plan: TablePlan) -> None:
        check_columns(self._settings, plan)
        check_checks(self._settings, plan, self._checks_path)

    def _make_plan(self) -> TablePlan:
        self.plan = plan_sources(self._opened, self._settings, self._kinds)
        return self.plan


def input_entry(source: AnySource) -> InputEntry:
    """Return what is known of an input before it is read."""
    return InputEntry(source.info.uri, source.info.format, source.info.size)


def _checks_of(runner: Runner) -> Iterator[Check]:
    try:
        yield from runner.checks()
    except OSError as error:
        yield Check("runner", str(as_fault(error)))


def _checks_of_format(settings: Settings) -> Iterator[Check]:
    """Check what the format of the Examples needs, if it needs anything."""
    if FORMATS[settings.example_format].package:
        yield _check("example format", partial(check_installed, settings.example_format))


def _checks_of_data(runner: Runner, inputs: _Inputs) -> Iterator[Check]:
    """Open the input, and check what it is split and judged by, and whether it fits into memory."""
    yield _check("input", inputs.open)
    if runner.settings.splitting.conditions and inputs.plan is None:
        yield _check("splits", partial(check_conditions, runner.settings))
    yield from _checks_of_validation(runner.settings)
    if inputs.plan is not None:
        fits = _check("memory", partial(runner.check_plan, inputs.plan))
        if fits.fault:
            yield fits


def _checks_of_validation(settings: Settings) -> Iterator[Check]:
    """Check the environment of the schema, and the baseline."""
    validation = settings.validation
    if validation.environment is not None:
        yield _check("environment", lambda: check_environment(settings))
    for uri in validation.baseline_files:
        yield _check("baseline", partial(check_baseline, uri))


def check_conditions(settings: Settings) -> None:
    """Raises UsageError if a condition cannot be parsed; its columns are not known."""
    from beam_taxi.splits.conditions import parse_conditions

    _, faults = parse_conditions(settings.splitting.conditions)
    if faults:
        raise UsageError("; ".join(faults))


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
    query = settings.query or ""
    known = dry_run(query, settings.project, settings.dates.parameters(query))
    return f"would process {known.processed_bytes:,} bytes; its result is known only after it has run"


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
    names, found = dict.fromkeys(declared), dict.fromkeys(columns)
    if not names:
        return []
    lost, new = [n for n in names if n not in found], [n for n in found if n not in names]
    notes = [f"only in --schema, not in the data: {_counted(lost, found)}"] if lost else []
    return notes + ([f"only in the data, not in --schema: {_counted(new, names)}"] if new else [])


def _counted(names: Sequence[str], others: Iterable[str]) -> str:
    shown = ", ".join(repr(name) + suggestion(name, others) for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} column{'' if len(names) == 1 else 's'} ({shown}{more})"


def check_columns(settings: Settings, plan: TablePlan) -> None:
    """Raises UsageError if an option names a column that the input does not have, or that it cannot use."""
    statistics, known = settings.statistics, frozenset(plan.columns)
    named = {
        "--types": list(settings.columns.types),
        "--redact_columns": settings.columns.redacted,
        "--split_key": settings.splitting.key,
        "--weight_feature": [statistics.weight_feature],
        "--label": [statistics.label],
        "--stats_features": statistics.features,
        "--slice_features": statistics.slice_features,
    }
    faults = [
        f"{option}: no column {name!r}{suggestion(name, plan.columns)}"
        for option, names in named.items()
        for name in names
        if name is not None and name not in known
    ]
    named["--stratify"] = [statistics.label] if settings.splitting.stratify else []
    faults += [
        f"{option}: column {name!r} has lists, not one value in each row"
        for option in ("--split_key", "--weight_feature", "--stratify")
        for name in named[option]
        if name in plan.with_lists
    ]
    if not settings.splitting.by_hash:
        from beam_taxi.splits.conditions import faults_of_columns

        faults += faults_of_columns(settings, _kinds_of(plan), plan.with_lists)
    if faults:
        raise UsageError("; ".join(faults))


def _kinds_of(plan: TablePlan) -> dict[str, Kind | None]:
    """Return the kinds of the columns; None if a kind is not known before the data is read."""
    known = {**plan.sources[0].column_kinds(), **plan.declared}
    return {name: known.get(name) for name in plan.columns}


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
    kinds = _kinds_of(plan)
    baseline_expected = settings.validation.baseline is not None
    faults = faults_of_columns(checks, kinds, baseline_expected, with_lists=plan.with_lists)
    faults += check_splits(checks, [split.name for split in settings.splits])
    if faults:
        raise UsageError("; ".join(faults))


def check_unrecorded(launch: Launch) -> None:
    """Raises UsageError if the store has a run with this id that is running or has a result."""
    if launch.store is None:
        return
    from beam_taxi.metadata.recorder import check_startable

    # A store that cannot be used never stops a run.
    with suppress(StoreError, StoreFailure):
        check_startable(launch.settings.run_id, launch.store)
