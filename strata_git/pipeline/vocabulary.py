"""Which keys the pipelines' sections of strata.yaml know, by path: for names in the environment, and for typos."""

from __future__ import annotations

from strata_git.contracts.pipeline import Pipelines
from strata_git.contracts.vocabulary import Vocabulary, nearest

__all__ = ["VOCABULARY", "nearest"]

VOCABULARY = Vocabulary(Pipelines)
"""The keys of `connectors`, `inference`, `sinks` and the others."""
