"""docs/experiments.md: its experiments keep the contract, the plugins they name take them, its tables are whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from strata_git.runs.catalog import BUILTIN, load_plugin
from strata_git.runs.plugin import Checked
from strata_git.runs.plugins.command import KNOWN as COMMAND
from strata_git.runs.plugins.command_environment import PASSED
from strata_git.runs.plugins.command_text import GROUPS, SINGLE
from strata_git.runs.plugins.notebook import KNOWN as NOTEBOOK
from strata_git.runs.plugins.sklearn_model import ESTIMATORS
from strata_git.runs.spec import load_spec

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/experiments.md").read_text()
BLOCKS = re.findall(r"^```yaml experiment\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
FILES = sorted((ROOT / "examples").glob("*/experiments/*.yaml"))


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_an_experiment_of_the_page_is_taken_by_its_plugin(block: str) -> None:
    spec = load_spec(block.encode(), file="example.yaml")
    plugin = load_plugin(spec.plugin)
    assert isinstance(plugin, Checked)
    plugin.check(spec)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_an_experiment_of_the_examples_is_taken_by_its_plugin(file: Path) -> None:
    spec = load_spec(file.read_bytes(), file=file.name)
    if spec.plugin in BUILTIN:
        plugin = load_plugin(spec.plugin)
        assert isinstance(plugin, Checked)
        plugin.check(spec)
    else:
        assert (file.parents[1] / f"plugins/{spec.plugin}.py").is_file()


def test_the_tables_name_every_key_and_placeholder() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    assert rows == COMMAND
    assert all(f"`{key}`" in TEXT for key in NOTEBOOK - {"notebook", "parameters"})
    assert {f"${{{name}}}" for name in SINGLE} <= set(re.findall(r"\$\{\w+\}", TEXT))
    assert all(f"${{{name}." in TEXT for name in GROUPS)
    assert all(f"`{name}`" in TEXT for name in ESTIMATORS)
    assert {"PATH", "HOME", "LANG"} <= set(PASSED)
