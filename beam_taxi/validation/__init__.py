"""Validation of statistics: how far samples of a feature differ."""
