"""ML Metadata: connection, life of a run, queries; the only room that imports ml_metadata."""
