"""Where documents come from: one connector a kind, all with the same three verbs: list, open, info."""
