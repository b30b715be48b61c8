"""What the gateway is measured against: each folder is a server of its own, written or set up as its makers advise."""
