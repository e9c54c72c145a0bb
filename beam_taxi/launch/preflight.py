"""What can be checked before anything heavy is imported."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from beam_taxi import storage
from beam_taxi.errors import DataError, StorageError, UsageError
from beam_taxi.launch.runners.base import Check, Runner
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.settings import Settings
from beam_taxi.sources.csv.grammar import Kind
from beam_taxi.sources.plan import InputPlan, plan_input


def look(settings: Settings, runner: Runner, store: StoreAddress | None) -> tuple[list[Check], InputPlan | None]:
    """Look at all that a launch needs; return also the plan, where the input allows one."""
    plans: list[InputPlan] = []

    def plan() -> None:
        plans.append(plan_input(settings, declared_kinds(settings)))
        check_columns(settings, plans[0])

    checks = [*runner.checks(settings, store), _check("output", lambda: check_output(settings))]
    if runner.args.preflight and settings.query is not None:
        checks.append(Check("input", note="what a query gives is known only when it has run, and that is paid for"))
    else:
        checks.append(_check("input", plan))
    return checks, plans[0] if plans else None


def refuse(checks: Iterable[Check]) -> None:
    """Raise all faults at once, if there are any: DataError where one is of the data, else UsageError."""
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
    """Return the types that `--schema` gives, by feature. Raises UsageError where it is no Schema."""
    if settings.schema is None:
        return {}
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        schema = text_format.Parse(settings.schema, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise UsageError(f"--schema: is not a Schema proto in text format: {error}") from None
    kinds = {schema_pb2.INT: Kind.INT, schema_pb2.FLOAT: Kind.FLOAT, schema_pb2.BYTES: Kind.STRING}
    wrong = [feature.name for feature in schema.feature if feature.type not in kinds]
    if wrong:
        raise UsageError(f"--schema: feature {wrong[0]!r} is not INT, FLOAT or BYTES")
    return {feature.name: kinds[feature.type] for feature in schema.feature}


def check_columns(settings: Settings, plan: InputPlan) -> None:
    """Raise UsageError where an option names a column that the input has not."""
    statistics = settings.statistics
    named = {
        "--split_key": [settings.split_key],
        "--weight_feature": [statistics.weight_feature],
        "--stats_features": statistics.features,
        "--slice_features": statistics.slice_features,
    }
    faults = [
        f"{option}: the input has no column {name!r}"
        for option, names in named.items()
        for name in names
        if name is not None and name not in plan.columns
    ]
    if faults:
        raise UsageError("; ".join(faults))


def check_output(settings: Settings) -> None:
    """Raise UsageError where the run exists or its folder cannot be made."""
    if storage.exists(settings.run_uri):
        raise UsageError(f"--run_id {settings.run_id}: {settings.run_uri} exists; a run is never overwritten")
    if storage.is_remote(settings.run_uri):
        return
    folder = os.path.dirname(settings.run_uri)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        raise UsageError(f"--output: {folder} is not a directory")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--output: permission denied: {folder} cannot be written")
