"""Fixtures every test may ask for; `hermetic` is in force without asking.

`hermetic`: a sealed environment. `builder`: real repositories. `keys`: GPG keys. `lfs`: one with Git LFS.
`gto`: the program that we share the ledger's tags with. `newer_git`: a git >= 2.54 beside the system's.
"""

import signal

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.support.fixtures import builder, gto, hermetic, key_store, keys, lfs
from tests.support.newer_git import newer_git

__all__ = ["builder", "gto", "hermetic", "key_store", "keys", "lfs", "newer_git"]
pytest_plugins = ["tests.support.under_way"]

# Shells start what runs in the background with SIGINT ignored, and every program that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy
settings.load_profile("suite")
# The same examples each time, and the first that fails will do: nobody reads a mutant's smallest one.
settings.register_profile("mutants", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])

LONGEST = (
    "tests/mutation/test_mutants.py", "tests/flows/test_demo.py", "tests/runs/test_mlflow_server.py",
    "tests/serving/test_served.py", "tests/flows/test_ledger_crashes.py", "tests/serving/r/test_walkthrough.py",
    "tests/properties/test_index.py", "tests/test_benchmarks.py", "tests/fuzz/test_fuzz.py",
    "tests/serving/image/test_containers.py", "tests/runs/sweeps/test_engines.py", "tests/flows/test_service.py",
    "tests/serving/test_wine_example.py", "tests/pipeline/documents/test_engines.py",
    "tests/flows/test_chain_crashes.py", "tests/flows/test_pipeline_whole.py",
)  # fmt: skip
"""Begun first, so that no worker is left with one of them when the others have nothing more to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; all else in its order."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(place)))
