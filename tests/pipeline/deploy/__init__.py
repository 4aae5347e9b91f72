"""Pipelines on a platform."""
