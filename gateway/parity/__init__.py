"""Proof that the two faces agree with the services and with each other: every operation, every kind of caller."""
