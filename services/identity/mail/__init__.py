"""E-mail: asked for within a transaction, sent by jobs."""
