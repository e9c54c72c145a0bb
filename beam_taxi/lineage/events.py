"""Run events of OpenLineage 2-0-2 (https://openlineage.io/docs/spec/object-model), and their text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import beam_taxi
from beam_taxi.lineage.facets import Facet

START, COMPLETE, FAIL, ABORT = "START", "COMPLETE", "FAIL", "ABORT"
"""The types of events."""

PRODUCER = f"pkg:pypi/beam-taxi@{beam_taxi.__version__}"
"""The URI of what makes the events: a package URL, https://github.com/package-url/purl-spec."""

_SPEC = "https://openlineage.io/spec"

Facets = Mapping[str, Facet]
"""Facets by the names that the specification has for them."""


@dataclass(frozen=True)
class Run:
    """A run; its id is a UUID."""

    run_id: str
    facets: Facets


@dataclass(frozen=True)
class Job:
    """What a run is a run of."""

    namespace: str
    name: str
    facets: Facets


@dataclass(frozen=True)
class InputDataset:
    """A dataset that a run reads; `input_facets` are about this reading alone."""

    namespace: str
    name: str
    facets: Facets
    input_facets: Facets = field(default_factory=dict)


@dataclass(frozen=True)
class OutputDataset:
    """A dataset that a run writes; `output_facets` are about this writing alone."""

    namespace: str
    name: str
    facets: Facets
    output_facets: Facets = field(default_factory=dict)


@dataclass(frozen=True)
class RunEvent:
    """What happened to a run, and when, in ISO 8601."""

    event_type: str
    event_time: str
    run: Run
    job: Job
    inputs: tuple[InputDataset, ...]
    outputs: tuple[OutputDataset, ...] = ()
    producer: str = PRODUCER
    schema_URL: str = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"

    def to_json_line(self) -> str:
        """Return the event as one line of JSON."""
        return json.dumps(_to_json(self), ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


def _to_json(value: object) -> object:
    """Return the JSON value of a part of an event, without what is None or empty."""
    if isinstance(value, tuple):
        return [_to_json(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _to_json(one) for key, one in value.items()}
    if not hasattr(value, "__dataclass_fields__"):
        return value
    found = {one.name: getattr(value, one.name) for one in fields(value)}  # type: ignore[arg-type]
    written = {_camel_case(name): _to_json(one) for name, one in found.items() if one not in (None, (), {})}
    if isinstance(value, Facet):
        version_and_name = value.SCHEMA
        name = version_and_name.partition("/")[2]
        url = f"{_SPEC}/facets/{version_and_name}.json#/$defs/{name}"
        return {"_producer": PRODUCER, "_schemaURL": url, **written}
    return written


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(one[:1].upper() + one[1:] for one in others)
