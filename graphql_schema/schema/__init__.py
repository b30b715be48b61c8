"""The schema, derived from the catalogue, and its resolvers."""
