"""ML Metadata: connections, the life cycle of a run, and queries. The only package that imports ml_metadata."""
