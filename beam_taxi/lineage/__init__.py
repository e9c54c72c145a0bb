"""Lineage of a run in forms that other systems read: OpenLineage and MLflow."""
