"""A service's directory as it is worked with: its settings in layers, its golden predictions, its own code."""
