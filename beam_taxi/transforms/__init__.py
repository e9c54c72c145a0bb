"""The steps of the graph as PTransforms: each wires, and leaves the work to the rooms without Beam."""
