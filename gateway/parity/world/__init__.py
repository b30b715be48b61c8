"""The data for the calls of the proof: a database, accounts, rows, and values for inputs."""
