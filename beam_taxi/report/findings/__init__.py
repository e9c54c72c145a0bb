"""What stands out in a run's data, the most important first."""
