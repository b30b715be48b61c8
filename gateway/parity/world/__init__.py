"""What every call of the proof finds: a database, accounts, rows, and values for inputs."""
