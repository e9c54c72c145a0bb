"""Statistics, schema and manifest: TFDV's transforms and what closes a run."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation as tfdv
from apache_beam.pvalue import AsList, AsSingleton, PCollection
from google.protobuf import text_format
from tensorflow_data_validation.statistics.stats_impl import GenerateSlicedStatisticsImpl
from tensorflow_data_validation.utils.slicing_util import generate_slices, get_feature_value_slicer
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi import layout, storage
from beam_taxi.layout import WrittenFile
from beam_taxi.report import html, model, source
from beam_taxi.settings import Settings, StatisticsSettings
from beam_taxi.sources.plan import InputPlan
from beam_taxi.sources.units import DataPlan
from beam_taxi.transforms.write import UnitReceipt

_SEPARATOR = ":"
"""Between split and slice key; a split has none in its name."""


def stats_options(settings: StatisticsSettings) -> tfdv.StatsOptions:
    """Return TFDV's options for ours."""
    return tfdv.StatsOptions(
        weight_feature=settings.weight_feature,
        num_top_values=settings.top_k,
        num_rank_histogram_buckets=1000,
        num_histogram_buckets=settings.histogram_buckets,
        num_quantiles_histogram_buckets=settings.quantile_buckets,
    )


def infer_schema(statistics: Iterable[statistics_pb2.DatasetFeatureStatisticsList]) -> schema_pb2.Schema:
    """Return the schema that TFDV infers from the first split and widens by each other one, sorted by name.

    TFDV lists features and string domains in the order in which workers met them.
    """
    schema = None
    for one in statistics:
        overall = statistics_pb2.DatasetFeatureStatisticsList()
        overall.datasets.append(source.overall(one))
        if not overall.datasets[0].num_examples:
            continue
        if schema is None:
            schema = tfdv.infer_schema(overall, infer_feature_shape=True)
        else:
            schema = tfdv.update_schema(schema, overall)
    schema = schema or schema_pb2.Schema()
    schema.feature.sort(key=lambda feature: feature.name)
    schema.string_domain.sort(key=lambda domain: domain.name)
    for domain in schema.string_domain:
        domain.value.sort()
    return schema


def by_split(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, splits: Iterable[str]
) -> dict[str, statistics_pb2.DatasetFeatureStatisticsList]:
    """Return what `ComputeStatistics` computed of each split: all rows first, then the slices by name.

    The features of each are sorted by name. A split without rows has an empty data set.
    """
    found = {split: statistics_pb2.DatasetFeatureStatisticsList() for split in splits}
    for dataset in sorted(statistics.datasets, key=lambda one: one.name):
        split, _, slice_key = dataset.name.partition(_SEPARATOR)
        if split in found:
            found[split].datasets.add().CopyFrom(dataset)
            found[split].datasets[-1].name = slice_key
    for one in found.values():
        if not one.datasets:
            one.datasets.add()
        if len(one.datasets) > 1:
            one.datasets[0].name = source.ALL_ROWS
        for dataset in one.datasets:
            dataset.features.sort(key=lambda feature: tuple(feature.path.step))
    return found


class ComputeStatistics(beam.PTransform):
    """Compute TFDV's statistics of all splits at once: one list, of a data set for each split and slice.

    The input are pairs of a split and a batch of list<T> columns. TFDV's `GenerateStatistics` is this transform with
    one key for all rows; a graph of it for each split takes twice as long to build, and has twice as many stages.

        statistics = batches | ComputeStatistics(settings.statistics)
    """

    def __init__(self, settings: StatisticsSettings) -> None:
        super().__init__()
        self._settings = settings

    def expand(
        self, batches: PCollection[tuple[str, pa.RecordBatch]]
    ) -> PCollection[statistics_pb2.DatasetFeatureStatisticsList]:
        slicers = [get_feature_value_slicer({name: None}) for name in self._settings.slice_features]
        if slicers:
            batches = batches | "Slice" >> beam.FlatMap(_slices, slicers).with_output_types(tuple[str, pa.RecordBatch])
        options = stats_options(self._settings)
        return batches | "Generate" >> GenerateSlicedStatisticsImpl(options, is_slicing_enabled=True)


