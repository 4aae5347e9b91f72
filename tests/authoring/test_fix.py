"""`doctor --fix`: what follows from the files is made true again; what was released is never touched."""

from __future__ import annotations

import pytest

from strata_git.authoring.fix import Fixed, fix
from strata_git.contracts.layout import Artifact
from strata_git.doctor.judge import judge_worktree
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

PLACE = "datasets/iris/v1"
IRIS = Artifact("dataset", "iris", "v1")


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace()
    made.commit("Workspace")
    return made


def mended(fixed: Fixed) -> dict[str, tuple[str, ...]]:
    return {sealed.artifact.path: sealed.changed for sealed in fixed.mended}


def files(repo: RepositoryBuilder) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in repo.path.rglob("*") if p.is_file() and ".git" not in p.parts}


def test_a_missing_list_and_wrong_figures(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.dataset("iris", seal=False, metadata={"content_hash": "sha256:" + "0" * 64}))
    repo.dataset("tulips")
    assert judge_worktree(repo.repository()).errors
    fixed = fix(repo.repository())
    assert mended(fixed) == {PLACE: ("metadata.yaml", "CHECKSUMS.txt")}
    assert fixed.left == ()
    assert judge_worktree(repo.repository()).errors == ()
    before = files(repo)
    assert fix(repo.repository()) == Fixed((), ())
    assert files(repo) == before


def test_a_run_that_lost_its_list(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.run(seal=False))
    assert mended(fix(repo.repository())) == {f"runs/{artifacts.RUN}": ("CHECKSUMS.txt",)}


def test_only_where_it_was_asked(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.dataset("iris", seal=False) | artifacts.dataset("tulips", seal=False))
    assert mended(fix(repo.repository(), [f"{PLACE}/train.csv"])).keys() == {PLACE}
    assert mended(fix(repo.repository(), ["models"])) == {}
    assert mended(fix(repo.repository(), ["datasets"])).keys() == {"datasets/tulips/v1"}


def test_what_was_released_is_never_touched(repo: RepositoryBuilder) -> None:
    repo.dataset("iris")
    repo.commit("iris")
    repo.write({f"{PLACE}/train.csv": "tampered\n"})
    before = files(repo)
    assert fix(repo.repository()) == Fixed((), ())
    assert files(repo) == before


def test_nor_what_another_branch_or_an_earlier_commit_released(repo: RepositoryBuilder) -> None:
    repo.git("branch", "other")
    repo.dataset("iris")
    repo.commit("iris")
    repo.git("checkout", "-q", "other")
    repo.write(artifacts.dataset("iris", seal=False))
    before = files(repo)
    assert fix(repo.repository()) == Fixed((), ())
    assert files(repo) == before


def test_what_cannot_be_fixed_is_told(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.dataset("iris")
    repo.write({f"{PLACE}/SIGNATURE.asc": keys.sign(repo.read(f"{PLACE}/CHECKSUMS.txt"), "alice")})
    repo.write({f"{PLACE}/train.csv": "changed\n", "datasets/empty/v1/data.csv": "x"})
    before = files(repo)
    fixed = fix(repo.repository())
    assert fixed.mended == ()
    told = {artifact.name: why for artifact, why in fixed.left}
    assert "is signed" in told["iris"]
    assert "metadata.yaml" in told["empty"]
    assert files(repo) == before


def test_before_the_first_commit(builder: Builder) -> None:
    repo = builder().workspace()
    repo.write(artifacts.dataset("iris", seal=False))
    seen: list[int] = []
    assert mended(fix(repo.repository(), progress=seen.append)).keys() == {PLACE}
    assert seen == [1]
