"""Stages of models, recorded as signed and chained tags, read back by folding them."""
