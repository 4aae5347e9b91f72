"""The CI templates' scripts, run as a runner would: what a pull request changes is judged from its base."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from strata_git import __version__
from strata_git.authoring.init import init
from tests.flows.releasing import TAMPERINGS, released, unchecked
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import ROOT, Builder
from tests.support.keys import Keys
from tests.support.process import Completed, run

TEMPLATES = ROOT / "templates/workspace"
ZERO = "0" * 40
SECRET = "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYzzTESTKEYz\n"


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """`main` has a release; `work` is checked out."""
    made = released(builder)
    made.git("checkout", "-qb", "work")
    return made


def github(
    repo: RepositoryBuilder, step: str, job: str = "judge", *, forge: str = "github", **environ: str
) -> Completed:
    """One step, as GitHub's or Gitea's runner starts it: `bash -e`, expressions expanded."""
    steps = yaml.safe_load((TEMPLATES / forge / "strata.yml").read_text())["jobs"][job]["steps"]
    script = next(each["run"] for each in steps if each.get("name") == step)
    place = repo.path.parent
    given = {"STRICT": "", "BASE": "", "BEFORE": "", "KEYS": "", "RUNNER_TEMP": str(place)}
    given |= {"GITHUB_STEP_SUMMARY": str(place / "summary.md"), **environ}
    return run("bash", "-e", "-c", script, cwd=repo.path, environ=repo.environ | given).clean()


def gitlab(repo: RepositoryBuilder, tmp_path: Path, job: str = "strata-judge", **environ: str) -> Completed:
    """All of a job, with a `python` that only notes what it would install."""
    told = yaml.safe_load((TEMPLATES / "gitlab/strata.yml").read_text())
    script = "\n".join([*told[".strata"]["before_script"], *told[job]["script"]])
    fake = tmp_path / "fake"
    fake.mkdir(exist_ok=True)
    (fake / "python").write_text('#!/bin/sh\nfor last; do :; done\ncat "$last" >"$(dirname "$0")/installed"\n')
    (fake / "python").chmod(0o755)
    path = f"{fake}:{repo.environ['PATH']}"
    return run("bash", "-e", "-c", script, cwd=repo.path, environ=repo.environ | environ | {"PATH": path}).clean()


def tamper_and_restore(repo: RepositoryBuilder) -> str:
    TAMPERINGS["one byte"].apply(repo)
    guilty = unchecked(repo)
    repo.git("revert", "--no-edit", "HEAD", env={"GIT_EDITOR": "true"})
    return guilty


def test_github_judges_commit_by_commit(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.commit("tulips", artifacts.dataset("tulips"))
    github(repo, "Judge every commit that is new", BASE=base).expect(0)
    assert tamper_and_restore(repo)[:7] in github(repo, "Judge every commit that is new", BASE=base).expect(2).out
    github(repo, "Judge every commit that is new", BEFORE=base).expect(2)
    github(repo, "Judge every commit that is new", BEFORE=ZERO).expect(0)  # a new branch: the whole is judged next
    github(repo, "Judge the workspace").expect(0)


def test_github_takes_the_checker_of_the_base(repo: RepositoryBuilder) -> None:
    step = "Install the checker that the base pins"
    base = repo.commit("Pin", {".strata/requirements.txt": "--no-index\nthe-pinned-one\n"})
    repo.commit("Unpin", {".strata/requirements.txt": "evil\n"}, "--no-verify")
    github(repo, step, BASE=base)
    pinned = repo.path.parent / "pinned.txt"
    assert pinned.read_text() == "--no-index\nthe-pinned-one\n"


def test_gitlab(repo: RepositoryBuilder, tmp_path: Path, builder: Builder) -> None:
    merge_request = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    repo.git("remote", "add", "origin", repo.path.as_uri())
    repo.commit("Unpin", {".strata/requirements.txt": "evil\n"}, "--no-verify")
    gitlab(repo, tmp_path, **merge_request).expect(0)
    assert (tmp_path / "fake/installed").read_text() == "git-strata\n"
    base = repo.head
    guilty = tamper_and_restore(repo)
    assert guilty[:7] in gitlab(repo, tmp_path, **merge_request).out
    assert gitlab(repo, tmp_path, **merge_request).code != 0
    push = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "work"}
    assert gitlab(repo, tmp_path, CI_COMMIT_BEFORE_SHA=base, **push).code != 0
    gitlab(repo, tmp_path, CI_COMMIT_BEFORE_SHA=ZERO, **push).expect(0)


def test_gitlab_verifies_everything(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.git("remote", "add", "origin", repo.path.as_uri())
    repo.git("fetch", "-q", "origin")
    daily = {"CI_PIPELINE_SOURCE": "schedule", "CI_DEFAULT_BRANCH": "main"}
    gitlab(repo, tmp_path, "strata-verify", **daily).expect(0)
    repo.git("checkout", "-q", "main")
    TAMPERINGS["one byte"].apply(repo)
    unchecked(repo)
    repo.git("checkout", "-q", "work")
    repo.git("fetch", "-q", "origin")
    assert gitlab(repo, tmp_path, "strata-verify", **daily).code != 0


def silence_and_break(repo: RepositoryBuilder) -> str:
    """One push that leaves rules out in every way there is, and breaks them; undone in the end."""
    base = repo.head
    settings = {"doctor": {"ignore": ["STR-G", "STR-D", "STR-F"]}, "secrets": {"allow": [".{1,200}"]}}
    repo.write(artifacts.workspace(settings=settings))
    repo.write({".gitattributes": "", ".strata/requirements.txt": "evil\n", "experiments/.env": SECRET})
    repo.write(artifacts.dataset("rose", replace={"train.csv": b"not what is listed\n"}))
    repo.strata("doctor", "--baseline")
    unchecked(repo, "Silence and break")
    repo.strata("doctor", "--strict").expect(0, 1, 2)
    return base


def test_one_push_cannot_silence_a_rule_and_break_it(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.git("remote", "add", "origin", repo.path.as_uri())
    base = silence_and_break(repo)
    for forge in ("github", "gitea"):
        for place in ({"BASE": base}, {"BEFORE": base}):
            said = github(repo, "Judge every commit that is new", forge=forge, **place).expect(2).out
            assert {"STR-G001", "STR-C005"} <= set(re.findall(r"STR-[A-Z]\d{3}", said))
    merge_request = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    answer = gitlab(repo, tmp_path, **merge_request)
    assert answer.code != 0
    assert "STR-G001" in answer.out
    assert (tmp_path / "fake/installed").read_text() == "git-strata\n"


def test_attributes_taken_away_in_the_same_push(builder: Builder) -> None:
    """Without its attributes Git LFS stores nothing; the base's settings still ask for it."""
    repo = released(builder)
    repo.write({"strata.yaml": artifacts.workspace(lfs=True)["strata.yaml"]})
    base = unchecked(repo, "Git LFS from now on")
    repo.write({".gitattributes": "", "strata.yaml": artifacts.workspace(lfs=False)["strata.yaml"]})
    repo.dataset("rose")
    unchecked(repo, "Without Git LFS")
    assert "STR-F001" in github(repo, "Judge every commit that is new", BASE=base).expect(2).out


