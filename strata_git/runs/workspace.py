"""Plugins of the workspace, `plugins/NAME.py` or `plugins/NAME/` (TFC-0010 section 2): found by file, loaded when run.

Their source is the user's own code, in the commit that a run records; loading one is asked for by `git strata run`, and
by nothing that only judges or lists.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.runs.plugin import Plugin

PLUGINS = "plugins"
_PACKAGE = "strata_workspace_plugins"
"""Stands for the directory, so that plugins can import their neighbours: `from ._shared import mean`."""


def workspace_plugins(root: Path) -> dict[str, Path]:
    """Plugin name (as its file spells it) -> its module's file. Links are passed over, as is what begins with `_`."""
    directory = root / PLUGINS
    found: dict[str, Path] = {}
    if directory.is_symlink() or not directory.is_dir():
        return found
    for path in sorted(directory.iterdir()):
        module = path / "__init__.py" if path.is_dir() else path
        name = path.name if path.is_dir() else path.stem
        plain = not path.is_symlink() and not module.is_symlink() and module.is_file() and module.suffix == ".py"
        if plain and name.isidentifier() and not name.startswith("_"):
            found[name] = module
    return found


def find_plugin(root: Path, name: str) -> Path | None:
    """The file of the plugin that an experiment calls `name` (`-` and `_` are one); None where there is none."""
    return workspace_plugins(root).get(name.replace("-", "_"))


def load_workspace_plugin(name: str, module: Path) -> Plugin:
    """The plugin in `module`, made. Raises StrataError for source that cannot be loaded or defines no plugin."""
    place = f"{PLUGINS}/{printable(module.parent.name if module.name == '__init__.py' else module.name)}"
    directory = module.parent.parent if module.name == "__init__.py" else module.parent
    stem = module.parent.name if module.name == "__init__.py" else module.stem
    with _importable(directory):
        from importlib import import_module

        try:
            loaded = import_module(f"{_PACKAGE}.{stem}")
        except Exception as error:  # a user's code: whatever its import raises is the answer
            raise StrataError(
                f"{place} cannot be loaded: {type(error).__name__}: {printable(str(error))}",
                hint="What is not Python's own belongs inside run(): git strata explain STR-U004",
            ) from error
    made = [
        one
        for one in vars(loaded).values()
        if isinstance(one, type) and one.__name__.endswith("Plugin") and one.__module__ == loaded.__name__
    ]
    if len(made) != 1:
        raise StrataError(
            f"{place} defines {len(made)} classes whose name ends in Plugin, where one is wanted.",
            hint="git strata explain STR-U002",
        )
    return _made(made[0], name, place)


def _made(kind: type, name: str, place: str) -> Plugin:
    try:
        plugin: Plugin = kind()
    except Exception as error:  # a user's code
        raise StrataError(f"{place}: {kind.__name__}() failed: {printable(str(error))}") from error
    called = str(getattr(plugin, "name", ""))
    if called.replace("-", "_") != name.replace("-", "_"):
        raise StrataError(
            f"{place}: {kind.__name__} is called '{printable(called)}', its file '{printable(name)}'.",
            hint="git strata explain STR-U003",
        )
    if not callable(getattr(plugin, "run", None)):
        raise StrataError(f"{place}: {kind.__name__} has no run(self, spec, context).")
    if not hasattr(plugin, "requires"):
        kind.requires = {}  # type: ignore[attr-defined]
    return plugin


@contextmanager
def _importable(directory: Path) -> Iterator[None]:
    """The directory as a package of its own, anew each time; no byte code is left in the workspace."""
    from types import ModuleType

    for known in [one for one in sys.modules if one == _PACKAGE or one.startswith(f"{_PACKAGE}.")]:
        del sys.modules[known]
    package = ModuleType(_PACKAGE, "The plugins of a workspace.")
    package.__path__ = [str(directory)]
    sys.modules[_PACKAGE] = package
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
