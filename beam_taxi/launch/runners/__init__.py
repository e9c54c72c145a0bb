"""What surrounds the graph on each kind of runner: checks before the launch, defaults of Beam's options, the wait."""
