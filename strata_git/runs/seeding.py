"""One seed for the global random generators of a run: those that are loaded at once, others when a plugin imports them.

Nothing heavy is imported for it: NumPy and PyTorch are seeded the moment somebody else has loaded them. What makes its
own generator (`numpy.random.default_rng()`, scikit-learn's `random_state`) must be handed the seed by the plugin, and
the order of sets of texts is Python's to choose when it starts (PYTHONHASHSEED): both are TFC-0002 4.3.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any


def _seed_numpy(module: Any, seed: int) -> None:
    module.seed(seed % 2**32)


def _seed_torch(module: Any, seed: int) -> None:
    module.manual_seed(seed)  # of the processor and of every CUDA device


SEEDED: dict[str, Callable[[Any, int], None]] = {"numpy.random": _seed_numpy, "torch": _seed_torch}
"""Modules with a global generator, and how it is seeded."""


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Global generators begin at `seed` inside the block, whenever their module is loaded.

    Afterwards nothing more is seeded; Python's own generator goes on from where it was before.
    """
    before = random.getstate()
    seed_everything(seed)
    finder = _Seeding(seed)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(finder)
        random.setstate(before)


def keep_seeded(seed: int) -> None:
    """`seeded` for a process that does nothing else: there is no end to it."""
    seed_everything(seed)
    sys.meta_path.insert(0, _Seeding(seed))


def seed_everything(seed: int) -> tuple[str, ...]:
    """Seed Python's generator and those of the modules that are loaded now; the names of what was seeded."""
    random.seed(seed)
    loaded = [name for name in SEEDED if name in sys.modules]
    for name in loaded:
        SEEDED[name](sys.modules[name], seed)
    return ("random", *loaded)


class _Seeding(importlib.abc.MetaPathFinder):
    """Finds what the other finders find, and seeds it once it is loaded."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._asking: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in SEEDED or fullname in self._asking:
            return None
        self._asking.add(fullname)
        try:
            spec = self._others(fullname, path, target)
        finally:
            self._asking.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _SeedingLoader(spec.loader, self._seed)
        return spec

    def _others(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> importlib.machinery.ModuleSpec | None:
        for finder in sys.meta_path:
            if isinstance(finder, _Seeding):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
        return None


class _SeedingLoader(importlib.abc.Loader):
    """Loads by the real loader, which the module keeps as its own."""

    def __init__(self, real: Any, seed: int) -> None:
        self._real, self._seed = real, seed

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._real.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._real
        if module.__spec__ is not None:
            module.__spec__.loader = self._real
        self._real.exec_module(module)
        SEEDED[module.__name__](module, self._seed)
