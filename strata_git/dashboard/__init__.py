"""Read-only pages of what history tells: the same pages written to a directory, or served on this machine."""
