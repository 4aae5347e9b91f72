"""Making a service: the gate first, files that the doctor has nothing to say about, nothing overwritten."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from strata_git.contracts.layout import Artifact
from strata_git.doctor.judge import judge_worktree
from strata_git.errors import StrataError, UsageError
from strata_git.load import load_yaml
from strata_git.repo.command import Repository
from strata_git.serving.check import checking
from strata_git.serving.check.checking import CHECKS, Report, check_service
from strata_git.serving.gate import STEPS, NotServed
from strata_git.serving.project.init import init_service, renew_golden
from strata_git.serving.project.project import open_project, services_in
from tests.ledger.lab import NOW, SETTINGS, Lab
from tests.serving.models import other, served
from tests.support import artifacts
from tests.support.builder import FIRST, Clock, RepositoryBuilder, create
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys, KeyStore

LATER = NOW + timedelta(hours=1)
HELD_OUT = b"petal,note,sepal\n" + b"".join(b"%d,x,%d.5\n" % (one, one) for one in range(30))


def build(repo: RepositoryBuilder, keys: Keys) -> None:
    """forest v1 in production (from iris, with a split held out), v2 (from data without one) registered."""
    repo.workspace()
    train = {"train": {"train.csv": b"petal,sepal\n1,1\n2,3\n"}}
    whole = artifacts.dataset("iris", files={**train, "val": {"val.csv": HELD_OUT}})
    bare = artifacts.dataset("bare", files=train)
    for name, files in (("iris", whole), ("bare", bare)):
        repo.place(Artifact("dataset", name, "v1"), files)
    repo.commit("Add data")
    repo.model("forest", "v1", **{**served(), "datasets": [artifacts.cite(whole, "datasets/iris/v1")]})
    repo.commit("Add v1")
    repo.model("forest", "v2", **{**served(other()), "datasets": [artifacts.cite(bare, "datasets/bare/v1")]})
    repo.commit("Add v2")
    lab = Lab(repo, keys)
    for version, stage in (("v1", "staging"), ("v1", "production"), ("v2", "staging")):
        lab.promote(version, stage)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[Path]:
    home, base = short_directory(), tmp_path_factory.mktemp("init")
    shutil.copytree(key_store.ring("alice", "bob"), home, dirs_exist_ok=True)
    repo = create(base / "repo", sealed(base, home, os.environ))
    build(repo, Keys(home, key_store))
    yield repo.path
    remove_home(home)


@pytest.fixture
def shop(template: Path, tmp_path: Path, hermetic: dict[str, str], keys: Keys) -> Iterator[tuple[Lab, Repository]]:
    shutil.copytree(template, tmp_path / "repo", symlinks=True)
    lab = Lab(RepositoryBuilder(tmp_path / "repo", hermetic, Clock(FIRST + 100_000)), keys)
    repo = lab.repo.repository()
    yield lab, repo
    repo.close()


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the validator of OpenAPI takes longer than all other checks together."""
    if request.node.get_closest_marker("heavy") is None:
        monkeypatch.setattr(checking, "CHECKS", {name: of for name, of in CHECKS.items() if name != "openapi"})


def checked(repo: Repository, name: str = "forest", *overrides: str) -> Report:
    return check_service(repo, SETTINGS, name, environ=repo.environ, overrides=overrides, now=LATER)


def told(report: Report, *kinds: str) -> list[tuple[str, str]]:
    return [(one.check, one.message) for one in report.verdicts if one.verdict in (kinds or ("warning", "error"))]


def test_a_service_is_made_checked_and_clean(shop: tuple[Lab, Repository]) -> None:
    lab, repo = shop
    made = init_service(repo, SETTINGS, "forest", "forest@production", now=LATER)
    assert made.written == ("README.md", "service.yaml", "tests/golden.json")
    assert (made.version, made.rows, made.source, made.unproved) == ("v1", 20, "datasets/iris@v1, val", "")
    project = open_project(repo, "services/forest")
    assert project.golden is not None
    assert project.golden.rows[1] == (1.5, 1.0)  # what it has not learned from
    assert (project.golden.answers[1], project.code, project.path) == ((6.0,), None, "services/forest")
    assert judge_worktree(repo, ["services/forest"]).findings == ()
    report = checked(repo)
    assert told(report) == [("work-tree", "services/forest/README.md (and 2 files more) is not committed as it is")]
    assert [one.check for one in report.verdicts][1 : len(STEPS) + 1] == [f"gate: {step}" for step in STEPS]
    assert {one.check for one in report.verdicts} >= set(checking.CHECKS)
    lab.repo.commit("Add a service")
    repo.close()
    again = checked(lab.repo.repository())
    assert (told(again), again.code) == ([], 0)
    # a name that is taken; names that are none; what a bare name could mean
    for name, words in (("forest", "already"), ("Forest", "is not a name")):
        with pytest.raises(StrataError, match=words):
            init_service(repo, SETTINGS, name, "forest@production", now=LATER)
    shutil.rmtree(lab.repo.path / "services/forest")
    with pytest.raises(StrataError, match="already"):  # HEAD has it
        init_service(repo, SETTINGS, "forest", "forest@production", now=LATER)
    with pytest.raises(UsageError) as error:
        init_service(repo, SETTINGS, "other", "forest", now=LATER)
    assert error.value.hint.splitlines()[1:] == [
        "forest@production (v1 is there now)", "forest@staging (v2 is there now)",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="There is no service 'forst'"):
        open_project(repo, "forst")


