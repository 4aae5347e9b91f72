"""An event of one model costs the reading of that model, and the answer is the one that reading all would give."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from strata_git.cli import stages
from strata_git.cli.session import Session
from strata_git.ledger import by_model, events
from strata_git.ledger.remembered import standing
from tests.ledger.lab import NOW, Lab, lab_in
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    """Two models, one version of each in production."""
    lab = lab_in(builder(), keys)
    lab.repo.model("tree", "v1")
    lab.repo.commit("Add tree")
    for model in ("forest", "tree"):
        for stage in ("staging", "production"):
            lab.promote("v1", stage, model=model)
    return lab


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The models that were read, each time."""
    found: list[set[str]] = []
    whole = events.read_ledger

    def spied(*args: Any, **options: Any) -> events.Ledger:
        found.append(set(options["models"]))
        return whole(*args, **options)

    monkeypatch.setattr(events, "read_ledger", spied)
    return found


def ask(lab: Lab, path: Path | None = None) -> Mapping[str, Any]:
    session = Session(lab.repo.environ, path or lab.repo.path)
    try:
        return stages._answer(session, None, None, None, False)
    finally:
        session.repository().close()


def forget(lab: Lab) -> None:
    shutil.rmtree(lab.repo.path / ".git/strata/cache")


def place(lab: Lab) -> Path:
    return lab.repo.path / ".git/strata/cache/models.json"


def test_only_what_changed_is_read(lab: Lab, read: list[set[str]]) -> None:
    ask(lab)
    lab.promote("v2", "staging")
    again = ask(lab)
    lab.promote("v1", "archived", model="tree")
    third = ask(lab)
    lab.repo.commit("More", {"x": b"x"})
    assert ask(lab) == third
    assert read == [{"forest", "tree"}, {"forest"}, {"tree"}]
    forget(lab)
    assert ask(lab) == third
    assert {m["model"]: [row["stage"] for row in m["versions"]] for m in again["models"]} == {
        "forest": ["production", "staging"], "tree": ["production"],
    }  # fmt: skip


def test_what_is_wrong_is_told_each_time_and_of_one_model_alone(lab: Lab, read: list[set[str]]) -> None:
    ask(lab)
    lab.delete("tree#staging#1")
    first = ask(lab)
    assert {(c["rule"], c["tag"]) for c in first["complaints"]} >= {("STR-P006", "tree#staging!#2")}
    assert ask(lab) == first
    assert read == [{"forest", "tree"}, {"tree"}, {"tree"}]
    forget(lab)
    assert ask(lab) == first


@pytest.mark.heavy
def test_a_model_that_is_gone_is_missed(lab: Lab, read: list[set[str]]) -> None:
    """Its tags and its head were taken away together; only the mark of this clone knows of it."""
    lab.repo.strata("verify").expect(0, 1)
    ask(lab)
    for ref in lab.repo.git(
        "for-each-ref", "--format=%(refname)", "refs/tags/tree*", "refs/strata/ledger/tree"
    ).split():
        lab.repo.git("update-ref", "-d", ref)
    assert {c["rule"] for c in ask(lab)["complaints"]} == {"STR-P017"}
    assert read[-1] == {"tree"}


@pytest.mark.heavy
def test_a_new_key_or_another_hour_makes_all_be_read(
    lab: Lab, read: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(lab)
    lab.keys.revoke("alice")
    told = ask(lab)
    assert read[1:] == [{"forest", "tree"}]
    assert {c["rule"] for c in told["complaints"]} == {"STR-P004"}


def test_junk_is_nothing_remembered(builder: Builder) -> None:
    repo = builder().repository()
    repo.cache_dir.mkdir(parents=True, exist_ok=True)
    for junk in (
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"tree": 1}',
        b"[" * 100_000,
        b'{"tree": ["", null]}',
        b'{"tree": ["x", 1]}',
    ):
        (repo.cache_dir / "models.json").write_bytes(junk)
        assert by_model.recall_parts(repo, {"tree": "x"}) == {}
    by_model.remember_parts(repo, {"tree": "x"}, {"tree": {"versions": []}, "other": {}})
    assert by_model.recall_parts(repo, {"tree": "x"}) == {"tree": {"versions": []}}
    assert by_model.recall_parts(repo, {"tree": "y"}) == {}
    repo.close()


def test_a_memory_that_came_along_with_the_git_directory_is_not_believed(lab: Lab, tmp_path: Path) -> None:
    true = ask(lab)
    kept = json.loads(place(lab).read_bytes())
    kept["tree"][1]["versions"][0]["stage"] = "archived"
    place(lab).write_text(json.dumps(kept))
    (lab.repo.path / ".git/strata/cache/answers.json").unlink()
    assert ask(lab) != true  # whoever can write here can write there, too
    copied = tmp_path / "copied"
    shutil.copytree(lab.repo.path, copied, symlinks=True)
    assert ask(lab, copied) == true


@pytest.mark.heavy
def test_nothing_can_be_kept(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    true = ask(lab)
    forget(lab)
    (lab.repo.path / ".git/strata/cache").write_text("in the way")
    assert ask(lab) == true


def test_the_moment_is_the_callers(builder: Builder) -> None:
    repo = builder().repository()
    now = standing(repo, now=NOW)
    assert now == standing(repo, now=NOW)
    assert now.around != standing(repo, now=NOW.replace(hour=NOW.hour + 1)).around
    repo.close()
