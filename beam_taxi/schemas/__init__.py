"""Schemas inferred from statistics."""
