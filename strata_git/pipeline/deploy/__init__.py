"""Pipelines on a platform: what AWS Lambda calls, the work tree it works in, and where its records go."""
