"""The checks before a launch; nothing heavy is imported."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping

from beam_taxi import storage
from beam_taxi.errors import DataError, StorageError, UsageError
from beam_taxi.launch.runners.base import Check, Runner
from beam_taxi.settings import Settings
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import TablePlan, plan_input


def look(runner: Runner) -> tuple[list[Check], TablePlan | None]:
    """Return the results of all checks, and the plan of the input if there can be one."""
    settings = runner.settings
    plans: list[TablePlan] = []

    def plan() -> None:
        plans.append(plan_input(settings, declared_kinds(settings)))
        check_columns(settings, plans[0])

    checks = [*runner.checks(), _check("output", lambda: check_output(settings))]
    if runner.options.preflight and settings.query is not None:
        checks.append(Check("input", note="not checked: the result of a query is known only after it has run and cost"))
    else:
        checks.append(_check("input", plan))
    return checks, plans[0] if plans else None


def refuse(checks: Iterable[Check]) -> None:
    """Raise all faults at once, if there are any: DataError if one is in the data, else UsageError."""
    found = [check for check in checks if check.fault]
    if found:
        kind = DataError if any(check.is_data for check in found) else UsageError
        raise kind("; ".join(check.fault for check in found))


def _check(name: str, look: Callable[[], None]) -> Check:
    try:
        look()
    except (UsageError, StorageError, DataError) as error:
        return Check(name, str(error), is_data=isinstance(error, DataError))
    return Check(name)


def declared_kinds(settings: Settings) -> Mapping[str, Kind]:
    """Return the types that `--schema` gives, by feature. Raises UsageError if it is not a Schema."""
    if settings.schema is None:
        return {}
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        schema = text_format.Parse(settings.schema, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise UsageError(f"--schema: not a Schema proto in text format: {error}") from error
    kinds = {schema_pb2.INT: Kind.INT, schema_pb2.FLOAT: Kind.FLOAT, schema_pb2.BYTES: Kind.STRING}
    wrong = [feature.name for feature in schema.feature if feature.type not in kinds]
    if wrong:
        raise UsageError(f"--schema: the type of feature {wrong[0]!r} must be INT, FLOAT or BYTES")
    return {feature.name: kinds[feature.type] for feature in schema.feature}


def check_columns(settings: Settings, plan: TablePlan) -> None:
    """Raises UsageError if an option names a column that the input does not have."""
    statistics = settings.statistics
    named = {
        "--split_key": [settings.split_key],
        "--weight_feature": [statistics.weight_feature],
        "--stats_features": statistics.features,
        "--slice_features": statistics.slice_features,
    }
    faults = [
        f"{option}: no column {name!r}{_suggest(name, plan.columns)}"
        for option, names in named.items()
        for name in names
        if name is not None and name not in plan.columns
    ]
    if faults:
        raise UsageError("; ".join(faults))


def _suggest(name: str, columns: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(columns), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def check_output(settings: Settings) -> None:
    """Raises UsageError if the run exists or its folder cannot be created."""
    if storage.exists(settings.run_uri):
        raise UsageError(f"--run_id {settings.run_id}: {settings.run_uri} exists; choose another --run_id")
    if storage.is_remote(settings.run_uri):
        return
    folder = os.path.dirname(settings.run_uri)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        raise UsageError(f"--output: {folder} is not a directory")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--output: permission denied: cannot write to {folder}")
