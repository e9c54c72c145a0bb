"""Schemas: inferred from statistics, read, compared, updated and frozen. No Beam here."""
