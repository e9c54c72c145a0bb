"""Schemas: inferred from statistics."""
