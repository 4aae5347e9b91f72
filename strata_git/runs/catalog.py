"""Which plugins there are: the built-in ones by a string, the workspace's own by their files in plugins/, others by the
entry-point group `strata_git.plugins`.

Names are known without importing anything; a plugin's module is imported when it is loaded, its heavy packages when it
runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strata_git.errors import MissingExtra, StrataError, UsageError, printable
from strata_git.runs.plugin import Plugin
from strata_git.runs.workspace import find_plugin, load_workspace_plugin, workspace_plugins

GROUP = "strata_git.plugins"
BUILTIN = {
    "command": "strata_git.runs.plugins.command:CommandPlugin",
    "notebook": "strata_git.runs.plugins.notebook:NotebookPlugin",
    "sklearn": "strata_git.runs.plugins.sklearn:SklearnPlugin",
}

TRACKING: Mapping[str, Sequence[str]] = {"runs": ("mlflow", "sqlalchemy", "alembic")}
"""What every tracked run needs, whatever the plugin."""
PURPOSE = {"runs": "Running an experiment (MLflow tracking)"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A plugin as `git strata plugins` shows it: `missing` names the extras that would have to be installed."""

    name: str
    target: str
    summary: str
    requires: tuple[str, ...]
    missing: tuple[str, ...]
    problem: str = ""


def plugin_targets(workspace: Path | None = None) -> dict[str, str]:
    """Plugin name → `module:attribute`, or `plugins/FILE` of the workspace. What comes first is never replaced:
    built-in ones, those of the workspace, those of other packages."""
    from importlib.metadata import entry_points

    found = {point.name: point.value for point in sorted(entry_points(group=GROUP), key=lambda one: one.name)}
    own = workspace_plugins(workspace) if workspace else {}
    files = {name: path.relative_to(workspace).as_posix() for name, path in own.items() if workspace}
    taken = BUILTIN.keys() | files.keys() | {name.replace("_", "-") for name in files}
    kept = {name: target for name, target in files.items() if name not in BUILTIN}
    return BUILTIN | kept | {name: target for name, target in found.items() if name not in taken}


def load_plugin(name: str, workspace: Path | None = None) -> Plugin:
    """The plugin called `name`; UsageError when there is none, StrataError when it cannot be loaded.

    `workspace` is the work tree whose plugins/ counts.
    """
    if name not in BUILTIN and workspace and (file := find_plugin(workspace, name)):
        return load_workspace_plugin(name, file)
    target = BUILTIN.get(name) or plugin_targets().get(name)
    if target is None:
        known = ", ".join(sorted(plugin_targets(workspace)))
        raise UsageError(f"There is no plugin '{printable(name)}'.", hint=f"Installed plugins: {known}.")
    return _loaded(name, target)


def require(extras: Mapping[str, Sequence[str]], what: str = "") -> None:
    """Raise MissingExtra for the first extra of which a module is absent. Nothing is imported."""
    for extra in missing_extras(extras):
        raise MissingExtra(extra, PURPOSE.get(extra, what))


def missing_extras(extras: Mapping[str, Sequence[str]]) -> list[str]:
    """Those of `extras` of which at least one module cannot be found."""
    return [extra for extra, modules in extras.items() if not all(map(_present, modules))]


def list_plugins(workspace: Path | None = None) -> list[Listed]:
    """Every plugin, sorted by name; one that cannot be loaded is listed with its problem."""
    listed = []
    for name, target in sorted(plugin_targets(workspace).items()):
        try:
            plugin = load_plugin(name, workspace)
        except StrataError as error:
            listed.append(Listed(name, target, "", (), (), error.message))
            continue
        needs = dict(plugin.requires)
        summary = (type(plugin).__doc__ or "").strip().split("\n", 1)[0]
        listed.append(Listed(name, target, summary, tuple(needs), tuple(missing_extras(needs))))
    return listed


def _loaded(name: str, target: str) -> Plugin:
    from importlib import import_module

    module, _, attribute = target.partition(":")
    try:
        made = getattr(import_module(module), attribute)()
    except Exception as error:  # foreign code: whatever its import raises is the answer
        raise StrataError(
            f"The plugin '{printable(name)}' cannot be loaded from {printable(target)}: {printable(str(error))}",
            hint="Reinstall the package that brings it, or remove it.",
        ) from error
    plugin: Plugin = made
    return plugin


def _present(module: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # ValueError: something put a module without a specification in its place
        return False
