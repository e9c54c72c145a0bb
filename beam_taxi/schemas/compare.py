"""Compare two schemas: what a change means for a model that was trained on data of the old one and reads the new.

A change is

- **breaking** if the model cannot read the new data as before, or if the new schema rejects data that the old one
  admits, such as what the model was trained on,
- **widening** if the new data may contain what the model has never seen,
- **compatible** otherwise.

| changed                                      | widening                     | breaking                          |
|----------------------------------------------|------------------------------|-----------------------------------|
| feature                                      | added, may be missing        | removed; added, must be present   |
| `lifecycle_stage`, `deprecated`              | in use again, may be missing | out of use; in use again, must be |
|                                              |                              | present                           |
| `type`                                       |                              | any                               |
| `presence`                                   | lower bound                  | higher bound                      |
| `shape`                                      |                              | any, and to or from `value_count` |
| `value_count`                                | wider                        | narrower; wider than one number   |
| string domain                                | value added; domain removed  | value removed; domain added       |
| range of an `int_domain` or `float_domain`   | wider; domain removed        | narrower; domain added            |
| `disallow_nan`, `disallow_inf`               | removed                      | added                             |
| other domains, and their other fields        | domain removed               | any other                         |
| `unique_constraints`, `dataset_constraints`  | wider                        | narrower                          |
| `distribution_constraints`                   | lower `min_domain_mass`      | higher                            |
| sparse and weighted features, tensor         | added                        | changed, removed                  |
| representations                              |                              |                                   |

Everything else is compatible: annotations, comparators, environments, names of domains. Comments and order are
ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_metadata.proto.v0.schema_pb2 import (
    ALPHA,
    DEBUG_ONLY,
    DEPRECATED,
    DISABLED,
    PLANNED,
    Feature,
    FeatureType,
    LifecycleStage,
    Schema,
)

COMPATIBLE, WIDENING, BREAKING = "compatible", "widening", "breaking"
LEVELS = (COMPATIBLE, WIDENING, BREAKING)
"""From the least to the most serious."""

_UNUSED_STAGES = (PLANNED, ALPHA, DEPRECATED, DEBUG_ONLY, DISABLED)
"""TFDV does not validate features at these stages, and TFXIO does not read them."""

_MOST_SHOWN = 10
"""Maximum number of values of a domain in a text."""

_COMPARED = {"name", "deprecated", "lifecycle_stage", "type", "unique_constraints", "distribution_constraints"}
_ONEOFS = {"shape_type", "domain_info", "presence_constraints"}


@dataclass(frozen=True)
class Difference:
    """A difference in a field of a feature, or of the schema if `feature` is empty.

    `old` and `new` are the field as text, or None if it is not set. `text` is one line without the feature's name.
    """

    feature: str
    field: str
    old: str | None
    new: str | None
    level: str
    text: str


def compare(old: Schema, new: Schema) -> list[Difference]:
    """Return the differences, by feature and field; those of the schema as a whole come first.

    compare(old, new)[0].level
    """
    found = list(_of_schema(old, new))
    before, after = ({feature.name: feature for feature in one.feature} for one in (old, new))
    domains = [{domain.name: domain for domain in one.string_domain} for one in (old, new)]
    for name in sorted(before.keys() | after.keys()):
        found += _of_feature(name, before.get(name), after.get(name), domains)
    return found


def worst(differences: Iterable[Difference]) -> str:
    """Return the most serious level; `compatible` if there are no differences."""
    return max((one.level for one in differences), key=LEVELS.index, default=COMPATIBLE)


def _of_feature(
    name: str, old: Feature | None, new: Feature | None, domains: Sequence[Mapping[str, Message]]
) -> Iterator[Difference]:
    was, is_now = old is not None and _is_used(old), new is not None and _is_used(new)
    if old is None or new is None or was != is_now:
        yield from _coming_or_going(name, old, new)
        return
    yield from _field(name, "lifecycle_stage", _stage(old), _stage(new), COMPATIBLE)
    yield from _field(name, "type", FeatureType.Name(old.type), FeatureType.Name(new.type), BREAKING)
    yield from _bounds(name, "presence", old.presence, new.presence, ("min_fraction", "min_count"))
    yield from _shape(name, old, new)
    yield from _domain(name, old, new, domains)
    yield from _bounds(name, "unique_constraints", old.unique_constraints, new.unique_constraints, ("min", "max"))
    mass = "distribution_constraints"
    yield from _bounds(name, mass, old.distribution_constraints, new.distribution_constraints, ("min_domain_mass",))
    for field in Feature.DESCRIPTOR.fields:
        if field.name not in _COMPARED and getattr(field.containing_oneof, "name", "") not in _ONEOFS:
            yield from _field(name, field.name, _text(old, field.name), _text(new, field.name), COMPATIBLE)


def _coming_or_going(name: str, old: Feature | None, new: Feature | None) -> Iterator[Difference]:
    """Yield the difference of a feature that is added or removed, or goes out of use or comes back into use."""
    if new is not None and _is_used(new):
        required = new.presence.min_fraction > 0 or new.presence.min_count > 0
        level, text = (BREAKING, "must be present") if required else (WIDENING, "may be missing")
        was = None if old is None else _stage(old)
        yield Difference(
            name, "feature", was, "present", level, f"{'added' if old is None else 'in use again'}, {text}"
        )
    elif old is not None and _is_used(old):
        stage = None if new is None else _stage(new)
        text = "removed" if new is None else f"no longer in use ({stage})"
        yield Difference(name, "feature", "present", stage, BREAKING, text)
    else:
        was, stage = (None if one is None else _stage(one) for one in (old, new))
        yield Difference(name, "feature", was, stage, COMPATIBLE, "was not in use" if new is None else "not in use")


def _is_used(feature: Feature) -> bool:
    return not feature.deprecated and feature.lifecycle_stage not in _UNUSED_STAGES


def _stage(feature: Feature) -> str:
    return "DEPRECATED" if feature.deprecated else str(LifecycleStage.Name(feature.lifecycle_stage))


def _shape(name: str, old: Feature, new: Feature) -> Iterator[Difference]:
    kinds = [one.WhichOneof("shape_type") for one in (old, new)]
    if kinds == ["value_count", "value_count"]:
        is_fixed = old.value_count.max and old.value_count.min == old.value_count.max
        widened = BREAKING if is_fixed else WIDENING
        yield from _bounds(name, "value_count", old.value_count, new.value_count, ("min", "max"), widened)
        return
    field = kinds[0] or kinds[1] or "shape"
    texts = [f"{kind} {_text(one, kind)}" if kind else None for one, kind in zip((old, new), kinds, strict=True)]
    yield from _field(name, field, texts[0], texts[1], BREAKING)


def _domain(name: str, old: Feature, new: Feature, domains: Sequence[Mapping[str, Message]]) -> Iterator[Difference]:
    kinds = [one.WhichOneof("domain_info") for one in (old, new)]
    values = [_values(one, of_schema) for one, of_schema in zip((old, new), domains, strict=True)]
    field = kinds[0] or kinds[1] or ""
    texts = [
        _list(sorted(of_one)) if of_one is not None else (f"{kind} {_text(one, kind)}".rstrip() if kind else None)
        for one, kind, of_one in zip((old, new), kinds, values, strict=True)
    ]
    if kinds[0] is None or kinds[1] is None:
        yield from _field(name, field, texts[0], texts[1], WIDENING if kinds[1] is None else BREAKING)
    elif values[0] is not None and values[1] is not None:
        yield from _string_domain(name, field, values[0], values[1])
    elif kinds[0] == kinds[1] and field in _RANGES:
        yield from _RANGES[field](name, field, getattr(old, field), getattr(new, field))
    else:
        yield from _field(name, field, texts[0], texts[1], BREAKING)


def _values(feature: Feature, domains: Mapping[str, Message]) -> frozenset[str] | None:
    """Return the values of a feature's string domain, its own or one of the schema; None if it has none."""
    if feature.HasField("string_domain"):
        return frozenset(feature.string_domain.value)
    if feature.HasField("domain"):
        return frozenset(domains[feature.domain].value) if feature.domain in domains else frozenset()
    return None


