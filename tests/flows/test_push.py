"""pre-push is the client's authority: every new commit is judged, whatever passed the other hooks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.hooks.pre_push import Push, parse_lines
from tests.flows.releasing import PLACE, TAMPERINGS, refused, released, unchecked
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """iris@v1 is released and pushed to a bare repository called `server`."""
    made = released(builder)
    server = builder("server", bare=True)
    made.git("remote", "add", "origin", str(server.path))
    made.git("push", "-q", "origin", "main")
    return made


def remote_refs(repo: RepositoryBuilder, name: str = "origin") -> str:
    return repo.git("ls-remote", name)


def push_refused(repo: RepositoryBuilder, rule: str, path: str, *words: str) -> str:
    """The push is refused, and every reference of the other side stands where it stood."""
    before = remote_refs(repo)
    said = refused(repo.try_git("push", *(words or ("origin", "main"))), rule, path).err
    assert "Nothing was pushed." in said
    assert remote_refs(repo) == before
    return said


def test_a_good_push_passes(repo: RepositoryBuilder) -> None:
    repo.dataset("iris", "v2")
    repo.commit("Release iris@v2")
    repo.git("push", "-q", "origin", "main")
    assert repo.head in remote_refs(repo)


@pytest.mark.parametrize("way", ["executable", "described otherwise"])
def test_tampering_past_the_commit_hooks(repo: RepositoryBuilder, way: str) -> None:
    tampering = TAMPERINGS[way]
    tampering.apply(repo)
    guilty = unchecked(repo)
    assert guilty[:7] in push_refused(repo, tampering.rule, tampering.path)


def test_a_name_that_the_other_side_gave_to_other_content(repo: RepositoryBuilder) -> None:
    """Two clones release tulips@v1; the second is told when it pushes its branch."""
    other = repo.clone("other")
    other.git("remote", "set-url", "origin", repo.git("remote", "get-url", "origin"))
    other.commit("tulips", artifacts.dataset("tulips"))
    other.git("push", "-q", "origin", "HEAD:main")
    repo.git("fetch", "-q", "origin")
    repo.commit("tulips of ours", artifacts.dataset("tulips", files={"train": {"train.csv": b"a,b\n1,2\n"}}))
    push_refused(repo, "STR-I006", "datasets/tulips/v1", "origin", "main:refs/heads/mine")


def test_an_amended_release_that_nobody_has_seen(repo: RepositoryBuilder) -> None:
    repo.commit("tulips", artifacts.dataset("tulips"))
    repo.commit("tulips", artifacts.dataset("tulips", metadata={"description": "Better."}), "--amend")
    repo.git("push", "-q", "origin", "main")


def test_an_amended_release_that_the_other_side_has(repo: RepositoryBuilder) -> None:
    repo.commit("tulips", artifacts.dataset("tulips"))
    repo.git("push", "-q", "origin", "main")
    better = artifacts.dataset("tulips", metadata={"description": "Better."})
    repo.commit("tulips", better, "--amend", "--no-verify")
    push_refused(repo, "STR-I00", "datasets/tulips/v1", "--force", "origin", "main")


def test_an_invalid_artifact_past_the_commit_hooks(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.dataset("broken", replace={"train.csv": b"not what was listed\n"}))
    guilty = unchecked(repo)
    repo.git("rm", "-rq", "datasets/broken")
    unchecked(repo, "and gone")
    assert guilty[:7] in push_refused(repo, "STR-C005", "datasets/broken/v1/train.csv")


def test_broken_settings_past_the_commit_hooks(repo: RepositoryBuilder) -> None:
    """Also beside an artifact that is in order."""
    repo.write({"strata.yaml": "lfs: perhaps\n"})
    repo.dataset("tulips")
    unchecked(repo)
    push_refused(repo, "STR-L016", "strata.yaml")


def test_one_bad_reference_holds_back_all(repo: RepositoryBuilder) -> None:
    repo.git("branch", "good")
    repo.git("tag", "-am", "x", "plain")
    TAMPERINGS["one byte"].apply(repo)
    unchecked(repo)
    push_refused(repo, "STR-I001", PLACE, "origin", "good", "plain", "main")


def test_a_tag_carries_its_commits(repo: RepositoryBuilder) -> None:
    TAMPERINGS["one byte"].apply(repo)
    unchecked(repo)
    repo.git("tag", "-am", "x", "plain")
    push_refused(repo, "STR-I001", PLACE, "origin", "plain")


def test_a_name_that_pretends_to_be_an_event(repo: RepositoryBuilder) -> None:
    repo.git("tag", "iris@v1.0.0")
    push_refused(repo, "STR-P0", "iris@v1.0.0", "origin", "iris@v1.0.0")


def test_events_are_not_deleted_or_moved(repo: RepositoryBuilder) -> None:
    repo.git("tag", "-am", "x", "forest@v1.0.0", "HEAD~1")
    repo.git("push", "-q", "--no-verify", "origin", "forest@v1.0.0")
    push_refused(repo, "STR-P017", "forest@v1.0.0", "origin", ":refs/tags/forest@v1.0.0")
    repo.git("tag", "-f", "-am", "x", "forest@v1.0.0", "HEAD")
    push_refused(repo, "STR-P017", "forest@v1.0.0", "--force", "origin", "forest@v1.0.0")


def test_other_deletions_pass(repo: RepositoryBuilder) -> None:
    repo.git("push", "-q", "origin", "main:side")
    repo.git("push", "-q", "origin", ":side")
    assert "side" not in remote_refs(repo)


def test_an_expression_with_spaces_and_an_odd_name(repo: RepositoryBuilder) -> None:
    repo.commit("say it twice", {"x": "x"})
    repo.git("branch", "odd\u2028name")
    repo.git("push", "-q", "origin", "HEAD^{/say it}:refs/heads/said", "odd\u2028name")
    assert "refs/heads/said" in remote_refs(repo)


def test_a_first_push_judges_the_whole_history(builder: Builder) -> None:
    repo = released(builder)
    TAMPERINGS["one byte"].apply(repo)
    guilty = unchecked(repo)
    repo.commit("later", {"notes.txt": "later"})
    repo.git("remote", "add", "origin", str(builder("server", bare=True).path))
    assert guilty[:7] in push_refused(repo, "STR-I001", PLACE)


def test_a_shallow_clone_can_push_what_it_made(repo: RepositoryBuilder) -> None:
    """Its boundary has parents that are not here; to a new remote even the boundary is judged."""
    shallow = repo.clone("shallow", "--depth=1").install_hooks()
    shallow.commit("tulips", artifacts.dataset("tulips"))
    bare = repo.clone("second", "--bare")
    shallow.git("remote", "add", "second", str(bare.path))
    answer = shallow.try_git("push", "second", "HEAD:refs/heads/new")
    assert "git-strata" not in answer.err, str(answer)


# --- with Git LFS


@pytest.fixture
def stored(lfs: RepositoryBuilder, builder: Builder) -> RepositoryBuilder:
    """Git LFS with its own hooks, then ours; the server is a bare repository on this disk."""
    lfs.install_lfs("--force").install_hooks()
    lfs.commit("Workspace")
    lfs.git("remote", "add", "origin", builder("server", bare=True).path.as_uri())
    lfs.commit("iris", artifacts.dataset("iris"))
    return lfs


def uploaded(repo: RepositoryBuilder) -> set[str]:
    return {path.name for path in Path(repo.path.parent, "server/lfs/objects").rglob("*") if path.is_file()}


def objects(repo: RepositoryBuilder) -> set[str]:
    return {line.split()[0] for line in repo.git("lfs", "ls-files", "--long").splitlines()}


def test_lfs_still_uploads(stored: RepositoryBuilder) -> None:
    stored.git("push", "-q", "origin", "main")
    assert objects(stored)
    assert uploaded(stored) == objects(stored)


def test_a_refused_push_uploads_nothing(stored: RepositoryBuilder) -> None:
    stored.write({f"{PLACE}/train.csv": "tampered\n"})
    unchecked(stored)
    push_refused(stored, "STR-I001", PLACE)
    assert uploaded(stored) == set()


def test_no_lfs_program_no_push(stored: RepositoryBuilder, tmp_path: Path) -> None:
    """The files behind the pointers would stay behind without a word."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("git", "sh", "cat"):
        found = subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, text=True, check=True)
        (programs / name).symlink_to(found.stdout.strip())
    answer = stored.try_git("push", "origin", "main", env={"PATH": str(programs)})
    assert answer.code != 0
    assert "git-lfs was not found; nothing was pushed" in answer.err
    assert remote_refs(stored) == ""


# --- what git hands over


def test_lines_are_read_as_git_writes_them() -> None:
    a, b, zero = "a" * 40, "b" * 40, "0" * 40
    lines = [
        f"refs/heads/x {a} refs/heads/x {b}",
        f"(delete) {zero} refs/tags/y {b}",
        f"HEAD^{{/a b}} {a} refs/heads/z {zero}",
    ]
    first, second, third = parse_lines("".join(f"{line}\n" for line in lines).encode())
    assert first == Push("refs/heads/x", a, "refs/heads/x", b)
    assert (first.deletes, first.creates) == (False, False)
    assert (second.deletes, second.creates) == (True, False)
    assert (third.local_ref, third.creates) == ("HEAD^{/a b}", True)
    assert parse_lines(b"") == []


def test_other_lines_are_refused() -> None:
    with pytest.raises(StrataError, match="cannot read: half"):
        parse_lines(b"half a line\n")
