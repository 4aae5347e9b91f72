"""One loader a kind of document: bytes that may be hostile in, plain text or markdown out, within limits."""
