"""A service while it lives: its processes, the ledger that it follows, how it starts, changes its model and ends."""
