"""Names of the Beam counters of a job, for monitoring. A retry may count twice."""

from __future__ import annotations

NAMESPACE = "beam_taxi"
READ_BYTES = "read_bytes"
"""Stored bytes of the input read by the first pass."""
ROWS = "rows"
"""Rows written to the splits."""
REJECTS = "rejects"
"""Rejected rows."""
