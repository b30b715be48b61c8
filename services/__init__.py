"""The one truth behind both faces: resources, operations and rules. Knows neither HTTP nor GraphQL."""
