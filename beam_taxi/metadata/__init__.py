"""The ML Metadata record: the only place that imports ml_metadata."""
