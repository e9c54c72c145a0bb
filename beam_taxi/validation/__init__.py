"""Judge data: anomalies against a schema, the user's checks, drift, and the rows that cause a result."""