def test_no_rows_are_found_and_files_are_kept(shop: tuple[Lab, Repository]) -> None:
    lab, repo = shop
    lab.repo.write({"services/two/README.md": b"mine"})
    made = init_service(repo, SETTINGS, "two", "models/forest@v2", now=LATER)
    assert (made.written, made.kept) == (("service.yaml",), ("README.md",))
    assert "no split that a model does not learn from" in made.unproved
    assert (lab.repo.path / "services/two/README.md").read_bytes() == b"mine"
    said = load_yaml((lab.repo.path / "services/two/service.yaml").read_bytes()).value
    assert isinstance(said, dict)
    assert said["model"] == "forest@v2"
    lab.repo.commit("Add a service")
    assert [check for check, _ in told(checked(repo, "two"))] == ["golden"]
    assert services_in(repo) == ("two",)


def test_a_model_that_is_not_served_is_told_before_anything_is_written(shop: tuple[Lab, Repository]) -> None:
    lab, repo = shop
    lab.repo.model("columnless", "v1", **served(signature={"inputs": [], "outputs": []}))
    lab.repo.commit("Add columnless")
    lab.promote("v1", "staging", model="columnless")
    with pytest.raises(NotServed, match="names no inputs") as error:
        init_service(repo, SETTINGS, "columnless", "columnless@staging", now=LATER)
    assert error.value.step == "columns"
    with pytest.raises(NotServed, match="no event vouches for v9"):
        init_service(repo, SETTINGS, "nine", "forest@v9", now=LATER)
    assert not (lab.repo.path / "services").exists()


@pytest.mark.heavy
def test_code_of_its_own_answers_and_is_told_in_provenance(shop: tuple[Lab, Repository]) -> None:
    lab, repo = shop
    made = init_service(repo, SETTINGS, "own", "forest@production", with_code=True, now=LATER)
    assert made.written == (
        "README.md", "model-service/predict.py", "pyproject.toml", "service.yaml", "tests/golden.json",
        "tests/test_predict.py",
    )  # fmt: skip
    lab.repo.commit("Add a service with code")
    report = checked(repo, "own")
    assert (told(report), report.code) == ([], 0)
    service = open_project(repo, "own").service
    assert (service.build.checks, service.build.coverage, service.tasks["lint"].run[:3]) == (
        ("lint",), 95, ("${python}", "-m", "ruff"),
    )  # fmt: skip
    predict = lab.repo.path / "services/own/model-service/predict.py"
    predict.write_text(
        '"""Wrong."""\n\n\ndef predict(model, rows):\n    """Answer."""\n    return [1.0 for _ in rows]\n'
    )
    ((check, message),) = told(checked(repo, "own"), "error")
    assert (check, "row 1: 'score' is not what it was, and 18 differences more" in message) == ("gate: golden", True)
    predict.write_text("import os, sys\ndef predict(rows): ...\n")
    found = told(checked(repo, "own"))
    wrong = "services/own/model-service/predict.py:2: predict() takes 1 arguments, it is called with 2."
    assert ("gate: bytes", wrong) in found
    assert [check for check, _ in found].count("doctor") == 1
    predict.unlink()
    renewed = renew_golden(repo, SETTINGS, open_project(repo, "own"), now=LATER)
    assert (renewed.rows, renewed.written) == (20, ("tests/golden.json",))


@pytest.mark.heavy
def test_every_check_has_its_say(shop: tuple[Lab, Repository]) -> None:
    lab, repo = shop
    init_service(repo, SETTINGS, "forest", "forest@production", now=LATER)
    lab.repo.commit("Add a service")
    report = checked(
        repo, "forest", "drift.split=train", "routes=[{model: forest@v2, mode: canary, percent: 5}]",
        f"api.auth.keys=[{{name: old, sha256: {'0' * 64}, expires: '2026-01-01'}}]", "api.port=1", "runtime.nan=pass",
    )  # fmt: skip
    assert told(report) == [
        ("access", "api.auth.keys: 'old' has expired, on 2026-01-01"),
        ("drift", "drift compares what was asked, and log.enabled is false: nothing is kept"),
    ]
    assert ("routes", "canary forest@v2 is forest@v2") in told(report, "passed")
    assert checked(repo, "forest", "drift.split=nowhere", "log.enabled=true").code == 1
    assert "has no split 'nowhere'" in told(checked(repo, "forest", "drift.split=nowhere", "log.enabled=true"))[0][1]
    assert told(checked(repo, "forest", "routes=[{model: forest@v9, mode: shadow, percent: 5}]"))[0][0] == "routes"
    assert [check for check, _ in told(checked(repo, "forest", "api.prot=1"))] == ["config"]
    golden = lab.repo.path / "services/forest/tests/golden.json"
    whole = golden.read_bytes()
    golden.write_bytes(whole.replace(b"forest@v1", b"forest@v2"))
    another = "services/forest/tests/golden.json was made for models/forest@v2, and models/forest@v1 is served"
    assert ("golden", another) in told(checked(repo))
    golden.write_bytes(b"{}")
    assert told(checked(repo))[0][1].startswith("services/forest/tests/golden.json: The golden predictions:")
    golden.write_bytes(whole)
    (lab.repo.path / "models/forest/v1/card.md").write_text("other words")
    assert [check for check, _ in told(checked(repo))] == ["work-tree"]
    lab.repo.commit("Tamper")
    report = checked(lab.repo.repository())
    assert (report.code, told(report)[0][0]) == (2, "gate: tree")
