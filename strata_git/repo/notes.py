"""Notes under `refs/notes/strata`: one JSON line per event, a convenience beside the signed tags."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from strata_git.repo.command import Repository
from strata_git.repo.refs import read_ref
from strata_git.repo.tree import commit_tree

NOTES_REF = "refs/notes/strata"
_UNION = "cat_sort_uniq"
"""git's way to join two notes of lines that mean the same in any order."""


def read_lines(repo: Repository, commit: str, ref: str = NOTES_REF) -> list[bytes]:
    """The lines noted on `commit`."""
    result = repo.try_git("notes", "--ref", ref, "list", commit)
    if result.code != 0:
        return []
    return repo.objects.read(result.out.decode().strip())[1].splitlines()


def noted(repo: Repository, ref: str = NOTES_REF) -> dict[str, list[bytes]]:
    """Every noted object's lines; `ref` is a full name, or the id of a notes commit."""
    head = read_ref(repo, ref) if ref.startswith("refs/") else repo.resolve(ref)
    if head is None:
        return {}
    entries = commit_tree(repo, head).under("")
    bodies = repo.objects.read_many(entry.oid for entry in entries)
    return {
        entry.path.replace("/", ""): (data or b"").splitlines()
        for entry, (_, _, data) in zip(entries, bodies, strict=True)
    }


def append_lines(repo: Repository, commit: str, lines: list[bytes], ref: str = NOTES_REF) -> None:
    """Add lines to the note on `commit`, each once. Safe among several processes of this repository."""
    with _locked(repo):
        existing = read_lines(repo, commit, ref)
        missing = [line for line in lines if line not in existing]
        if missing:
            _replace(repo, commit, [*existing, *missing], ref)


def remove_lines(repo: Repository, commit: str, lines: list[bytes], ref: str = NOTES_REF) -> None:
    """Take lines out of the note on `commit`; a note without any is gone."""
    with _locked(repo):
        existing = read_lines(repo, commit, ref)
        left = [line for line in existing if line not in lines]
        if left != existing:
            _replace(repo, commit, left, ref)


def _replace(repo: Repository, commit: str, lines: list[bytes], ref: str) -> None:
    quiet = ["-c", "core.hooksPath=/dev/null", "notes", "--ref", ref]
    if not lines:
        repo.user_git(*quiet, "remove", "--ignore-missing", commit)
        return
    blob = repo.write_object("blob", b"".join(line + b"\n" for line in lines))
    repo.user_git(*quiet, "add", "-f", "-C", blob, commit)


def merge_notes(repo: Repository, other: str, ref: str = NOTES_REF) -> bool:
    """Join the notes of `other` (a full reference) to ours, every line once; whether that changed ours.

    Raises StrataError when git refuses.
    """
    with _locked(repo):
        before, theirs = read_ref(repo, ref), read_ref(repo, other)
        if theirs is None or theirs == before:
            return False
        if before is None:
            repo.git("update-ref", ref, theirs, repo.null_oid)
            return True
        repo.user_git("-c", "core.hooksPath=/dev/null", "notes", "--ref", ref, "merge", "-q", "-s", _UNION, other)
        return read_ref(repo, ref) != before


@contextmanager
def _locked(repo: Repository) -> Iterator[None]:
    # git replaces a note without looking whether somebody else just did
    directory = repo.common_dir / "strata"
    directory.mkdir(exist_ok=True)
    handle = os.open(directory / "notes.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
