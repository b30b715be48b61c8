"""Background jobs: enqueued in the transaction of their caller, run by workers."""
