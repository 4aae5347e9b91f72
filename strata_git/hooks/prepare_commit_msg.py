"""prepare-commit-msg: the message names the artifacts that the commit touches. Never a reason for a commit to fail."""

from __future__ import annotations

from collections.abc import Sequence

from strata_git.contracts.layout import ROOTS, SETTINGS, Artifact
from strata_git.contracts.trailers import trailers_of
from strata_git.hooks.message_text import defer, spoken, without
from strata_git.hooks.naming import (
    comment_of,
    is_amending,
    is_edited,
    is_rebasing,
    message_file,
    read_message,
    touched,
    touched_by,
    trailers_wanted,
    with_trailers,
    write_message,
)
from strata_git.repo.command import Repository
from strata_git.repo.staged import staged_changes


def run(repo: Repository, arguments: Sequence[str]) -> int:
    """Put the trailers into the message git is about to use: `arguments` are its file, its source and a commit."""
    _, source, commit = [*arguments, *[""] * 3][:3]
    source = source or repo.environ.get("PRE_COMMIT_COMMIT_MSG_SOURCE", "")
    commit = commit or repo.environ.get("PRE_COMMIT_COMMIT_OBJECT_NAME", "")
    amending = is_amending(repo.environ, source, commit)
    if is_rebasing(repo) and not amending:
        return 0
    base = (repo.resolve("HEAD^") or repo.empty_tree) if amending else None
    changes = staged_changes(repo, [*ROOTS, SETTINGS], base=base)
    now = touched(changes)
    stale = _named_before(repo, amending) - now
    if not (now or stale) or not trailers_wanted(repo, changes):
        return 0
    path = message_file(repo, arguments)
    text = read_message(path)
    edited = source in ("", "template") or is_edited(repo.environ)
    comment = comment_of(repo, text) if edited else ""
    lines = trailers_of(now)
    if edited and (source == "template" or not spoken(text, comment)):
        told = defer(text, comment, lines) if lines else text
    else:
        told = with_trailers(repo, without(text, stale) if amending or stale else text, comment, lines)
    if told != text:
        write_message(path, told)
    return 0


def _named_before(repo: Repository, amending: bool) -> set[Artifact]:
    """What the message may name because the commit that it is taken from touched it."""
    source = "HEAD" if amending else "CHERRY_PICK_HEAD"
    oid = repo.resolve(source)
    return touched_by(repo, oid) if oid else set()
