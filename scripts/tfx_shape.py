"""Checks of `tfx_readback.py`: what shaped the data of the runs `shaped`, `bare` and `bad`, read and used by TFX."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
from ml_metadata.proto import metadata_store_pb2
from tfx.components.example_gen import utils
from tfx.components.schema_gen.import_schema_gen.executor import Executor as ImportSchema
from tfx.components.statistics_gen.executor import Executor as ComputeStatistics
from tfx.orchestration import data_types_utils
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable.input_resolution.mlmd_resolver.metadata_resolver import MetadataResolver
from tfx.orchestration.portable.mlmd import execution_lib, store_ext
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleStatistics, Schema
from tfx.utils import proto_utils

PIPELINE = "shaped"
GIVEN = "first"
"""The run whose schema and statistics were given to `shaped`."""

Execution = metadata_store_pb2.Execution


def _execution(handle: Metadata, run: str, node: str) -> Any:
    (found,) = store_ext.get_node_executions(handle.store, pipeline_id=PIPELINE, node_id=node, pipeline_run_id=run)
    return found


def _parameters(execution: Any) -> dict[str, Any]:
    return data_types_utils.build_value_dict(execution.custom_properties)


def _inputs(handle: Metadata, run: str, node: str) -> dict[str, list[Any]]:
    return execution_lib.get_input_artifacts(handle, _execution(handle, run, node).id)


def _outputs(handle: Metadata, run: str, node: str) -> dict[str, list[Any]]:
    return execution_lib.get_output_artifacts(handle, _execution(handle, run, node).id)


def splits_are_parsed(folder: Path, handle: Metadata) -> str:
    parameters = _parameters(_execution(handle, "shaped", "CsvExampleGen"))
    given, written = example_gen_pb2.Input(), example_gen_pb2.Output()
    proto_utils.json_to_proto(parameters["input_config"], given)
    proto_utils.json_to_proto(parameters["output_config"], written)
    assert [one.pattern for one in given.splits] == [f"{folder}/trips.csv"], given
    assert utils.generate_output_split_names(given, written) == ["train", "eval"]
    assert [one.hash_buckets for one in written.split_config.splits] == [3, 1]
    assert written.split_config.partition_feature_name == "payment_type"
    assert (parameters["rejected_rows"], parameters["allowed_rejects"]) == (1, 3), parameters
    assert json.loads(parameters["options"])["null_values"] == ["NA", "n/a"]
    return f"partition_feature_name {written.split_config.partition_feature_name}, hash_buckets 3 and 1"


def statistics_are_computed_again(folder: Path, handle: Metadata) -> str:
    """TFX's StatisticsGen, with the recorded options and inputs, computes what this package has computed."""
    execution = _execution(handle, "shaped", "StatisticsGen")
    inputs = execution_lib.get_input_artifacts(handle, execution.id)
    assert list(inputs) == ["examples", "schema"], inputs
    (ours,) = _outputs(handle, "shaped", "StatisticsGen")["statistics"]
    theirs = ExampleStatistics()
    theirs.uri = str(folder / "tfx_shape" / "statistics")
    parameters = _parameters(execution)
    ComputeStatistics().Do(
        inputs, {"statistics": [theirs]}, {name: parameters[name] for name in ("stats_options_json", "exclude_splits")}
    )
    found = {}
    for split in artifact_utils.decode_split_names(ours.split_names):
        ours_by_slice, theirs_by_slice = (
            {one.name: one for one in tfdv.load_stats_binary(f"{uri}/FeatureStats.pb").datasets}
            for one in (ours, theirs)
            for uri in artifact_utils.get_split_uris([one], split)
        )
        assert ours_by_slice.keys() == theirs_by_slice.keys(), (ours_by_slice.keys(), theirs_by_slice.keys())
        for name, dataset in ours_by_slice.items():
            _same_statistics(dataset, theirs_by_slice[name])
        found[split] = len(ours_by_slice)
    return f"{found} data sets, all rows and slices, weights included"


