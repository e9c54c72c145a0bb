"""Read runs of this package by TFX's own code, and let TFX's components go on from them; a line for each check.

Usage: scripts/tfx_readback.sh, which makes the runs `first`, `second` and `cached` of the pipeline `taxi` from a CSV
file, `columns` of `other` from a Parquet file, `judged` and `refused` of `judged`, `shaped`, `bare` and `bad` of
`shaped`, and two days of `daily`, in FOLDER and starts this with a Python that has TFX 1.16: tfx_readback.py FOLDER
"""

from __future__ import annotations

import glob
import json
import logging
import shutil
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import ml_metadata
import tensorflow_data_validation as tfdv
from ml_metadata.proto import metadata_store_pb2
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components import ExampleValidator, SchemaGen, StatisticsGen
from tfx.components.util import examples_utils, tfxio_utils
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.ops import ops
from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
from tfx.dsl.input_resolution.strategies.span_range_strategy import SpanRangeStrategy
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable.input_resolution.mlmd_resolver.metadata_resolver import MetadataResolver
from tfx.orchestration.portable.mlmd import execution_lib, store_ext
from tfx.proto import range_config_pb2
from tfx.types import artifact_utils
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import ExampleAnomalies, Examples, ExampleStatistics, Schema
from tfx.utils import io_utils
from tfx_bsl.tfxio import dataset_options
from tfx_shape import SHAPE_CHECKS

PIPELINE = "taxi"
ENDS = {"first": "COMPLETE", "second": "COMPLETE", "cached": "CACHED"}
NODES = {"CsvExampleGen": "examples", "StatisticsGen": "statistics", "SchemaGen": "schema"}
TYPES = {"examples": Examples, "statistics": ExampleStatistics, "schema": Schema}
Artifacts = dict[str, list[Any]]


class Record:
    """The store, opened as TFX opens it, and the manifests of the runs."""

    def __init__(self, folder: Path, handle: metadata.Metadata) -> None:
        self.folder, self.handle, self.store = folder, handle, handle.store
        self.manifests = {run: json.loads((folder / run / "manifest.json").read_text()) for run in ("first", "second")}

    def executions(self, run: str) -> dict[str, Any]:
        """Return the executions of a run by node, found by both contexts."""
        found = {}
        for node in NODES:
            (found[node],) = store_ext.get_node_executions(
                self.store, pipeline_id=PIPELINE, node_id=node, pipeline_run_id=run
            )
        return found

    def outputs(self, run: str) -> Artifacts:
        """Return the outputs of a run as TFX's artifacts, by key."""
        found: Artifacts = {}
        for execution in self.executions(run).values():
            found |= execution_lib.get_output_artifacts(self.handle, execution.id)
        return found

    def rows(self, run: str) -> dict[str, int]:
        return {split["name"]: split["rows"] for split in self.manifests[run]["splits"]}


def artifacts_have_tfxs_classes(record: Record) -> str:
    for run in ENDS:
        outputs = record.outputs(run)
        for key, class_ in TYPES.items():
            (one,) = outputs[key]
            assert type(one) is class_, f"{key} of {run} is {type(one)}"
            assert one.state == "published", f"{key} of {run} is {one.state}"
    return ", ".join(class_.__name__ for class_ in TYPES.values())


def executions_have_states_and_inputs(record: Record) -> str:
    for run, end in ENDS.items():
        executions = record.executions(run)
        for one in executions.values():
            assert execution_lib.is_execution_successful(one)
            assert metadata_store_pb2.Execution.State.Name(one.last_known_state) == end
        inputs = [execution_lib.get_input_artifacts(record.handle, one.id) for one in executions.values()]
        assert [list(one) for one in inputs] == [["input"], ["examples"], ["statistics"]], inputs
        assert [one.type_name for one in inputs[0]["input"]] == ["CsvFile"], inputs[0]
    (columns,) = store_ext.get_node_executions(record.store, pipeline_id="other", node_id="FileBasedExampleGen")
    (file,) = execution_lib.get_input_artifacts(record.handle, columns.id)["input"]
    assert (file.type_name, file.uri) == ("ParquetFile", f"{record.folder}/trips.parquet"), file
    return ", ".join(f"{run} {end}" for run, end in ENDS.items())


