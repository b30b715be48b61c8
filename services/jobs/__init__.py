"""Jobs: kept beside what asked for them, run by workers."""
