"""E-mail: enqueued within a transaction, sent by jobs."""