def nodes_give_their_latest_outputs(record: Record) -> str:
    for node, key in NODES.items():
        found = store_ext.get_live_output_artifacts_of_node_by_output_key(
            record.store, pipeline_id=PIPELINE, node_id=node
        )
        ids = [[one.id for one in several] for several in found[key]]
        first, second = (record.outputs(run)[key][0].id for run in ("first", "second"))
        assert ids == [[second], [second], [first]], f"{key}: {ids}"
    return "of cached, second and first, in this order"


def contexts_lead_to_runs_and_artifacts(record: Record) -> str:
    pipeline = record.store.get_context_by_type_and_name("pipeline", PIPELINE)
    runs = record.store.get_children_contexts_by_context(pipeline.id)
    assert {(one.type, one.name) for one in runs} == {("pipeline_run", run) for run in ENDS}, runs
    names = [class_.TYPE_NAME for class_ in TYPES.values()]
    found = record.handle.get_published_artifacts_by_type_within_context(names, pipeline.id)
    assert {name: len(several) for name, several in found.items()} == dict.fromkeys(names, 2), found
    assert all(len(record.handle.get_qualified_artifacts([pipeline], name)) == 2 for name in names)
    return f"{len(runs)} runs, 2 artifacts of each type"


def lineage_is_walked(record: Record) -> str:
    resolver = MetadataResolver(record.store)
    (schema,) = record.outputs("first")["schema"]
    back = resolver.get_upstream_artifacts_by_artifact_ids([schema.id])[schema.id]
    types = sorted(type_.name for _, type_ in back)
    assert types == ["CsvFile", "ExampleStatistics", "Examples", "Schema"], types
    file = next(one for one, type_ in back if type_.name == "CsvFile")
    forward = resolver.get_downstream_artifacts_by_artifact_ids([file.id])[file.id]
    assert schema.id in {one.id for one, _ in forward}
    return "from Schema back to the CSV file, and forward"


def resolvers_choose(record: Record) -> str:
    several = {"examples": record.outputs("first")["examples"] + record.outputs("second")["examples"]}
    latest = LatestArtifactStrategy().resolve_artifacts(record.store, several)
    assert [one.id for one in latest["examples"]] == [several["examples"][1].id]
    spans = range_config_pb2.RangeConfig(static_range={"start_span_number": 0, "end_span_number": 0})
    found = SpanRangeStrategy(spans).resolve_artifacts(record.store, several)
    assert len(found["examples"]) == 2
    return "LatestArtifactStrategy, SpanRangeStrategy"


def resolvers_choose_by_spans(record: Record) -> str:
    """The later day was recorded first."""
    executions = store_ext.get_node_executions(record.store, pipeline_id="daily", node_id="CsvExampleGen")
    several = [execution_lib.get_output_artifacts(record.handle, one.id)["examples"][0] for one in executions]
    expected = [(19782, 10), (19783, 1)]
    assert sorted((one.span, one.version) for one in several) == expected
    for number, found in ((1, expected[1:]), (2, expected)):
        latest = ops.LatestSpan.create(n=number).apply(several)
        assert [(one.span, one.version) for one in latest] == found, latest
    spans = range_config_pb2.RangeConfig(rolling_range={"num_spans": 1})
    chosen = SpanRangeStrategy(spans).resolve_artifacts(record.store, {"examples": several})["examples"]
    assert [one.span for one in chosen] == [19783], chosen
    return "SpanRangeStrategy, LatestSpan"


