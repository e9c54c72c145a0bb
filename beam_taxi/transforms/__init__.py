"""The steps of the graph as PTransforms: they wire functions that work without Beam."""
