"""Fixtures every test may ask for; `hermetic` is in force without asking.

`hermetic`: a sealed environment. `builder`: real repositories. `keys`: GPG keys. `lfs`: one with Git LFS.
`gto`: the program that we share the ledger's tags with. `newer_git`: a git >= 2.54 beside the system's.
"""

import signal

from hypothesis import HealthCheck, Phase, settings

from tests.support.fixtures import builder, gto, hermetic, key_store, keys, lfs
from tests.support.newer_git import newer_git

__all__ = ["builder", "gto", "hermetic", "key_store", "keys", "lfs", "newer_git"]

# Shells start what runs in the background with SIGINT ignored, and every program that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy
settings.load_profile("suite")
# The same examples each time, and the first that fails will do: nobody reads a mutant's smallest one.
settings.register_profile("mutants", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])
