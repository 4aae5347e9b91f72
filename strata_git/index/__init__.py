"""A rebuildable projection of history: artifacts, metrics, lineage, stages."""
