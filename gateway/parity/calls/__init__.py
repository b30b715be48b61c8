"""Calls of operations through the services, REST and GraphQL, and their normalised outcomes."""
