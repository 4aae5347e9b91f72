"""The only way something new is computed: an experiment, a plugin, a run directory."""
