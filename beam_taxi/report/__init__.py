"""Reports of runs: a view model, rendered as one HTML file or as text for a terminal."""
