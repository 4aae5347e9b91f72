"""The ends that git calls: one file per hook, one thin entry point, the installer."""
