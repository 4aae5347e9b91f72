"""The plugins that are shipped; found by their entry-point names only."""
