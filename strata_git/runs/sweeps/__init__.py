"""Many runs of one experiment, each with other values, as one run: what is tried, and where it is computed."""
