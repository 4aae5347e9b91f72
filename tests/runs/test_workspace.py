"""Plugins of the workspace: found by their files, loaded when run, and what they are handed."""

from __future__ import annotations

import sys

import pytest

from strata_git.errors import StrataError
from strata_git.runs.catalog import list_plugins, load_plugin, plugin_targets
from strata_git.runs.spec import RunSpec
from strata_git.runs.workspace import find_plugin, workspace_plugins
from tests.runs.running import perform, record_of
from tests.support.builder import RepositoryBuilder

PLUGIN = '''
"""A plugin that uses all it is handed."""
from ._shared import double

class TwoTowersPlugin:
    """Uses everything."""
    name = "two-towers"

    def run(self, spec, context):
        track = context.tracking
        track.log_param("doubled", double(context.seed))
        track.set_tag("kind", "toy")
        for step in range(3):
            track.log_metric("loss", 1 / (step + 1), step)
            context.progress(step + 1, 3)
        track.log_metrics({"test_accuracy": 0.5})
        track.log_figure(Figure(), "plots/curve.svg")
        track.log_dataset("made", source="by hand", rows=3)
        context.logger.warning("halfway")
        given = context.inputs["dataset"]
        assert given.digest.startswith("sha256:") and given.reference == "datasets/iris@v1"

class Figure:
    def savefig(self, path): path.write_text("<svg/>")
'''


@pytest.fixture
def own(repo: RepositoryBuilder) -> RepositoryBuilder:
    repo.write({"plugins/two_towers.py": PLUGIN, "plugins/_shared.py": "def double(x): return 2 * x\n"})
    repo.commit("Plugin")
    return repo


def test_it_runs_with_all_it_is_handed(own: RepositoryBuilder) -> None:
    outcome = perform(own, RunSpec("towers", "two-towers", 7, "iris@v1"))
    assert (outcome.status, outcome.error) == ("succeeded", None)
    assert outcome.metrics == {"loss": pytest.approx(1 / 3), "test_accuracy": 0.5}
    record = record_of(own, outcome.id)
    assert record.plugin == "two-towers"
    assert [output.path for output in record.outputs] == ["artifacts/metrics.jsonl", "artifacts/plots/curve.svg"]
    assert "warning: halfway" in (own.path / "runs" / outcome.id / "logs.txt").read_text()
    assert not list(own.path.rglob("__pycache__"))


def test_its_names(own: RepositoryBuilder) -> None:
    assert find_plugin(own.path, "two-towers") == own.path / "plugins/two_towers.py"
    assert find_plugin(own.path, "three-towers") is None
    assert plugin_targets(own.path)["two_towers"] == "plugins/two_towers.py"
    listed = {one.name: one for one in list_plugins(own.path)}
    assert (listed["two_towers"].summary, listed["two_towers"].problem) == ("Uses everything.", "")
    assert "two_towers" not in plugin_targets()
    assert "two_towers" in own.strata("plugins").expect(0).out


def test_an_edit_counts_at_once(own: RepositoryBuilder) -> None:
    first = type(load_plugin("two-towers", own.path))
    own.write({"plugins/two_towers.py": PLUGIN.replace("Uses everything.", "Changed.")})
    again = type(load_plugin("two-towers", own.path))
    assert (first.__doc__, again.__doc__) == ("Uses everything.", "Changed.")


def test_a_package_is_a_plugin_and_links_are_not(own: RepositoryBuilder) -> None:
    own.write({"plugins/whole/__init__.py": PLUGIN.replace("two-towers", "whole").replace("._", ".._")})
    own.write({"elsewhere.py": PLUGIN}).symlink({"plugins/linked.py": "../elsewhere.py", "plugins/far": "/tmp"})
    assert set(workspace_plugins(own.path)) == {"two_towers", "whole"}
    assert load_plugin("whole", own.path).name == "whole"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import no_such_module_anywhere\n", "cannot be loaded: ModuleNotFoundError"),
        ("def (\n", "cannot be loaded: SyntaxError"),
        ("x = 1\n", "defines 0 classes"),
        ("class OtherPlugin:\n    name = 'other'\n    def run(self, spec, context): pass\n", "is called 'other'"),
        ("class BadPlugin:\n    name = 'bad'\n", "has no run"),
        ("class BadPlugin:\n    name = 'bad'\n    def __init__(self, x): pass\n", r"BadPlugin\(\) failed"),
    ],
)
def test_one_that_cannot_be_used_is_told_in_a_sentence(own: RepositoryBuilder, source: str, says: str) -> None:
    own.write({"plugins/bad.py": source})
    with pytest.raises(StrataError, match=says):
        load_plugin("bad", own.path)
    assert {one.name for one in list_plugins(own.path) if one.problem} >= {"bad"}


def test_shipped_ones_are_never_replaced(own: RepositoryBuilder) -> None:
    own.write({"plugins/sklearn.py": PLUGIN.replace("two-towers", "sklearn")})
    assert type(load_plugin("sklearn", own.path)).__module__ == "strata_git.runs.plugins.sklearn"
    assert plugin_targets(own.path)["sklearn"].startswith("strata_git.")


def test_those_of_the_workspace_come_before_other_packages(own: RepositoryBuilder) -> None:
    own.write({"plugins/toy.py": PLUGIN.replace("two-towers", "toy")})
    assert plugin_targets(own.path)["toy"] == "plugins/toy.py"
    assert type(load_plugin("toy", own.path)).__name__ == "TwoTowersPlugin"
    assert type(load_plugin("toy")).__name__ == "Toy"


def test_a_figure_stays_below_artifact_dir(own: RepositoryBuilder) -> None:
    own.write({"plugins/two_towers.py": PLUGIN.replace("plots/curve.svg", "../curve.svg")})
    outcome = perform(own, RunSpec("towers", "two-towers", 7, "iris@v1"))
    assert (outcome.status, outcome.error) == ("failed", "ValueError: '../curve.svg' is no path below artifact_dir")
    assert "strata_workspace_plugins" in sys.modules
