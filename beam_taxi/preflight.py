"""What can be checked before anything heavy is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.ingest.grammar import Kind
from beam_taxi.ingest.plan import InputPlan, plan_input
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.runners.base import Runner
from beam_taxi.settings import Settings


def check(settings: Settings, runner: Runner, store: StoreAddress | None) -> InputPlan:
    """Return the plan of a run that may be launched. Raises UsageError with all faults at once, and DataError."""
    faults = list(runner.faults(settings, store))
    plan = None
    try:
        check_output(settings)
    except UsageError as error:
        faults.append(str(error))
    try:
        plan = plan_input(settings, declared_kinds(settings))
        check_columns(settings, plan)
    except UsageError as error:
        faults.append(str(error))
    if faults or plan is None:
        raise UsageError("; ".join(faults))
    return plan


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
