"""What predicts: one kind of place a file."""
