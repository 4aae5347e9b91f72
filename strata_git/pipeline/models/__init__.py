"""Asking models: one protocol, one adapter a provider, and what goes round every call."""
