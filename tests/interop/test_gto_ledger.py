"""GTO and we agree on longer stories: several models, healed forks, what GTO itself wrote, and what nobody signed."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strata_git.authoring.resolve import resolve
from tests.ledger.lab import NOW, SETTINGS, Lab, lab_in
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

pytestmark = pytest.mark.heavy


def ask(gto: Path, repo: RepositoryBuilder, *words: str) -> Any:
    command = [str(gto), *words, "--json"]
    done = subprocess.run(command, cwd=repo.path, env=repo.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def run(gto: Path, repo: RepositoryBuilder, *words: str) -> str:
    """GTO looks for its user in the repository's configuration, not in that of GIT_CONFIG_GLOBAL."""
    repo.git("config", "user.name", "Ada Tester")
    repo.git("config", "user.email", "ada@example.org")
    done = subprocess.run([str(gto), *words], cwd=repo.path, env=repo.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def theirs(gto: Path, repo: RepositoryBuilder, model: str) -> dict[str, str]:
    """Version -> stage, as GTO has it."""
    found = {}
    for version in ask(gto, repo, "show", model, "--av", "-1", "--vs", "-1"):
        active = [row["stage"] for row in version["stages"] if row["is_active"]]
        assert len(active) < 2, active
        found[version["version"].removesuffix(".0.0")] = active[0] if active else "experimental"
    return found


def ours(repo: RepositoryBuilder, *words: str, code: int = 0) -> dict[str, dict[str, str]]:
    shown = repo.strata("stages", *words, "--format", "json").expect(code).json()
    return {
        model["model"]: {row["version"]: row["stage"] for row in model["versions"]}
        for model in shown["models"]  # type: ignore[attr-defined]
    }


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    return lab_in(builder(), keys)


def test_several_models(lab: Lab, gto: Path) -> None:
    for model in ("tree", "deep-forest_2"):
        for version in ("v1", "v2", "v11"):
            lab.repo.model(model, version)
            lab.repo.commit(f"Add {model}@{version}")
    moves = [
        ("tree", "v1", "staging"), ("forest", "v1", "staging"), ("tree", "v1", "production"),
        ("deep-forest_2", "v11", "staging"), ("forest", "v1", "archived"), ("tree", "v2", "staging"),
        ("tree", "v2", "production"), ("deep-forest_2", "v11", "production"), ("deep-forest_2", "v2", "archived"),
        ("tree", "v2", "staging"), ("deep-forest_2", "v11", "archived"), ("tree", "v11", "staging"),
    ]  # fmt: skip
    for at, (model, version, stage) in enumerate(moves):
        lab.promote(version, stage, model=model, now=NOW + timedelta(minutes=at))
    expected = ours(lab.repo)
    assert expected["tree"] == {"v1": "experimental", "v2": "staging", "v11": "staging"}
    for model, stages in expected.items():
        assert theirs(gto, lab.repo, model) == stages
        events = lab.repo.strata("history", model, "--format", "json").expect(0).json()["events"]
        told = [row["ref"] for row in reversed(ask(gto, lab.repo, "history", model))]
        assert told == [event["tag"] for event in events]  # type: ignore[attr-defined]
    assert set(ask(gto, lab.repo, "show")) == set(expected)


def test_gto_reads_each_tag_as_what_it_is(lab: Lab, gto: Path) -> None:
    for version in ("v1", "v1"):
        lab.promote(version)
    kinds = {"registration": "registration", "entering": "assignment", "leaving": "unassignment"}
    for event in lab.state().events:
        read = ask(gto, lab.repo, "check-ref", event.tag)
        version = event.record.version if event.record else ""
        assert (read["event"], read["artifact"], read["version"]) == (
            kinds[event.name.kind], "forest", f"{version}.0.0",
        )  # fmt: skip


@pytest.mark.parametrize("keep", ["forest#production#3", "forest#staging!#4"])
def test_a_healed_fork(lab: Lab, gto: Path, keep: str) -> None:
    lab.promote("v1")
    other = Lab(lab.repo.clone("other"), lab.keys)
    other.repo.git("fetch", "--quiet", "origin", "refs/strata/*:refs/strata/*")
    lab.promote("v1", "production")
    other.promote("v2", "staging", now=NOW + timedelta(minutes=1))
    other.promote("v2", "production", now=NOW + timedelta(minutes=2))
    other.promote("v2", "staging", now=NOW + timedelta(minutes=3))
    if keep == "forest#staging!#4":
        keep = other.state().events[-1].tag
    names = {event.tag for event in lab.state().events} & {event.tag for event in other.state().events}
    assert names == {"forest@v1.0.0", "forest#staging#1"}
    lab.repo.git("fetch", "--quiet", "--tags", str(other.repo.path))
    assert {rule for rule, _ in lab.told()} == {"STR-P007"}
    repo = lab.repo.repository()
    made = resolve(repo, SETTINGS, "forest", keep, key=lab.keys.alice, now=NOW + timedelta(minutes=10))
    repo.close()
    assert lab.told() == set()
    expected = ours(lab.repo)["forest"]
    assert expected == {version: placed.stage for version, placed in made.healing.versions.items()}
    assert theirs(gto, lab.repo, "forest") == expected
    lab.promote("v2", "archived", now=NOW + timedelta(minutes=20))
    assert theirs(gto, lab.repo, "forest") == ours(lab.repo)["forest"]


def test_two_lines_that_both_moved_one_version(lab: Lab, gto: Path) -> None:
    """By dates alone the line that gave way would have the last word; the echoes put that right."""
    lab.promote("v1")
    other = Lab(lab.repo.clone("other"), lab.keys)
    other.repo.git("fetch", "--quiet", "origin", "refs/strata/*:refs/strata/*")
    lab.promote("v1", "production")
    other.promote("v2", "staging", now=NOW + timedelta(minutes=1))
    other.promote("v1", "archived", now=NOW + timedelta(minutes=2))
    lab.repo.git("fetch", "--quiet", "--tags", str(other.repo.path))
    repo = lab.repo.repository()
    made = resolve(repo, SETTINGS, "forest", "forest#production#3", key=lab.keys.alice, now=NOW + timedelta(hours=1))
    repo.close()
    assert [event.tag for event in made.events] == ["forest@resolved#5", "forest#archived!#6"]
    assert [event.tag for event, _ in made.healing.undone] == ["forest#archived#4"]
    assert lab.told(now=NOW + timedelta(hours=2)) == set()
    stages = {v: p.stage for v, p in lab.state(now=NOW + timedelta(hours=2)).versions.items()}
    assert stages == theirs(gto, lab.repo, "forest") == {"v1": "production", "v2": "staging"}


def test_what_gto_wrote_is_told_as_unsigned(lab: Lab, gto: Path) -> None:
    lab.promote("v1")
    run(gto, lab.repo, "register", "forest", "HEAD", "--version", "v2.0.0")
    run(gto, lab.repo, "assign", "forest", "--version", "v2.0.0", "--stage", "production")
    assert ask(gto, lab.repo, "show", "forest", "--vs", "-1")
    told = lab.told(now=None)
    assert {("STR-P003", "forest@v2.0.0"), ("STR-P003", "forest#production#2")} <= told
    assert ours(lab.repo, code=2)["forest"] == {"v1": "staging"}


def test_a_repository_that_gto_made_alone(builder: Builder, gto: Path) -> None:
    """The layout of GTO's own example: names, versions with minor numbers, stages of its own, deprecation."""
    repo = builder().workspace()
    repo.commit("Start")
    for number, tag in enumerate(("v0.1.2", "v0.1.3", "v3.0.0")):
        repo.commit(f"Train {number}", {"model.pkl": tag.encode()})
        run(gto, repo, "register", "churn", "HEAD", "--version", tag)
    run(gto, repo, "register", "segment", "HEAD", "--version", "v0.4.1")
    run(gto, repo, "assign", "churn", "--version", "v0.1.2", "--stage", "dev")
    run(gto, repo, "assign", "churn", "--version", "v3.0.0", "--stage", "production")
    run(gto, repo, "deprecate", "segment")
    assert set(ask(gto, repo, "show")) >= {"churn"}
    done = repo.strata("stages", "--format", "json").expect(2).json()
    told = {(row["rule"], row["tag"]) for row in done["complaints"]}  # type: ignore[attr-defined]
    assert {("STR-P003", "churn@v3.0.0"), ("STR-P003", "churn#production#2")} <= told
    assert {("STR-P002", "churn@v0.1.2"), ("STR-P002", "churn#dev#1")} <= told
    assert all(not model["versions"] for model in done["models"])  # type: ignore[attr-defined]
