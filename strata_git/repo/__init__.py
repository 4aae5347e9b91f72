"""Everything asked of or written to git. No other room runs it."""
