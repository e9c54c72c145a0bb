"""CSV files: plain ones, which are scanned in parallel, and decoded ones, which are read forwards only."""
