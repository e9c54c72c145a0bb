"""From the arguments of a launch to its outcome and its record."""