def test_the_report_tells_services_and_people(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.git("remote", "add", "origin", repo.path.as_uri())
    base = repo.head
    tamper_and_restore(repo)
    github(repo, "Report", BASE=base).expect(0)
    sarif = json.loads((repo.path.parent / "strata.sarif").read_text())
    assert "STR-I001" in {row["ruleId"] for row in sarif["runs"][0]["results"]}
    summary = repo.path.parent / "summary.md"
    assert "| ❌ | STR-I001 |" in summary.read_text()
    summary.unlink()
    github(repo, "Report", forge="gitea", BEFORE=ZERO).expect(0)
    assert "### ✅ git-strata: 1 note" in summary.read_text()
    merge_request = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    gitlab(repo, tmp_path, **merge_request)
    quality = json.loads(repo.read("strata-quality.json"))
    assert "STR-I001" in {row["check_name"] for row in quality}
    assert b"STR-I001" in repo.read("strata-junit.xml")


def test_a_report_that_cannot_be_made_fails(repo: RepositoryBuilder) -> None:
    (repo.path / ".git/HEAD").write_text("nonsense\n")
    assert github(repo, "Report").code != 0


@pytest.mark.parametrize("forge", ["github", "gitea", "gitlab"])
def test_the_hooks_of_the_base_judge_the_range(repo: RepositoryBuilder, tmp_path: Path, forge: str) -> None:
    hook = "      - {id: strata, name: s, entry: git-strata-hook pre-commit, language: system, always_run: true,\n"
    config = f"repos:\n  - repo: local\n    hooks:\n{hook}         pass_filenames: false}}\n"
    repo.git("checkout", "-q", "main")
    base = repo.commit("Hooks", {".pre-commit-config.yaml": config}, "--no-verify")
    repo.git("checkout", "-qb", "change")
    repo.git("remote", "add", "origin", repo.path.as_uri())
    merge_request = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}

    def judged() -> Completed:
        if forge == "gitlab":
            return gitlab(repo, tmp_path, "strata-hooks", **merge_request)
        return github(repo, "Run the hooks of the base", "hooks", forge=forge, BASE=base)

    repo.commit("Fine", {"notes.txt": "z\n"})
    judged().expect(0)
    repo.write({".pre-commit-config.yaml": "repos: []\n"})
    guilty = tamper_and_restore(repo)
    answer = judged()
    assert answer.code != 0
    assert guilty[:12] in answer.out


def test_tags_are_verified_with_the_keys_given(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.git("remote", "add", "origin", repo.path.as_uri())
    github(repo, "Fetch events as they are", "verify").expect(0)
    step = "Verify every artifact and the ledger"
    github(repo, step, "verify", KEYS=keys.public("alice").decode()).expect(0)
    repo.git("tag", "-a", "forest@v1.0.0", "-m", "not signed")
    assert "forest@v1.0.0" in github(repo, step, "verify").expect(2).out


def test_only_the_comment_may_write_and_it_runs_nothing() -> None:
    jobs = yaml.safe_load((TEMPLATES / "github/strata.yml").read_text())["jobs"]
    writing = {name for name, job in jobs.items() if job.get("permissions", {}).get("pull-requests") == "write"}
    assert writing == {"comment"}
    uses = [step.get("uses", "") for step in jobs["comment"]["steps"]]
    assert not any("checkout" in one for one in uses)


def test_no_expression_reaches_a_script() -> None:
    """A branch's or a title's name is never pasted into a shell's text: values come by the environment."""
    for forge in ("github", "gitea"):
        for job in yaml.safe_load((TEMPLATES / forge / "strata.yml").read_text())["jobs"].values():
            assert not any("${{" in step.get("run", "") for step in job["steps"])


def test_a_new_workspace_pins_its_checker(hermetic: dict[str, str], tmp_path: Path) -> None:
    init(tmp_path / "w", hermetic, lfs=False)
    pinned = (tmp_path / "w/.strata/requirements.txt").read_text().splitlines()
    assert pinned[-1] == f"git-strata=={__version__}"
    assert all(line.startswith("#") for line in pinned[:-1])


@pytest.mark.parametrize("place", ["github/strata.yml", "gitlab/strata.yml", "gitea/strata.yml"])
def test_no_host_is_named(place: str) -> None:
    assert "://" not in (TEMPLATES / place).read_text()
