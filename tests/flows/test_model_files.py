"""A model file that would take over whoever loads it gets no further than the commit."""

from __future__ import annotations

from pathlib import Path

from tests.integrity import pickles
from tests.support import artifacts
from tests.support.fixtures import Builder


def test_a_pickle_that_runs_a_command_is_refused_at_commit(builder: Builder, tmp_path: Path) -> None:
    repo = builder().workspace().install_hooks()
    repo.story()
    repo.commit("A model of data")
    hit = tmp_path / "hit"
    evil = pickles.commands(hit)["stack_global"]
    cited = [artifacts.cite(artifacts.dataset(), "datasets/iris/v1")]
    repo.write(artifacts.model("forest", "v2", extra={"weights.safetensors": evil}, datasets=cited, seal=False))
    repo.git("add", "--all")
    done = repo.try_git("commit", "-qm", "A model that is more than that")
    assert done.code == 1
    assert "STR-M009" in done.err + done.out
    assert "STR-M008" in done.err + done.out
    assert not hit.exists()
