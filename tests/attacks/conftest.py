"""The workspace of the flow tests, with hooks, a released version and a server that judges."""

from tests.flows.conftest import place, whole_place

__all__ = ["place", "whole_place"]
