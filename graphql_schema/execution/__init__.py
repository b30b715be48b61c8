"""Documents at work: planned, bound, read and written."""
