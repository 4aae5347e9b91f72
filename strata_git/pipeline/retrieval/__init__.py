"""Looking things up by meaning: vectors of chunks in a file, and the nearest of them to a question, exactly."""