def splits_have_uris_and_formats(record: Record) -> str:
    for run, manifest in record.manifests.items():
        outputs = record.outputs(run)
        for key in ("examples", "statistics"):
            assert artifact_utils.decode_split_names(outputs[key][0].split_names) == list(record.rows(run))
            for split in record.rows(run):
                uris = artifact_utils.get_split_uris(outputs[key], split)
                assert uris == [f"{record.folder}/{run}/{key}/Split-{split}"], uris
        patterns, formats = tfxio_utils.get_file_format_and_patterns(outputs["examples"], "eval")
        files = [one for one in manifest["artifacts"]["examples"]["files"] if one["split"] == "eval"]
        assert (len(glob.glob(patterns[0])), formats) == (len(files), ["tfrecords_gzip"])
        assert examples_utils.get_payload_format_string(outputs["examples"][0]) == "FORMAT_TF_EXAMPLE"
    return f"{', '.join(record.rows('first'))}; {formats[0]}, FORMAT_TF_EXAMPLE"


def tfxio_reads_the_examples(record: Record) -> str:
    outputs = record.outputs("second")
    schema = tfdv.load_schema_text(f"{outputs['schema'][0].uri}/schema.pbtxt")
    for split, rows in record.rows("second").items():
        files = glob.glob(artifact_utils.get_split_uri(outputs["examples"], split) + "/*")
        batches = tfxio_utils.get_record_batch_factory_from_artifact(outputs["examples"], ["readback"])
        options = dataset_options.RecordBatchesOptions(batch_size=1000, num_epochs=1)
        counts = [batch.num_rows for batch in batches(files, options, schema)]
        datasets = tfxio_utils.get_tf_dataset_factory_from_artifact(outputs["examples"], ["readback"])
        tensors = datasets(files, dataset_options.TensorFlowDatasetOptions(batch_size=1000, num_epochs=1), schema)
        names = {name for batch in tensors for name in batch}
        assert (sum(counts), len(names)) == (rows, len(schema.feature)), (counts, names)
    return ", ".join(f"{split} {rows:,}" for split, rows in record.rows("second").items())


def anomalies_are_read(record: Record) -> str:
    """The given schema, and the anomalies of a run that was accepted and of one that was not."""
    found = {}
    for run, blessed in (("judged", True), ("refused", False)):
        outputs: Artifacts = {}
        for node in ("ImportSchemaGen", "ExampleValidator"):
            (execution,) = store_ext.get_node_executions(
                record.store, pipeline_id="judged", node_id=node, pipeline_run_id=run
            )
            outputs |= execution_lib.get_output_artifacts(record.handle, execution.id)
        (anomalies,), (schema,) = outputs["anomalies"], outputs["schema"]
        assert (type(anomalies), type(schema)) == (ExampleAnomalies, Schema)
        assert anomalies.get_json_value_custom_property("blessed") == {"train": int(blessed), "eval": int(blessed)}
        names = set()
        for split in artifact_utils.decode_split_names(anomalies.split_names):
            (uri,) = artifact_utils.get_split_uris([anomalies], split)
            content = io_utils.read_bytes_file(io_utils.get_only_uri_in_dir(uri))
            names |= set(anomalies_pb2.Anomalies.FromString(content).anomaly_info)
        found[run] = names
        assert io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri)).feature
    assert found == {"judged": set(), "refused": {"payment_type"}}, found
    return "none of judged, payment_type of refused; blessed accordingly"


