"""examples/documents, as its README tells: every command of it, in its order."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import duckdb
import pytest

from tests.pipeline.chain.working import outputs, record
from tests.support.fixtures import Builder

pytestmark = pytest.mark.heavy
EXAMPLE = Path(__file__).parents[3] / "examples/documents"


def test_the_readme_runs(builder: Builder) -> None:
    repo = builder()
    script = re.findall(r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.S)[0]
    repo.strata("init", ".").expect(0)
    shutil.copytree(EXAMPLE, repo.path, dirs_exist_ok=True)
    with open(repo.path / "strata.yaml", "ab") as settings:
        settings.write((repo.path / "pipeline.yaml").read_bytes())
    told = {}
    for line in script.splitlines()[2:]:
        words = shlex.split(line)
        if words[:2] == ["git", "strata"]:
            told[line] = repo.strata(*words[2:]).expect(0).out
        else:
            for part in line.split(" && "):
                repo.git(*shlex.split(part)[1:])
    assert "drafts" not in told["git strata connect ls minutes"]
    first, second, third = sorted(path.name for path in (repo.path / "runs").glob("run-*"))
    rows = outputs(repo, first)
    assert rows == outputs(repo, second)
    assert {row["document"] for row in rows} == {"2026-03-02.md", "2026-03-16.html", "attendance.csv"}
    assert all(("Action" in row["summary"]) == (row["action"] is not None) for row in rows)
    assert record(repo, second)["counts"].get("calls", 0) == 0
    assert (repo.path / "runs" / first / "artifacts/report.md").read_text().count("Archive committee") >= 2
    with duckdb.connect(str(repo.path / "results.duckdb"), read_only=True) as line_of:
        counted = line_of.execute("SELECT count(*), count(DISTINCT id) FROM minutes").fetchone()
    assert counted == (len(rows), len(rows))
    assert sorted(path.name for path in (repo.path / "results").iterdir()) == [first, second]
    maps, room = outputs(repo, third)
    assert "Action: Grace asks two carriers" in maps["found"]["text"]
    assert "stays open on Saturdays until the end of May" in room["answer"]
    repo.strata("prompt", "test", "summarise#v1").expect(0)
    repo.strata("doctor").expect(0, 1)
