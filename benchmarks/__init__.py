"""What `make bench` runs: this gateway, its general path and its peers, on the same rows, in one run.

`data` makes the rows, `database` the servers that hold them; `cases` says what is asked and `dialects` how each server
is asked for it; `contestants` starts the servers, `load` asks them, `processes` reads what that cost; `rounds` puts
these together, `growth` looks at how costs grow; `report` and `chart` show what came out.
"""
