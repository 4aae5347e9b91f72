"""What answers with a model: the protocol, tables and tensors, the gate that every model passes, what predicts."""
