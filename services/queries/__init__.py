"""Queries, lists, filters, cursors, versions and batches, with their costs and limits."""
