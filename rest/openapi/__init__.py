"""The OpenAPI document, derived from the catalogue."""
