"""Counts of columns and rows, in one pass, mergeable and of bounded size: see `dataset.DatasetCounts`."""
