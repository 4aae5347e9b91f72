"""How fast it is, measured against what git and others take for the same thing on this machine, in the same minutes."""
