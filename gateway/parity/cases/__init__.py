"""What operations are called with."""
