"""Is it what was recorded, and who says so: checksum lists, digests, signatures."""
