"""Look up entries by their exact names: MySQL's default collations ignore case and trailing spaces."""

from __future__ import annotations

from beam_taxi.errors import UsageError
from beam_taxi.metadata.mlmd import Artifact, Context, MetadataStore


def context_named(store: MetadataStore, type_name: str, name: str) -> Context | None:
    """Return the context of a type with exactly this name, or None."""
    found = store.get_context_by_type_and_name(type_name, name)
    return found if found is not None and found.name == name else None


def artifact_named(store: MetadataStore, type_name: str, name: str) -> Artifact | None:
    """Return the artifact of a type with exactly this name, or None."""
    found = store.get_artifact_by_type_and_name(type_name, name)
    return found if found is not None and found.name == name else None


def own_context(store: MetadataStore, type_name: str, name: str, option: str) -> Context | None:
    """Return the context of a type with exactly this name, or None; `option` is the one that sets the name.

    Raises UsageError if the store would take the name for that of another context.
    """
    found = store.get_context_by_type_and_name(type_name, name)
    if found is None or found.name == name:
        return found
    raise UsageError(
        f"{option} {name}: the store cannot distinguish it from its {found.name!r}, since its database ignores "
        f"case or trailing spaces; choose {found.name!r}, or a name with other letters"
    )
