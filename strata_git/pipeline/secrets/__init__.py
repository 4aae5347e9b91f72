"""Secrets by name: where the section keys says each is kept, had when it is used, shown nowhere."""
