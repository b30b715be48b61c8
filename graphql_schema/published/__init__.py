"""Documents that the REST face publishes, and manifests of trusted ones."""
