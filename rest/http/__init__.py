"""HTTP as REST uses it: negotiation, conditional requests, problems, bodies."""
