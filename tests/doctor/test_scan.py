"""Large files of models are looked into where the doctor is asked for bytes, once for each content."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from strata_git.integrity import scan
from tests.integrity import pickles
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder

EVIL = pickles.commands(Path("/nonexistent/hit"))["stack_global"]
PLACE = "models/forest/v1/weights.bin"


@pytest.fixture
def lfs_model(lfs: RepositoryBuilder) -> RepositoryBuilder:
    lfs.story()
    lfs.write(
        artifacts.model(
            "forest", extra={"weights.bin": EVIL}, datasets=[artifacts.cite(artifacts.dataset(), "datasets/iris/v1")]
        )
    )
    lfs.commit()
    return lfs


def rules(repo: RepositoryBuilder, *words: str) -> dict[str, str]:
    found = repo.strata("doctor", "--format", "json", *words).clean().json()["findings"]
    assert isinstance(found, list)
    return {row["rule"]: row["message"] for row in found if row["path"] == PLACE}


@pytest.mark.extras
def test_pointers_are_looked_into_only_when_asked_for_bytes(lfs_model: RepositoryBuilder) -> None:
    assert rules(lfs_model, "--at", "HEAD") == {}
    for _ in range(2):  # the second time by what is remembered
        found = rules(lfs_model, "--at", "HEAD", "--deep")
        assert set(found) == {"STR-M006", "STR-M009"}
        assert found["STR-M009"] == "calls os.system; imports os.system, says picklescan"
    assert set(rules(lfs_model, "--deep")) == {"STR-M006", "STR-M009"}
    stored = lfs_model.path / ".git/lfs/objects" / sha256(EVIL).hexdigest()[:2]
    assert stored.is_dir()


def test_content_is_looked_into_once(lfs_model: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from strata_git.doctor import scan as doctor_scan
    from strata_git.doctor.judge import judge_commit
    from strata_git.repo.command import Repository

    asked: list[str] = []

    def counted(name: str, data: bytes) -> scan.Report:
        asked.append(name)
        return scan.scan_file(name, data)

    monkeypatch.setattr(doctor_scan, "scan_file", counted)
    repo = Repository.discover(lfs_model.path, dict(os.environ))
    first = judge_commit(repo, "HEAD", deep=True)
    assert sorted(asked) == ["model.skops", "weights.bin"]
    assert judge_commit(repo, "HEAD", deep=True).findings == first.findings
    assert len(asked) == 2


def test_what_is_not_here_is_not_looked_into(lfs_model: RepositoryBuilder) -> None:
    import shutil

    shutil.rmtree(lfs_model.path / ".git/lfs")
    assert rules(lfs_model, "--at", "HEAD", "--deep") == {}
