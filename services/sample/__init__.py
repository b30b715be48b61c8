"""The sample domain: items, labels and comments. Nothing in the core imports it."""