def _same_statistics(ours: Any, theirs: Any) -> None:
    assert ours.num_examples == theirs.num_examples, (ours.num_examples, theirs.num_examples)
    # Sums of float32 weights depend on the order of the rows.
    weights = ours.weighted_num_examples, theirs.weighted_num_examples
    assert math.isclose(*weights, rel_tol=1e-6), weights
    features, others = ({one.path.step[0]: one for one in dataset.features} for dataset in (ours, theirs))
    assert features.keys() == others.keys(), (features.keys(), others.keys())
    for name, feature in features.items():
        kind = feature.WhichOneof("stats")
        first, second = getattr(feature, kind), getattr(others[name], kind)
        assert first.common_stats.num_non_missing == second.common_stats.num_non_missing, name
        if kind == "num_stats":
            assert (first.min, first.max, first.num_zeros) == (second.min, second.max, second.num_zeros), name
            assert math.isclose(first.mean, second.mean, rel_tol=1e-9), name


def a_given_schema_is_imported_again(folder: Path, handle: Metadata) -> str:
    parameters = _parameters(_execution(handle, "shaped", "ImportSchemaGen"))
    (ours,) = _outputs(handle, "shaped", "ImportSchemaGen")["schema"]
    theirs = Schema()
    theirs.uri = str(folder / "tfx_shape" / "schema")
    ImportSchema().Do({}, {"schema": [theirs]}, {"schema_file": parameters["schema_file"]})
    texts = [Path(one.uri, "schema.pbtxt").read_bytes() for one in (ours, theirs)]
    assert texts[0] == texts[1]
    return f"{len(texts[0]):,} bytes from schema_file"


def lineage_leads_to_the_given_run(folder: Path, handle: Metadata) -> str:
    (anomalies,) = _outputs(handle, "shaped", "ExampleValidator")["anomalies"]
    back = MetadataResolver(handle.store).get_upstream_artifacts_by_artifact_ids([anomalies.id])[anomalies.id]
    uris = {one.uri for one, _ in back}
    assert {f"{folder}/{GIVEN}/{key}" for key in ("schema", "statistics", "examples")} <= uris, uris
    used = {node: "schema" in _inputs(handle, "shaped", node) for node in ("CsvExampleGen", "StatisticsGen")}
    assert all(used.values()), used
    return f"from the anomalies to the schema, statistics and Examples of {GIVEN}"


def statistics_alone_have_their_inputs(folder: Path, handle: Metadata) -> str:
    inputs = _inputs(handle, "bare", "StatisticsGen")
    kinds = {key: [one.type_name for one in several] for key, several in inputs.items()}
    assert kinds == {"input": ["CsvFile"], "schema": ["Schema"]}, kinds
    (statistics,) = _outputs(handle, "bare", "StatisticsGen")["statistics"]
    resolver = MetadataResolver(handle.store)
    back = resolver.get_upstream_artifacts_by_artifact_ids([statistics.id], max_num_hops=2)[statistics.id]
    assert f"{folder}/trips.csv" in {one.uri for one, _ in back}, back
    assert not store_ext.get_node_executions(
        handle.store, pipeline_id=PIPELINE, node_id="CsvExampleGen", pipeline_run_id="bare"
    )
    return "the CSV file and the schema are inputs of StatisticsGen"


def a_failure_has_its_place(folder: Path, handle: Metadata) -> str:
    failed, *others = (_execution(handle, "bad", node) for node in ("CsvExampleGen", "StatisticsGen", "SchemaGen"))
    assert execution_lib.is_execution_failed(failed)
    assert all(execution_lib.is_execution_canceled(one) for one in others), others
    assert not any(map(execution_lib.is_execution_active, (failed, *others)))
    result = execution_lib.get_execution_result(failed)
    assert result is not None
    assert "has 6 fields" in result.result_message, result
    (file,) = _inputs(handle, "bad", "CsvExampleGen")["input"]
    assert (file.state, file.uri) == ("published", f"{folder}/trips.csv"), file
    assert not _outputs(handle, "bad", "CsvExampleGen")
    return "CsvExampleGen failed with its message, the others are canceled, the CSV file is live"


SHAPE_CHECKS = (
    splits_are_parsed,
    statistics_are_computed_again,
    a_given_schema_is_imported_again,
    lineage_leads_to_the_given_run,
    statistics_alone_have_their_inputs,
    a_failure_has_its_place,
)
