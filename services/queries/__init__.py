"""What is asked: queries, lists, filters, cursors, versions and batches, and what they cost."""
