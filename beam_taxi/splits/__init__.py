"""What decides the split of each row, and whether that keeps the splits apart."""
