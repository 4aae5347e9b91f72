"""Documents in, answers out: sources, loaders, chunking, prompts, inference, chains, sinks."""
