"""A service as a project of its own: two programs, the interface between them, containers, tests; once, never again."""
