"""A job that runs outside this process: where to ask for it, and what a user can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class LaunchedJob:
    """A job as the record of the run keeps it, so that another process can ask for its end.

    `service` is the address to ask, in a form that only the runner reads. `page` shows the job, and `cancel` is the
    command that cancels it; both may be empty.
    """

    runner: str
    id: str
    service: str
    page: str = ""
    cancel: str = ""

    def to_properties(self) -> dict[str, str]:
        """Return the properties of an execution in ML Metadata that hold this job."""
        return {f"job_{name}": value for name, value in asdict(self).items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, object]) -> LaunchedJob | None:
        """Return the job that the properties of an execution hold, None if there is none."""
        if "job_id" not in properties:
            return None
        return cls(**{name: str(properties.get(f"job_{name}", "")) for name in cls.__dataclass_fields__})