def _string_domain(name: str, field: str, old: frozenset[str], new: frozenset[str]) -> Iterator[Difference]:
    for changed, level, verb in ((old - new, BREAKING, "removed"), (new - old, WIDENING, "added")):
        if changed:
            shown = _list(sorted(changed))
            count = f"{len(changed):,} value{'s' * (len(changed) > 1)}"
            before, after = (shown, None) if verb == "removed" else (None, shown)
            yield Difference(name, field, before, after, level, f"{count} {verb}: {shown}")


def _int_domain(name: str, field: str, old: Message, new: Message) -> Iterator[Difference]:
    yield from _bounds(name, field, old, new, ("min", "max"))
    yield from _rest(name, field, old, new, {"name", "min", "max"})


def _float_domain(name: str, field: str, old: Message, new: Message) -> Iterator[Difference]:
    yield from _bounds(name, field, old, new, ("min", "max"))
    for flag in ("disallow_nan", "disallow_inf"):
        level = BREAKING if getattr(new, flag) else WIDENING
        before, after = (str(getattr(one, flag)).lower() for one in (old, new))
        yield from _field(name, f"{field}.{flag}", before, after, level)
    yield from _rest(name, field, old, new, {"name", "min", "max", "disallow_nan", "disallow_inf"})


def _rest(name: str, field: str, old: Message, new: Message, compared: set[str]) -> Iterator[Difference]:
    for other in old.DESCRIPTOR.fields:
        if other.name not in compared:
            yield from _field(name, f"{field}.{other.name}", _text(old, other.name), _text(new, other.name), BREAKING)


