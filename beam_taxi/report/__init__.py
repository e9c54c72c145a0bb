"""What a run looks like to people: a view model, and from it one HTML file or text for a terminal."""