def components_of_a_tfx_pipeline_go_on(record: Record) -> str:
    """In a copy of the store: Resolver, then StatisticsGen, SchemaGen and ExampleValidator on what it finds."""
    store, root = str(record.folder / "tfx.sqlite"), record.folder / "tfx"
    shutil.copyfile(record.folder / "metadata.sqlite", store)
    channels = {key: Channel(type=class_) for key, class_ in TYPES.items()}
    channels["examples"] = Channel(type=Examples, producer_component_id="CsvExampleGen")
    resolver = Resolver(strategy_class=LatestArtifactStrategy, **channels).with_id("latest")
    latest = resolver.outputs
    statistics = StatisticsGen(examples=latest["examples"]).with_id("statistics")
    schema = SchemaGen(statistics=statistics.outputs["statistics"]).with_id("schema")
    own = ExampleValidator(statistics=statistics.outputs["statistics"], schema=latest["schema"]).with_id("own")
    ours = ExampleValidator(statistics=latest["statistics"], schema=latest["schema"]).with_id("ours")
    connection = metadata.sqlite_metadata_connection_config(store)
    LocalDagRunner().run(
        Pipeline(
            pipeline_name=PIPELINE,
            pipeline_root=str(root),
            components=[resolver, statistics, schema, own, ours],
            metadata_connection_config=connection,
            beam_pipeline_args=["--runner=FnApiRunner"],
        )
    )
    with metadata.Metadata(connection) as handle:
        read = {
            node: execution_lib.get_input_artifacts(handle, execution.id)
            for node in ("statistics", "own", "ours")
            for execution in store_ext.get_node_executions(handle.store, pipeline_id=PIPELINE, node_id=node)
        }
    second = record.outputs("second")
    assert read["statistics"]["examples"][0].id == second["examples"][0].id
    assert read["own"]["schema"][0].id == second["schema"][0].id
    assert read["ours"]["statistics"][0].id == second["statistics"][0].id
    for split, rows in record.rows("second").items():
        (theirs,) = root.glob(f"statistics/statistics/*/Split-{split}/FeatureStats.pb")
        assert tfdv.load_stats_binary(str(theirs)).datasets[0].num_examples == rows
        for node in ("own", "ours"):
            (file,) = root.glob(f"{node}/anomalies/*/Split-{split}/SchemaDiff.pb")
            found = anomalies_pb2.Anomalies.FromString(file.read_bytes())
            assert not found.anomaly_info, (node, split, found.anomaly_info)
    (inferred,) = root.glob("schema/schema/*/schema.pbtxt")
    types, recorded = (
        {feature.name: feature.type for feature in tfdv.load_schema_text(str(path)).feature}
        for path in (inferred, f"{second['schema'][0].uri}/schema.pbtxt")
    )
    # A column without any value is in no tf.Example.
    assert recorded.keys() - types.keys() <= {"pickup_census_tract"}, recorded.keys() - types.keys()
    assert types == {name: recorded[name] for name in types}
    return "Resolver, StatisticsGen, SchemaGen, ExampleValidator: no anomalies, the same types"


CHECKS = (
    artifacts_have_tfxs_classes,
    executions_have_states_and_inputs,
    nodes_give_their_latest_outputs,
    contexts_lead_to_runs_and_artifacts,
    lineage_is_walked,
    resolvers_choose,
    resolvers_choose_by_spans,
    splits_have_uris_and_formats,
    tfxio_reads_the_examples,
    anomalies_are_read,
    components_of_a_tfx_pipeline_go_on,
)


def main(folder: Path) -> int:
    """Print a line for each check; returns 1 where one fails."""
    failed = 0
    logging.disable(logging.WARNING)
    with metadata.Metadata(metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite"))) as handle:
        record = Record(folder, handle)
        checks = {check.__name__: partial(check, record) for check in CHECKS}
        checks |= {check.__name__: partial(check, folder, handle) for check in SHAPE_CHECKS}
        for function, check in checks.items():
            name = function.replace("_", " ")
            try:
                print(f"ok      {name}: {check()}", flush=True)
            # Whatever TFX raises, it is one failed check.
            except Exception:
                traceback.print_exc()
                print(f"FAILED  {name}", flush=True)
                failed += 1
    print(f"{len(checks) - failed} of {len(checks)} checks, with ml-metadata {ml_metadata.__version__}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
