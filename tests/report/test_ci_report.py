"""The report's part in the CI templates: gates of the base, and a comment that carries the text as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.flows.test_ci import TEMPLATES, github, gitlab
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.process import Completed, run

GATES = "schema: strata/gates/v1\ngates:\n  - {models: '*', require: ['accuracy >= 0.95']}\n"
MERGE_REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """`main` has gates; on `work` they are taken away in the commit that brings a model which does not pass them."""
    made = builder().workspace()
    made.commit("Gates", {".strata/gates.yaml": GATES})
    made.git("checkout", "-qb", "work")
    made.story()
    made.commit("Forest", {".strata/gates.yaml": None})
    return made


def test_github_holds_models_to_the_gates_of_the_base(repo: RepositoryBuilder) -> None:
    base = repo.git("rev-parse", "main")
    github(repo, "Report", BASE=base).expect(0)
    summary = (repo.path.parent / "summary.md").read_text()
    assert "| ❌ | `models/forest@v1` | `accuracy >= 0.95` |" in summary
    said = github(repo, "Hold new models to the gates of the base", BASE=base).expect(2).out
    assert "accuracy is 0.9, not >= 0.95" in said
    github(repo, "Hold new models to the gates of the base", BEFORE="0" * 40).expect(0)


@pytest.mark.heavy
def test_gitlab_holds_models_to_the_gates_of_the_target(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.git("remote", "add", "origin", repo.path.as_uri())
    answer = gitlab(repo, tmp_path, **MERGE_REQUEST)
    assert answer.code != 0
    assert "accuracy is 0.9, not >= 0.95" in answer.out
    assert b"`accuracy >= 0.95`" in repo.read("strata-report.md")
    assert repo.read("strata-report.html").startswith(b"<!DOCTYPE html>")


def sent(script: str, place: Path, environ: dict[str, str]) -> tuple[Completed, list[str], bytes]:
    """What a script gives to curl: words and standard input."""
    fake = place / "bin"
    fake.mkdir()
    (fake / "curl").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{place}/words\ncat >{place}/body\n')
    (fake / "curl").chmod(0o755)
    given = environ | {"PATH": f"{fake}:{environ['PATH']}"}
    done = run("bash", "-e", "-c", script, cwd=place, environ=given)
    return done, (place / "words").read_text().split("\n"), (place / "body").read_bytes()


def test_gitea_gets_the_text_as_it_is(hermetic: dict[str, str], tmp_path: Path) -> None:
    job = yaml.safe_load((TEMPLATES / "gitea/strata.yml").read_text())["jobs"]["comment"]
    text = 'a "quoted" `text`\n$(touch owned) ❌ \\n\n'
    (tmp_path / "strata.md").write_text(text)
    environ = {"TOKEN": "t0ken", "NUMBER": "7", "GITHUB_API_URL": "api", "GITHUB_REPOSITORY": "a/b"}
    done, words, body = sent(job["steps"][-1]["run"], tmp_path, hermetic | environ)
    assert done.code == 0
    assert json.loads(body) == {"body": text}
    assert words[-2] == "api/repos/a/b/issues/7/comments"
    assert not any("checkout" in step.get("uses", "") for step in job["steps"])
    assert not (tmp_path / "owned").exists()


def test_gitlab_gets_the_file(hermetic: dict[str, str], tmp_path: Path) -> None:
    job = yaml.safe_load((TEMPLATES / "gitlab/strata.yml").read_text())["strata-comment"]
    environ = {"STRATA_COMMENT_TOKEN": "t", "CI_API_V4_URL": "api", "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "7"}
    done, words, _ = sent("\n".join(job["script"]), tmp_path, hermetic | environ)
    assert done.code == 0
    assert words[-2] == "api/projects/5/merge_requests/7/notes"
    assert "body@strata-report.md" in words
    assert job["variables"] == {"GIT_STRATEGY": "none"}
