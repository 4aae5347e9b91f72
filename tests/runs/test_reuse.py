"""A run is named again only where nothing that it came from has changed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strata_git.runs.reuse import reuse
from strata_git.runs.spec import RunSpec
from tests.runs.running import opened, perform
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import sealed, short_directory

SCRIPT = "import sys; open(sys.argv[1], 'w').write('made')\n"


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RepositoryBuilder]:
    home, base = short_directory(), tmp_path_factory.mktemp("reuse")
    made = create(base / "repo", sealed(base, home, os.environ), "--initial-branch=main").workspace()
    made.write({"make.py": SCRIPT, "src/other.py": "a = 1\n", "data.csv": "1\n"})
    made.commit("Begin")
    yield made
    home.rmdir()


def spec(**params: Any) -> RunSpec:
    argv = ["python3", "make.py", "${outputs.made}", "${params.n}", "${inputs.data}"]
    said = {"argv": argv, "outputs": {"made": "made.txt"}, "n": 1, **params}
    return RunSpec("made", "command", 7, "", {}, said, {}, {"data": "file:data.csv"})


def again(repo: RepositoryBuilder, what: RunSpec) -> str | None:
    return reuse(opened(repo), what)


def test_the_same_is_named_and_anything_else_is_not(repo: RepositoryBuilder) -> None:
    assert again(repo, spec()) is None
    done = perform(repo, spec())
    assert done.status == "succeeded", done.error
    assert again(repo, spec()) == done.id
    assert again(repo, replace(spec(), tags={"why": "told"}, resources={"time_limit_s": 9})) == done.id
    assert again(repo, replace(spec(), seed=8)) is None
    assert again(repo, spec(n=2)) is None
    repo.commit("Record")
    assert again(repo, spec()) == done.id
    later = perform(repo, spec())
    assert again(repo, spec()) == later.id
    repo.commit("Record once more")


@pytest.mark.parametrize("file", ["make.py", "src/new.py"])
def test_code_counts_committed_or_not(repo: RepositoryBuilder, file: str) -> None:
    done = perform(repo, spec())
    before = repo.read(file) if (repo.path / file).exists() else None
    repo.write({file: (before or b"") + b"# changed\n"})
    assert again(repo, spec()) is None
    with_change = perform(repo, spec())
    assert again(repo, spec()) == with_change.id, "a dirty tree is kept and can be compared"
    repo.write({file: before})
    assert again(repo, spec()) == done.id


def test_code_that_is_named_is_all_that_counts(repo: RepositoryBuilder) -> None:
    named = spec(code=["make.py"])
    done = perform(repo, named)
    repo.write({"src/other.py": "a = 2\n", "note.txt": "x"})
    assert again(repo, named) == done.id
    repo.write({"src/other.py": "a = 1\n", "note.txt": None})


def test_inputs_and_the_record_itself_count(repo: RepositoryBuilder) -> None:
    done = perform(repo, spec())
    made = repo.path / done.path / "artifacts/made.txt"
    data = made.read_bytes()
    made.write_bytes(b"meddled")
    assert again(repo, spec()) != done.id
    made.write_bytes(data)
    assert again(repo, spec()) == done.id
    repo.commit("Other data", {"data.csv": "2\n"})
    assert again(repo, spec()) is None


def test_a_run_that_failed_is_none(repo: RepositoryBuilder) -> None:
    failing = replace(spec(), params={"argv": ["python3", "-c", "raise SystemExit(3)"]})
    assert perform(repo, failing).status == "failed"
    assert again(repo, failing) is None


def test_packages_count_where_this_python_computes(repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = replace(spec(), params={"argv": ["${python}", "-c", "pass"]})
    theirs = replace(spec(), params={"argv": ["python3", "-c", "pass"]})
    done, other = perform(repo, ours), perform(repo, theirs)
    assert (again(repo, ours), again(repo, theirs)) == (done.id, other.id)
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert (again(repo, ours), again(repo, theirs)) == (None, other.id)


DRAW = """\
\"\"\"Draws.\"\"\"
from strata_git.runs.plugin import Metric, RunResult
class DrawPlugin:
    \"\"\"Draws a number.\"\"\"
    name = "draw"
    requires = {}
    def run(self, spec, context):
        import random
        return RunResult({"drawn": Metric(random.random())})
"""


def test_a_plugin_of_the_workspace_is_seeded_and_is_code(repo: RepositoryBuilder) -> None:
    repo.commit("Add a plugin", {"plugins/draw.py": DRAW})
    draw = RunSpec("draw", "draw", 7)
    done = perform(repo, draw)
    assert done.metrics == perform(repo, draw).metrics == {"drawn": random.Random(7).random()}
    assert perform(repo, replace(draw, seed=8)).metrics != done.metrics
    assert again(repo, draw) is not None
    repo.write({"plugins/draw.py": DRAW + "# changed\n"})
    assert again(repo, draw) is None
    repo.write({"plugins/draw.py": DRAW})


def test_nothing_there_is_nothing_found(tmp_path: Path, repo: RepositoryBuilder) -> None:
    assert again(repo, replace(spec(), experiment="never-run")) is None
