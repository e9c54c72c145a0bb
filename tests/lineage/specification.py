"""OpenLineage's published JSON schemas, and what the tests ask of an event."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

Json = dict[str, Any]
SPEC = Path(__file__).parent / "spec"
_FACETS = ("facets", "inputFacets", "outputFacets")


@cache
def schemas() -> Mapping[str, Json]:
    """Return the schemas by URL."""
    found = [json.loads(path.read_text()) for path in SPEC.rglob("*.json")]
    return {one["$id"]: one for one in found}


@cache
def _validator(url: str) -> Draft202012Validator:
    resources = [(one, Resource.from_contents(schema)) for one, schema in schemas().items()]
    registry: Registry[Json] = Registry().with_resources(resources)
    return Draft202012Validator({"$ref": url}, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)


def events_of(text: str) -> list[Json]:
    """Return the events of a file, each of which is valid."""
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        check(event)
    return events


def check(event: Json) -> None:
    """Assert that an event and its facets are valid, and that each facet has the name that its schema gives it."""
    _validator(event["schemaURL"]).validate(event)
    assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    for name, facet in facets_of(event):
        _validator(facet["_schemaURL"]).validate(facet)
        document, _, definition = facet["_schemaURL"].partition("#")
        assert schemas()[document]["properties"] == {name: {"$ref": f"#{definition}"}}
        properties = schemas()[document]["$defs"][definition.rpartition("/")[2]]["allOf"][1]["properties"]
        assert facet.keys() - {"_producer", "_schemaURL"} <= properties.keys()


def facets_of(event: Json) -> Iterator[tuple[str, Json]]:
    """Yield the facets of an event, by name."""
    parts = [event["run"], event["job"], *event.get("inputs", []), *event.get("outputs", [])]
    for part in parts:
        for kind in _FACETS:
            yield from part.get(kind, {}).items()
