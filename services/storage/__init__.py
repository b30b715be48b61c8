"""The database: declarative base, pools, units of work, and rows for writing."""
