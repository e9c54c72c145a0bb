"""Merge the statistics of several runs into a run of its own, without reading their inputs again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import chain
from typing import TYPE_CHECKING

from beam_taxi import storage
from beam_taxi.errors import DataError, RowConservationError, UsageError
from beam_taxi.launch.console import Console
from beam_taxi.launch.parts import FLOAT, INT, MISSING, Part, merged_features
from beam_taxi.launch.traces import as_fault
from beam_taxi.run.folder import PROFILE, SCHEMA, SCHEMA_PATH, STATISTICS, RunFolder, statistics_path
from beam_taxi.run.manifest import Artifact, ArtifactFile, RunManifest, SplitEntry
from beam_taxi.run.versions import versions
from beam_taxi.settings import BY_NAME, Settings

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from beam_taxi.run.profile import DatasetProfile
    from beam_taxi.statistics.profile.dataset import DatasetCounts

_ROUNDED = 2**24
"""Integers beyond it may not be exact as the floats of a column."""


class Merge:
    """The merge as a job of this process: what `outcome_of` asks of a runner, and the libraries that it needs."""

    in_process = True
    waits = True

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        # They take seconds, and some of them write to standard error.
        import beam_taxi.lineage.write
        import beam_taxi.report.write
        import beam_taxi.schemas.infer
        import beam_taxi.statistics.from_counts  # noqa: F401

    def __call__(self, parts: Sequence[Part], planned: RunManifest, console: Console) -> None:
        """Merge the runs; then write the report and the events for lineage, without which the run is complete, too."""
        from beam_taxi.lineage.write import WriteEvents
        from beam_taxi.report.write import write_report

        manifest = merge(parts, planned)
        views: dict[str, Callable[[RunManifest], None]] = {
            "report was": write_report,
            "events for lineage were": WriteEvents(self._namespace),
        }
        for what, write in views.items():
            try:
                write(manifest)
            # Whatever a view cannot show must not fail the run.
            except Exception as error:
                console.warn(f"the run is complete, but its {what} not written: {as_fault(error)}")


def merged_settings(parts: Sequence[Part], run_uri: str, run_id: str, pipeline_name: str) -> Settings:
    """Return the settings of a merged run: what its parts have in common, with the parts as its input."""
    first = parts[0].manifest.settings
    redacted = sorted({name for part in parts for name in part.manifest.settings.columns.redacted})
    columns = [frozenset(part.manifest.columns) for part in parts]
    return Settings(
        input=tuple(part.uri for part in parts),
        run_uri=run_uri,
        run_id=run_id,
        pipeline_name=pipeline_name,
        examples=False,
        splits=first.splits,
        splitting=first.splitting,
        union=BY_NAME if len(set(columns)) > 1 else None,
        columns=replace(first.columns, names={}, types={}, redacted=tuple(redacted)),
        statistics=first.statistics,
    )


def planned_merge(parts: Sequence[Part], settings: Settings) -> RunManifest:
    """Return the manifest of a merge that starts now: everything but what is merged."""
    inputs = chain.from_iterable(part.manifest.inputs for part in parts)
    return RunManifest(
        run_id=settings.run_id,
        pipeline_name=settings.pipeline_name,
        run_uri=settings.run_uri,
        settings=settings,
        # A run with these settings would read the parts as its input.
        settings_sha256=hashlib.sha256(f"merge {settings.sha256()}".encode()).hexdigest(),
        versions=versions(),
        inputs=tuple(inputs),
        splits=tuple(SplitEntry(split.name, split.weight) for split in settings.splits),
        started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        columns=tuple(dict.fromkeys(name for part in parts for name in part.manifest.columns)),
        features=merged_features(parts),
        warnings=tuple(_warnings(parts)),
        parts=tuple(part.entry for part in parts),
    )


def _warnings(parts: Sequence[Part]) -> Iterator[str]:
    every = frozenset[str]().union(*(part.manifest.columns for part in parts))
    for name in sorted(every):
        lacking = [part.manifest.run_id for part in parts if name not in part.manifest.columns]
        if lacking:
            yield f"column {name!r} is missing from {len(lacking)} of {len(parts)} runs, the first is {lacking[0]}"
    settings = parts[0].manifest.settings
    if settings.statistics.weight_feature is not None:
        yield f"statistics by weight (--weight_feature {settings.statistics.weight_feature}) are left out of a merge"
    if settings.splitting.may_differ:
        yield (
            "equal rows, or rows of one key, may be in different splits in different runs; a merge cannot check that"
        )
    if any("is_categorical: true" in (part.manifest.settings.schema or "") for part in parts):
        yield "--schema calls integers categories; their statistics in a merge are those of numbers"
    redacted = sorted({name for part in parts for name in part.manifest.settings.columns.redacted})
    if redacted:
        yield (
            f"--redact_columns {','.join(redacted)}: runs keep no hashes of these columns, so their distinct values, "
            "duplicate rows, relations of columns and a sample of rows are left out of a merge"
        )


def merge(parts: Sequence[Part], planned: RunManifest) -> RunManifest:
    """Write statistics, profile, counts and schema of the merged rows, then the manifest, which is returned.

    Only the counts of one split or slice are in memory. Raises UsageError if files of a part cannot be read or are not
    those of its manifest, DataError if columns do not go together, and RowConservationError.
    """
    from beam_taxi.statistics.estimates import Estimates
    from beam_taxi.statistics.from_counts import statistics_of
    from beam_taxi.statistics.profile.stored import publish_counts
    from beam_taxi.statistics.splits import SEPARATOR

    settings, folder, merged = planned.settings, RunFolder(planned.run_uri), _Merged([], [], [])
    redacted, estimates = settings.columns.redacted, Estimates()
    for split, slice_key in _keys(parts, settings):
        counts = _merged_counts(parts, planned, split, slice_key)
        merged.sketches.append(publish_counts(counts, folder, split, slice_key, redacted))
        merged.profiles.append(counts.profile(split, slice_key, settings.statistics.label, with_frequent=True))
        name = f"{split}{SEPARATOR}{slice_key}" if slice_key else split
        merged.statistics.append(statistics_of(counts, name, settings.statistics))
        if not slice_key:
            estimates.add(counts, redacted)
    rows = {one.split: one.rows for one in merged.profiles if not one.slice}
    manifest = replace(
        planned,
        splits=tuple(replace(split, rows=rows.get(split.name, 0)) for split in planned.splits),
        artifacts={one.key: one for one in _publish(merged, planned)},
        profile_file=_publish_profile(merged, planned),
        sketch_files=tuple(sorted(merged.sketches, key=lambda one: one.path)),
        warnings=(*planned.warnings, *estimates.warnings()),
    )
    folder.write_manifest(manifest)
    return manifest


@dataclass(frozen=True)
class _Merged:
    """What is merged of each split, and of each slice of it."""

    statistics: list[statistics_pb2.DatasetFeatureStatistics]
    profiles: list[DatasetProfile]
    sketches: list[ArtifactFile]


def _keys(parts: Sequence[Part], settings: Settings) -> list[tuple[str, str]]:
    """Return the splits that have rows, in order, each followed by its slices."""
    files = [file for part in parts for file in part.manifest.sketch_files]
    order = [split.name for split in settings.splits]
    found = {(file.split or "", file.slice or "") for file in files}
    return sorted(found, key=lambda key: (order.index(key[0]), key[1]))


def _merged_counts(parts: Sequence[Part], planned: RunManifest, split: str, slice_key: str) -> DatasetCounts:
    from beam_taxi.statistics.profile.dataset import DatasetCounts

    types = {one.name: one.type for one in planned.features if one.type != MISSING}
    merged = DatasetCounts()
    for part in parts:
        for file in part.manifest.sketch_files:
            if (file.split, file.slice or "") == (split, slice_key):
                counts = _read_counts(part, file)
                _check_integers(counts, types, part)
                merged.merge(counts)
    described = planned.settings.statistics.described_columns() or [one.name for one in planned.features]
    merged.set_types({name: types.get(name) for name in described})
    rows = sum(one.rows or 0 for part in parts for one in part.manifest.splits if one.name == split)
    if not slice_key and merged.rows != rows:
        raise RowConservationError(f"row conservation: split {split}: {rows:,} expected, {merged.rows:,} found")
    return merged


def _read_counts(part: Part, file: ArtifactFile) -> DatasetCounts:
    from beam_taxi.statistics.profile.restored import read_counts

    uri = RunFolder(part.uri).uri_of(file.path)
    try:
        content = storage.read_bytes(uri)
    except OSError as error:
        raise UsageError(f"{uri}: cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise UsageError(f"{uri}: is not the file that the manifest names; verify the run with `beam-taxi runs verify`")
    try:
        return read_counts(io.BytesIO(content))
    except UsageError as error:
        raise UsageError(f"{uri}: {error}") from error


def _check_integers(counts: DatasetCounts, types: Mapping[str, str], part: Part) -> None:
    """Raise DataError if a column of integers has floats in another run, which would round some of them."""
    for name, column in counts.columns.items():
        if column.type == INT and types.get(name) == FLOAT and column.largest > _ROUNDED:
            raise DataError(
                f"column {name!r} is INT in {part.uri} and FLOAT in another run, and has integers beyond {_ROUNDED:,}, "
                f"which floats round; run this one again with --types {name}:FLOAT"
            )


def _publish(merged: _Merged, planned: RunManifest) -> Iterator[Artifact]:
    """Publish the statistics of each split, and the schema that is inferred from all of them."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from beam_taxi.schemas.infer import infer_schema
    from beam_taxi.statistics.redact import redact_statistics
    from beam_taxi.statistics.splits import by_split, overall

    folder = RunFolder(planned.run_uri)
    lists = [statistics_pb2.DatasetFeatureStatisticsList(datasets=[one]) for one in merged.statistics]
    found = by_split(lists, [split.name for split in planned.splits])
    files = []
    for split, one in found.items():
        redact_statistics(one, planned.settings.columns.redacted)
        content = one.SerializeToString(deterministic=True)
        file, _ = folder.publish_bytes(STATISTICS, statistics_path(split), content, split)
        files.append(replace(file, rows=int(overall(one).num_examples)))
    yield Artifact(STATISTICS, "ExampleStatistics", tuple(sorted(files, key=lambda file: file.path)))
    schema = text_format.MessageToString(infer_schema(found.values())).encode()
    yield Artifact(SCHEMA, "Schema", (folder.publish_bytes(SCHEMA, SCHEMA_PATH, schema)[0],))


def _publish_profile(merged: _Merged, planned: RunManifest) -> ArtifactFile:
    from beam_taxi.run.profile import DatasetProfile, Distinct, Profile
    from beam_taxi.statistics.redact import redact_profile

    redacted, found = planned.settings.columns.redacted, []
    for split in planned.splits:
        found += [one for one in merged.profiles if one.split == split.name] or [DatasetProfile(split.name, 0)]
    profile = redact_profile(
        Profile(tuple(found), planned.settings.statistics.label), redacted, Distinct(0, exact=False)
    )
    content = RunFolder(planned.run_uri).publish_first(PROFILE, profile.to_json_text().encode())
    return ArtifactFile(PROFILE, len(content), hashlib.sha256(content).hexdigest())
