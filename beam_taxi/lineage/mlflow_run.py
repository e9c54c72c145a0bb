"""A run as MLflow shows it, where MLFLOW_TRACKING_URI is set: options, counts, and the datasets by their digests.

Only MLflow's client is used, of which `mlflow-skinny` is enough: its functions that log to "the active run" would take
part in what other code of the process logs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from beam_taxi.errors import UsageError
from beam_taxi.lineage.inputs import inputs_of, types_of
from beam_taxi.lineage.outputs import outputs_of
from beam_taxi.run.folder import MANIFEST, RunFolder
from beam_taxi.run.manifest import FeatureEntry, RunManifest
from beam_taxi.settings import given_options

TRACKING_URI = "MLFLOW_TRACKING_URI"
EXPERIMENT_ID, EXPERIMENT = "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"

FINISHED, FAILED, KILLED = "FINISHED", "FAILED", "KILLED"
"""The states of a run that has ended."""

_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    # Standard output is for the result of the run.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""MLflow's own settings, unless they are set: by default it waits for minutes, and tries again."""

# What every version of MLflow's server takes.
_LONGEST_VALUE, _MOST_PARAMETERS, _LONGEST_SCHEMA = 500, 100, 65_535
_DIGEST_CHARACTERS = 32


@dataclass(frozen=True)
class Dataset:
    """A dataset as MLflow has it; `context` says what it is to the run. Schema and profile are JSON."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None
    profile: str
    context: str


def check_installed() -> None:
    """Raise UsageError if MLflow is not installed; nothing is imported."""
    if find_spec("mlflow") is None:
        # Without this, pip would replace protobuf by one with which TensorFlow Data Validation does not work.
        kept = f"'protobuf=={version('protobuf')}'"
        raise UsageError(f"{TRACKING_URI} needs another package: pip install 'mlflow-skinny>=3,<4' {kept}")


def log_run(manifest: RunManifest, status: str, message: str = "", results: RunManifest | None = None) -> None:
    """Log a run that has ended. Raises whatever MLflow raises.

    `results` is the manifest of the run whose files this one has, if it has any.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import DatasetInput, InputTag, Metric, Param
    from mlflow.tracking import MlflowClient

    client = MlflowClient(os.environ[TRACKING_URI])
    started = int(datetime.fromisoformat(manifest.started).timestamp() * 1000)
    tags = {**_tags(manifest, results), **({"beam_taxi.error": message} if message else {})}
    run = client.create_run(_experiment(client, manifest.pipeline_name), started, tags, manifest.run_id).info
    try:
        params = [Param(name, value) for name, value in _parameters(manifest).items()]
        metrics = [Metric(name, value, started, 0) for name, value in _metrics(results).items()]
        client.log_batch(run.run_id, metrics, params[:_MOST_PARAMETERS], synchronous=True)
        datasets = [
            DatasetInput(
                Entity(one.name, one.digest, one.source_type, one.source, one.schema, one.profile),
                [InputTag("mlflow.data.context", one.context)],
            )
            for one in datasets_of(results)
        ]
        if datasets:
            client.log_inputs(run.run_id, datasets)
    finally:
        client.set_terminated(run.run_id, status)


def _experiment(client: Any, pipeline_name: str) -> str:
    """Return the id of the experiment that MLflow's variables name, by default that of the pipeline."""
    if os.environ.get(EXPERIMENT_ID):
        return os.environ[EXPERIMENT_ID]
    name = os.environ.get(EXPERIMENT) or pipeline_name
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def _tags(manifest: RunManifest, results: RunManifest | None) -> dict[str, str]:
    known = {"mlflow.source.name": "beam_taxi", "mlflow.source.type": "JOB", "beam_taxi.run_id": manifest.run_id}
    if results is None:
        return known
    return {
        **known,
        "beam_taxi.manifest": RunFolder(results.run_uri).uri_of(MANIFEST),
        "beam_taxi.digest": results.digest(),
        "beam_taxi.verdict": results.validation.verdict,
    }


def _parameters(manifest: RunManifest) -> dict[str, str]:
    settings = manifest.settings
    given = {"input": list(settings.input), "query": settings.query, **given_options(settings)}
    splits = ",".join(f"{one.name}:{one.weight}" for one in settings.splits)
    texts = {name: _text(value) for name, value in {**given, "splits": splits}.items() if value not in (None, [])}
    return dict(sorted(texts.items()))


def _text(value: object) -> str:
    if isinstance(value, list):
        value = ",".join(map(str, value))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _metrics(results: RunManifest | None) -> dict[str, float]:
    """Return the counts of a complete run: rows, bytes, rejects, results of the validation."""
    if results is None:
        return {}
    rejected = results.count_rejects().total()
    return {
        "rows": sum(one.rows or 0 for one in results.inputs),
        **{f"rows.{split.name}": split.rows or 0 for split in results.splits},
        "rejected_rows": rejected,
        "input_bytes": sum(one.size for one in results.inputs),
        **{f"results.{outcome.replace(' ', '_')}": count for outcome, count in results.validation.outcomes.items()},
        "accepted": int(results.validation.accepted),
    }


def datasets_of(results: RunManifest | None) -> Iterator[Dataset]:
    """Yield the inputs of a run, and the splits of its Examples, whose context is the name of the split."""
    if results is None:
        return
    for source in inputs_of(results):
        name = source.uri.rstrip("/").rpartition("/")[2]
        profile = _profile(source.rows, source.size, len(source.entries))
        yield Dataset(name, _digest(source.version or ""), *_source(source.uri), None, profile, "input")
    for output in outputs_of(results):
        if output.split is not None:
            profile = _profile(output.rows, output.size, len(output.files))
            name = f"{results.pipeline_name}/{output.split}"
            made = _digest(output.version), *_source(output.uri), _schema(results.features), profile
            yield Dataset(name, *made, output.split)


def _source(uri: str) -> tuple[str, str]:
    """Return the type of a source and the source itself, as `mlflow.data.get_source` reads them."""
    scheme, separator, _ = uri.partition("://")
    return (scheme if separator else "local"), json.dumps({"uri": uri}, ensure_ascii=False)


def _profile(rows: int | None, size: int, files: int) -> str:
    known: Mapping[str, int | None] = {"num_rows": rows, "num_bytes": size, "num_files": files}
    return json.dumps({name: value for name, value in known.items() if value is not None})


def _schema(features: tuple[FeatureEntry, ...]) -> str | None:
    """Return the columns in MLflow's form, None if that is longer than a server takes."""
    columns = [
        {"type": type_, "name": name, "required": False}
        for name, type_ in types_of(features).items()
        if type_ is not None
    ]
    text = json.dumps({"mlflow_colspec": columns}, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SCHEMA else None


def _digest(version: str) -> str:
    """Return the version of a dataset in the 36 characters that MLflow has for it."""
    text = version.removeprefix("sha256:")
    is_hash = re.fullmatch("[0-9a-f]{64}", text) is not None
    return (text if is_hash else hashlib.sha256(version.encode()).hexdigest())[:_DIGEST_CHARACTERS]
