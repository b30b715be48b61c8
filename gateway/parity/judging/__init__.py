"""Compare the outcomes of all calls, and judge their differences."""
