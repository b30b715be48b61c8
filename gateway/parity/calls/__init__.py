"""One call on each of its ways, and what comes of it."""
