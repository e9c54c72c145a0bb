"""Names of the counters that the graph's steps keep, for those who watch a job; a retry may count twice."""

from __future__ import annotations

NAMESPACE = "beam_taxi"
READ_BYTES = "read_bytes"
"""Bytes of the input, as stored, that the first pass has read."""
ROWS = "rows"
"""Rows written to the splits."""
REJECTS = "rejects"
"""Rows set aside."""
