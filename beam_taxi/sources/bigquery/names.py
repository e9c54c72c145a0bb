"""The names of BigQuery tables: in URIs, in calls, and in SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass

from beam_taxi.errors import UsageError

SCHEME = "bq://"
# Only projects of a domain have dots: example.com:project.
_NAME = re.compile(r"((?:[^.:/]+(?:\.[^.:/]+)*:)?[^.:/]+)\.([^.:/]+)\.([^.:/]+)")


@dataclass(frozen=True)
class TableName:
    """A table of a dataset of a project, which may be one of a domain: `example.com:project`."""

    project: str
    dataset: str
    table: str

    @staticmethod
    def parse(uri: str) -> TableName:
        """Return the table of `bq://PROJECT.DATASET.TABLE`. Raises UsageError."""
        found = _NAME.fullmatch(uri.removeprefix(SCHEME))
        if found is None:
            raise UsageError(f"--input {uri}: give bq://PROJECT.DATASET.TABLE")
        return TableName(*found.groups())

    def __str__(self) -> str:
        return f"{self.project}.{self.dataset}.{self.table}"

    @property
    def resource(self) -> str:
        """The name in calls of the Storage API."""
        return f"projects/{self.project}/datasets/{self.dataset}/tables/{self.table}"
