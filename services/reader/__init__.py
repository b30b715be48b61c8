"""From a Query to its answer: compiled to one SQL statement, or on the general path, which is its reference."""
