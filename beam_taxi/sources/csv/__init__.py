"""CSV files: plain ones are scanned in parallel; compressed or transcoded ones can only be read from the start."""
