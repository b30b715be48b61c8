"""Facilities of a request in progress: deadline, observation, and limits on rate, concurrency and cost."""
