"""What shaped the data of a run, as execution properties: TFX's where TFX has one, else this package's own.

TFX's components have their configurations as JSON. So have ours: what does not fit into a property is left out so that
the rest remains valid JSON, and another property counts it. The manifest has everything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import TypeVar

from beam_taxi.metadata.hashes import fingerprint, hash_of_text
from beam_taxi.metadata.texts import MAX_TEXT, shorten, text_of_first
from beam_taxi.run.manifest import RunManifest
from beam_taxi.settings import given_options

TFX_VERSION = "1.16.0"
"""Tells readers the layout of the artifacts; below 0.29 they look for another one."""

MOST_INPUTS = 10_000
"""The inputs of a run that are recorded as artifacts, at most; the manifest has all.

To record the start of a run with 300,000 of them took 32 s and 1.4 GB in SQLite.
"""

ALL_SPLITS = {"exclude_splits": "[]"}

_LONGEST_PATTERN = 4_000
_LONGEST_VALUE = 1_000
"""The number of characters of a value in JSON text, each of which may take six there."""

Parameters = dict[str, int | str]
T = TypeVar("T")


def of_ingest(manifest: RunManifest) -> Parameters:
    """Return the parameters of the step that reads the inputs; after the run, also what became of their rows."""
    settings = manifest.settings
    patterns = [shorten(one, _LONGEST_PATTERN) for one in (*settings.input, *filter(None, [settings.query]))]
    input_base, _ = text_of_first([shorten(one, _LONGEST_PATTERN) for one in settings.input], ",".join)
    input_config, patterns_left_out = text_of_first(
        patterns, lambda some: json.dumps({"splits": [{"name": "single_split", "pattern": one} for one in some]})
    )
    output_config, splits_left_out = _output_config(manifest)
    parameters: Parameters = {
        "input_base": input_base,
        "input_config": input_config,
        "output_config": output_config,
        "output_data_format": 6,
        "output_file_format": 5,
        "span": manifest.span or 0,
        **_range(manifest),
        **left_out(
            patterns=patterns_left_out, splits=splits_left_out, inputs=max(0, len(manifest.inputs) - MOST_INPUTS)
        ),
    }
    if all(entry.content_hash is not None for entry in manifest.inputs):
        parameters["input_fingerprint"] = fingerprint(manifest.inputs)
    return parameters | (_of_rows(manifest) if manifest.artifacts else {})


def _range(manifest: RunManifest) -> Parameters:
    """Return the version, and the spans that were read as JSON of a range_config_pb2.RangeConfig."""
    version: Parameters = {} if manifest.version is None else {"version": manifest.version}
    if manifest.span is None:
        return version
    first = manifest.span - manifest.settings.dates.window + 1
    spans = {"start_span_number": first, "end_span_number": manifest.span}
    return {"range_config": json.dumps({"static_range": spans}), **version}


def of_parts(manifest: RunManifest) -> Parameters:
    """Return the parameters of the step that merges runs: their URIs, and what became of their rows."""
    merged = _list("merged_runs", [part.uri for part in manifest.parts])
    return merged | (_of_rows(manifest) if manifest.artifacts else {})


def _output_config(manifest: RunManifest) -> tuple[str, int]:
    """Return the JSON of an example_gen_pb2.Output, and the number of splits left out of it."""
    splits = [
        {"name": split.name, **({} if split.weight is None else {"hash_buckets": split.weight})}
        for split in manifest.splits
    ]
    splitting = manifest.settings.splitting
    # TFX knows one feature, by whose hash it splits.
    has_feature = splitting.by_hash and len(splitting.key) == 1
    by = {"partition_feature_name": shorten(splitting.key[0], _LONGEST_VALUE)} if has_feature else {}
    return text_of_first(splits, lambda some: json.dumps({"split_config": {"splits": list(some), **by}}))


def _of_rows(manifest: RunManifest) -> Parameters:
    rejected = manifest.count_rejects().total()
    rows = sum(entry.rows or 0 for entry in manifest.inputs)
    return {
        "rows": rows,
        "rejected_rows": rejected,
        "allowed_rejects": manifest.settings.allowed_rejects(rows + rejected),
    }


def of_statistics(manifest: RunManifest) -> Parameters:
    """Return the parameters of StatisticsGen. Options that do not fit are left out whole."""
    options = manifest.statistics_options
    if options is None:
        return {**ALL_SPLITS}
    if len(options) > MAX_TEXT:
        # With a part of them, TFDV would compute something else.
        return {**ALL_SPLITS, **left_out(stats_options=1)}
    return {**ALL_SPLITS, "stats_options_json": options}


def of_given_schema(manifest: RunManifest) -> Parameters:
    """Return the parameters of ImportSchemaGen; the URI of the file is not in the manifests of older releases."""
    known = {"schema_file": manifest.given["schema"]} if "schema" in manifest.given else {}
    return {**known, "schema_sha256": hash_of_text(manifest.settings.schema or "")}


def of_validation(manifest: RunManifest) -> Parameters:
    """Return the parameters of ExampleValidator: what the data are judged by, beside the schema."""
    given = manifest.settings.validation
    known = {
        "checks_file": manifest.given.get("checks"),
        "checks_sha256": None if given.checks is None else hash_of_text(given.checks),
        "baseline": next(iter(given.baseline_files), None),
        "baseline_sha256": manifest.baseline_sha256,
    }
    parameters: Parameters = {**ALL_SPLITS, **{name: value for name, value in known.items() if value is not None}}
    files = {uri: hash_of_text(text) for uri, text in given.check_files.items()}
    return parameters | _mapping("check_files", files) | _list("history", given.history)


def of_run(manifest: RunManifest) -> Parameters:
    """Return what every execution of a run has: the options that are not at their defaults, and the versions."""
    versions = {**manifest.versions, "ml-metadata": _ml_metadata(), "tfx_layout": TFX_VERSION}
    dates = manifest.settings.dates
    day: Parameters = {} if dates.date is None else {"date": dates.date, "window": dates.window}
    return (
        day | {"options": "{}"} | _mapping("options", given_options(manifest.settings)) | _mapping("versions", versions)
    )


@cache
def _ml_metadata() -> str:
    return version("ml-metadata")


def left_out(**counts: int) -> Parameters:
    """Return the properties that say how many values did not fit into another property; the manifest has them all."""
    return {f"{name}_left_out": count for name, count in counts.items() if count}


def _mapping(name: str, values: Mapping[str, object]) -> Parameters:
    """Return a property with values by name as JSON, none if there are none; a long value is shortened, as text."""
    items = [(shorten(key, _LONGEST_VALUE), _short(value)) for key, value in values.items()]
    return _json(name, items, lambda some: json.dumps(dict(some)))


def _list(name: str, values: Sequence[str]) -> Parameters:
    return _json(name, [shorten(one, _LONGEST_VALUE) for one in values], lambda some: json.dumps(list(some)))


def _json(name: str, items: Sequence[T], text_of: Callable[[Sequence[T]], str]) -> Parameters:
    text, missing = text_of_first(items, text_of)
    return {name: text, **left_out(**{name: missing})} if items else {}


def _short(value: object) -> object:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= _LONGEST_VALUE else shorten(text, _LONGEST_VALUE)