def _slices(keyed: tuple[str, pa.RecordBatch], slicers: list[Any]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield a batch, and its slices with their keys behind that of the split."""
    split, batch = keyed
    yield keyed
    for key, part in generate_slices(batch, slicers):
        yield f"{split}{_SEPARATOR}{key}", part


def _publish(run_uri: str, path: str, content: bytes, split: str | None = None, rows: int | None = None) -> WrittenFile:
    with storage.publish(run_uri, path) as file:
        file.write(content)
    return WrittenFile(path, len(content), hashlib.sha256(content).hexdigest(), split, rows)


class _CloseRun(beam.DoFn):
    """Checks the counts and writes statistics, schema, report and manifest, in this order, once."""

    def __init__(self, plan: InputPlan, settings: Settings, started: str) -> None:
        self._plan = plan
        self._settings = settings
        self._started = started

    def process(
        self,
        _: None,
        data: DataPlan,
        receipts: list[UnitReceipt],
        statistics: statistics_pb2.DatasetFeatureStatisticsList,
    ) -> Iterable[dict[str, Any]]:
        settings = self._settings
        manifest = build_manifest(self._plan, settings, self._started, data, receipts)
        rows = {split["name"]: split["rows"] for split in manifest["splits"]}
        files, shown, found = [], {}, by_split(statistics, rows)
        for name, count in rows.items():
            one = found[name]
            shown[name] = source.overall(one)
            reconcile(f"statistics of split {name}", count, int(shown[name].num_examples))
            content = one.SerializeToString(deterministic=True)
            files.append(_publish(settings.run_uri, layout.statistics_path(name), content, name, count))
        schema = infer_schema(found.values())
        text = text_format.MessageToString(schema).encode()
        artifacts = manifest["artifacts"]
        artifacts["statistics"] = layout.artifact_entry("ExampleStatistics", files)
        artifacts["schema"] = layout.artifact_entry("Schema", [_publish(settings.run_uri, layout.SCHEMA_PATH, text)])
        page = html.render(model.build(source.Source(shown, manifest, schema, name=settings.run_id)))
        report = _publish(settings.run_uri, layout.REPORT, page)
        manifest["files"] = [layout.file_entry(report)]
        storage.check_published(settings.run_uri, layout.named_files(manifest))
        storage.remove_staging(settings.run_uri)
        layout.write_manifest(settings.run_uri, manifest)
        storage.remove_staging(settings.run_uri)
        yield manifest


def reconcile(what: str, expected: int, found: int) -> None:
    """Raise where rows were lost or counted twice."""
    if expected != found:
        raise AssertionError(f"row conservation: {what}: {expected} expected, {found} found")


def build_manifest(
    plan: InputPlan, settings: Settings, started: str, data: DataPlan, receipts: list[UnitReceipt]
) -> dict[str, Any]:
    """Return the manifest up to statistics and schema; raises AssertionError where rows are not conserved."""
    names = [split.name for split in settings.splits]
    reconcile("units", plan.n_units, len(receipts))
    inputs: list[dict[str, Any]] = []
    for number, (file, totals) in enumerate(zip(plan.files, data.totals, strict=True)):
        split_rows = [sum(r.rows[number][i] for r in receipts if number in r.rows) for i in range(len(names))]
        rejects: Counter[str] = sum((Counter(r.rejects.get(file.uri, {})) for r in receipts), Counter())
        rows = sum(split_rows) if totals.rows is None else totals.rows
        reconcile(file.uri, rows, sum(split_rows))
        reconcile(f"rejects of {file.uri}", sum(totals.rejects.values()), rejects.total())
        order = {} if file.columns == plan.columns else {"columns": list(file.columns)}
        inputs.append(
            {
                **order,
                "uri": file.uri,
                "format": file.format,
                "size": file.size,
                "content_hash": totals.content_hash,
                "rows": rows,
                "blank_lines": totals.blank_lines,
                "rejects": dict(sorted(rejects.items())),
                "split_rows": dict(zip(names, split_rows, strict=True)),
            }
        )
    shards = [shard for receipt in receipts for shard in receipt.shards]
    artifacts = {"examples": layout.artifact_entry("Examples", shards)} if settings.examples else {}
    rejected = [receipt.reject_file for receipt in receipts if receipt.reject_file is not None]
    if rejected:
        artifacts["rejects"] = layout.artifact_entry("Rejects", rejected)
    splits = []
    for split in settings.splits:
        rows = sum(entry["split_rows"][split.name] for entry in inputs)
        if settings.examples:
            reconcile(f"shards of split {split.name}", rows, sum(s.rows or 0 for s in shards if s.split == split.name))
        splits.append({"name": split.name, "weight": split.weight, "rows": rows})
    return {
        "manifest_version": layout.MANIFEST_VERSION,
        "run_id": settings.run_id,
        "pipeline_name": settings.pipeline_name,
        "started": started,
        "run_uri": settings.run_uri,
        "settings": settings.to_json(),
        "settings_sha256": settings.sha256(),
        "versions": layout.versions(),
        "inputs": inputs,
        "columns": list(plan.columns),
        "features": [{"name": name, "type": kind.name} for name, kind in data.kinds.items()],
        "splits": splits,
        "warnings": list(data.warnings),
        "artifacts": artifacts,
    }


class CloseRun(beam.PTransform):
    """Write statistics, schema, report and, last, the manifest; one element comes out, the manifest.

    manifest = pipeline | CloseRun(input_plan, settings, started, planned.plan, receipts, statistics)
    """

    def __init__(
        self,
        plan: InputPlan,
        settings: Settings,
        started: str,
        data: AsSingleton,
        receipts: PCollection[UnitReceipt],
        statistics: PCollection[statistics_pb2.DatasetFeatureStatisticsList],
    ) -> None:
        super().__init__()
        self._do_fn = _CloseRun(plan, settings, started)
        self._sides = [data, AsList(receipts), AsSingleton(statistics)]

    def expand(self, pipeline: beam.pvalue.PBegin) -> PCollection[dict[str, Any]]:
        return (
            pipeline | "Once" >> beam.Create([None], reshuffle=False) | "Close" >> beam.ParDo(self._do_fn, *self._sides)
        )
