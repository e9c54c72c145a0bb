"""The contract between the graph and its readers: the folder of a run, its manifest, its artifacts."""