_RANGES: Mapping[str, Callable[[str, str, Message, Message], Iterator[Difference]]] = {
    "int_domain": _int_domain,
    "float_domain": _float_domain,
}


def _bounds(
    name: str, field: str, old: Message, new: Message, limits: Iterable[str], widened: str = WIDENING
) -> Iterator[Difference]:
    """Yield the differences of limits, whose names begin with `min` or `max`; an unset limit is no limit."""
    for limit in limits:
        before, after = (getattr(one, limit) if one.HasField(limit) else None for one in (old, new))
        if limit.startswith("min_"):
            # Without a lower bound, that of shares and counts is 0.
            before, after = before or None, after or None
        if before == after:
            continue
        is_wider = after is None or (before is not None and (after < before) == limit.startswith("min"))
        level = widened if is_wider else BREAKING
        yield from _field(name, f"{field}.{limit}", _number(before), _number(after), level)


def _number(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _of_schema(old: Schema, new: Schema) -> Iterator[Difference]:
    limits = ("min_examples_count", "max_examples_count")
    yield from _bounds("", "dataset_constraints", old.dataset_constraints, new.dataset_constraints, limits)
    for field in ("sparse_feature", "weighted_feature"):
        before, after = ({one.name: _one_line(one) for one in getattr(schema, field)} for schema in (old, new))
        yield from _messages(field, before, after)
    field = "tensor_representation_group"
    before, after = ({key: _one_line(one) for key, one in getattr(schema, field).items()} for schema in (old, new))
    yield from _messages(field, before, after)
    ragged = "represent_variable_length_as_ragged"
    yield from _field("", ragged, _text(old, ragged), _text(new, ragged), BREAKING)
    for field in ("annotation", "default_environment"):
        yield from _field("", field, _text(old, field), _text(new, field), COMPATIBLE)


def _messages(field: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted(old.keys() | new.keys()):
        level = BREAKING if name in old else WIDENING
        yield from _field(name, field, old.get(name), new.get(name), level)


def _field(name: str, field: str, old: str | None, new: str | None, level: str) -> Iterator[Difference]:
    if old == new:
        return
    if old is None:
        text = f"{field} added: {new}"
    elif new is None:
        text = f"{field} removed: {old}"
    else:
        text = f"{field}: {old} → {new}"
    yield Difference(name, field, old, new, level, text)


def _text(message: Message, field: str) -> str | None:
    """Return a field as text, None if it is not set."""
    value = getattr(message, field)
    if not isinstance(value, Message | str | int | float):
        return ", ".join(_one_line(one) if isinstance(one, Message) else str(one) for one in value) or None
    if not message.HasField(field):
        return None
    return _one_line(value) if isinstance(value, Message) else str(value)


def _one_line(message: Message) -> str:
    return f"{{ {text_format.MessageToString(message, as_one_line=True, as_utf8=True)} }}".replace("{  }", "{ }")


def _list(values: Sequence[str]) -> str:
    more = f", … ({len(values) - _MOST_SHOWN:,} more)" if len(values) > _MOST_SHOWN else ""
    return ", ".join(values[:_MOST_SHOWN]) + more
