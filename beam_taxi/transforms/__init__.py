"""The steps of the graph as PTransforms."""
