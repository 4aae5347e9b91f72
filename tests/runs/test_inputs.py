"""A run reads what HEAD holds, byte for byte, or nothing."""

from __future__ import annotations

import pytest

from strata_git.errors import StrataError, UsageError
from strata_git.integrity import checksums
from strata_git.repo.lfs import format_pointer
from strata_git.runs.inputs import named_dataset, open_dataset
from tests.runs.running import opened
from tests.support.builder import RepositoryBuilder

HOME = "datasets/iris/v1"


@pytest.mark.parametrize("reference", ["iris@v1", "datasets/iris@v1", "datasets/iris/v1"])
def test_a_committed_dataset_is_opened_by_any_form_of_its_name(repo: RepositoryBuilder, reference: str) -> None:
    found = open_dataset(opened(repo), reference)
    listed = repo.read(f"{HOME}/CHECKSUMS.txt")
    assert found.digest == checksums.digest(listed)
    assert found.metadata["content_hash"] == found.content_hash
    assert [path.name for path in found.files("train")] == ["train.csv"]
    assert set(found.splits) == {"train", "test"}


@pytest.mark.parametrize("reference", ["iris", "models/iris@v1", "Iris@v1", "iris@production"])
def test_a_name_that_is_no_dataset_version_is_a_usage_error(reference: str) -> None:
    with pytest.raises(UsageError):
        named_dataset(reference)


def test_an_unknown_split_is_refused_by_name(repo: RepositoryBuilder) -> None:
    with pytest.raises(StrataError) as caught:
        open_dataset(opened(repo), "iris@v1").files("holdout")
    assert "train, test" in caught.value.hint


def test_an_uncommitted_dataset_is_refused_with_the_commands(repo: RepositoryBuilder) -> None:
    repo.dataset("wine")
    with pytest.raises(StrataError) as caught:
        open_dataset(opened(repo), "wine@v1")
    assert "git add datasets/wine/v1 && git commit" in caught.value.hint


def test_a_dataset_that_is_nowhere_is_refused(repo: RepositoryBuilder) -> None:
    with pytest.raises(StrataError, match="neither in HEAD nor"):
        open_dataset(opened(repo), "wine@v1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"train.csv": b"sepal,petal,species\n5.1,1.4,setosa\n7.0,4.7,VERSICOLOR\n"}, "differs from HEAD"),
        ({"metadata.yaml": b"kind: dataset\n"}, "differs from HEAD"),
        ({"train.csv": None}, "missing from the work tree"),
        ({"more.csv": b"x\n"}, "not committed"),
    ],
)
def test_what_differs_from_head_is_refused(repo: RepositoryBuilder, change: dict[str, bytes | None], said: str) -> None:
    repo.write({f"{HOME}/{name}": data for name, data in change.items()})
    with pytest.raises(StrataError, match=said):
        open_dataset(opened(repo), "iris@v1")


def test_a_staged_change_is_refused_too(repo: RepositoryBuilder) -> None:
    repo.write({f"{HOME}/train.csv": b"other\n"})
    repo.git("add", "--all")
    with pytest.raises(StrataError, match="must equal HEAD"):
        open_dataset(opened(repo), "iris@v1")


def test_a_link_in_place_of_a_file_is_refused(repo: RepositoryBuilder) -> None:
    (repo.path / "elsewhere.csv").write_bytes(repo.read(f"{HOME}/train.csv"))
    repo.delete(f"{HOME}/train.csv").symlink({f"{HOME}/train.csv": "../../../elsewhere.csv"})
    with pytest.raises(StrataError, match="symbolic link"):
        open_dataset(opened(repo), "iris@v1")


def test_a_pointer_that_was_not_fetched_names_the_command(repo: RepositoryBuilder) -> None:
    data = repo.read(f"{HOME}/train.csv")
    sums = checksums.parse(repo.read(f"{HOME}/CHECKSUMS.txt"))
    repo.write({f"{HOME}/train.csv": format_pointer(sums["train.csv"], len(data))})
    with pytest.raises(StrataError, match="LFS pointer") as caught:
        open_dataset(opened(repo), "iris@v1")
    assert caught.value.hint == f'git lfs pull --include "{HOME}/**"'


def test_a_clone_with_lfs_that_skipped_smudging_is_refused_and_mended(lfs: RepositoryBuilder) -> None:
    lfs.dataset("iris")
    lfs.commit("Add iris")
    assert open_dataset(opened(lfs), "iris@v1").files("train")
    lfs.delete(f"{HOME}/train.csv").git("checkout", HOME, env={"GIT_LFS_SKIP_SMUDGE": "1"})
    with pytest.raises(StrataError, match="LFS pointer"):
        open_dataset(opened(lfs), "iris@v1")


def test_a_dataset_without_a_list_is_refused(repo: RepositoryBuilder) -> None:
    repo.dataset("bare", seal=False)
    repo.commit("Add bare")
    with pytest.raises(StrataError, match=r"no CHECKSUMS\.txt in HEAD"):
        open_dataset(opened(repo), "bare@v1")


def test_a_file_that_changes_after_it_was_verified_is_noticed(repo: RepositoryBuilder) -> None:
    found = open_dataset(opened(repo), "iris@v1")
    repo.write({f"{HOME}/train.csv": repo.read(f"{HOME}/train.csv")})
    with pytest.raises(StrataError, match="changed while"):
        found.files("train")


def test_progress_counts_every_byte(repo: RepositoryBuilder) -> None:
    told: list[int] = []
    open_dataset(opened(repo), "iris@v1", progress=told.append)
    assert sum(told) == sum(len(repo.read(f"{HOME}/{name}")) for name in ("train.csv", "test.csv", "metadata.yaml"))
