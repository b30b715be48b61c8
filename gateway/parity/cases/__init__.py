"""The inputs that operations are called with."""
