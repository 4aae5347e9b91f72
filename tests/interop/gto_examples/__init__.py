"""Repositories of GTO's own kind, made anew."""
