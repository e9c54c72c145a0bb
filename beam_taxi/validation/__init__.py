"""Validation of statistics: which features differ from a baseline by more than a limit and than chance."""
