"""Where answers go: one exporter a kind, all with the one verb `write`, which writes nothing twice."""
