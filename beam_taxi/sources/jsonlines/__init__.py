"""JSON Lines: text files with one JSON object a line (https://jsonlines.org)."""
