"""Plugins are known by name, loaded when asked for, and their extras checked without importing them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from strata_git.errors import MissingExtra, StrataError, UsageError
from strata_git.runs.catalog import BUILTIN, list_plugins, load_plugin, missing_extras, plugin_targets, require


def test_the_built_in_plugin_is_there_and_needs_its_extra() -> None:
    plugin = load_plugin("sklearn")
    assert plugin.name == "sklearn"
    assert plugin.requires == {"sklearn": ("sklearn", "skops", "matplotlib")}


def test_entry_points_add_plugins_but_replace_none(toys: Path) -> None:
    (toys / "strata_toys-1.0.dist-info/entry_points.txt").write_text(
        "[strata_git.plugins]\ntoy = strata_toys:Toy\nsklearn = strata_toys:Toy\n"
    )
    assert plugin_targets()["toy"] == "strata_toys:Toy"
    assert plugin_targets()["sklearn"] == BUILTIN["sklearn"]


def test_an_unknown_name_lists_the_known_ones(toys: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_plugin("nope")
    assert caught.value.hint == f"Installed plugins: {', '.join(sorted(plugin_targets()))}."
    assert {"broken", "command", "notebook", "sklearn", "toy"} <= set(plugin_targets())


def test_a_plugin_that_does_not_load_is_told_not_raised(toys: Path) -> None:
    with pytest.raises(StrataError, match="'broken' cannot be loaded"):
        load_plugin("broken")
    listed = {one.name: one for one in list_plugins()}
    assert listed["broken"].problem
    assert listed["toy"].summary == "Does what params.mode says."


def test_missing_modules_are_seen_without_import() -> None:
    assert missing_extras({"here": ("json",), "gone": ("json", "no_such_module_anywhere")}) == ["gone"]
    with pytest.raises(MissingExtra) as caught:
        require({"gone": ("no_such_module_anywhere",)}, "This")
    assert caught.value.message == "This needs the optional extra 'gone', which is not installed."


@pytest.mark.extras
def test_listing_and_checking_import_nothing_heavy() -> None:
    code = (
        "import sys; from strata_git.runs import execute, catalog; from strata_git.runs.plugins.sklearn import *;"
        "from strata_git.runs import mlflow; catalog.list_plugins(); catalog.require(catalog.TRACKING);"
        "heavy = {'mlflow', 'sklearn', 'skops', 'matplotlib', 'numpy', 'pandas', 'sqlalchemy', 'yaml', 'pydantic'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
