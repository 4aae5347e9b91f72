"""Documents: what a source gives, made into text that a prompt can be asked about, and cut into chunks."""
