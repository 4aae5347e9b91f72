"""commit-msg: trailers that waited for a message to be written join it; trailers that are not true refuse it."""

from __future__ import annotations

from collections.abc import Sequence

from strata_git.contracts.trailers import claims
from strata_git.doctor.messages import judge_pending
from strata_git.errors import printable
from strata_git.hooks.message_text import is_written, split, spoken, take_waiting, without
from strata_git.hooks.naming import comment_of, is_edited, message_file, read_message, with_trailers, write_message
from strata_git.hooks.told import tell
from strata_git.repo.command import Repository
from strata_git.repo.staged import commit_parents


def run(repo: Repository, arguments: Sequence[str]) -> int:
    """Judge the message in the file named; 1 refuses the commit."""
    path = message_file(repo, arguments)
    text = read_message(path)
    told, comment = _completed(repo, text)
    if told != text:
        write_message(path, told)
    body, _ = split(told, comment)
    if not claims(body):
        return 0
    findings = judge_pending(repo, body, commit_parents(repo))
    return tell(findings, "commit", f"What you wrote is in {printable(str(path))}.")


def _completed(repo: Repository, text: str) -> tuple[str, str]:
    """The message with what waited for it, and what its comments begin with (`""`: it has none)."""
    waiting = take_waiting(text)
    if waiting is not None:
        if not is_written(waiting):
            return waiting.text, waiting.comment
        return with_trailers(repo, waiting.text, waiting.comment, waiting.lines), waiting.comment
    if not is_edited(repo.environ) or not claims(text):
        return text, ""
    comment = comment_of(repo, text)
    if spoken(text, comment):
        return text, comment
    named = {claim.artifact for claim in claims(text) if claim.artifact}
    return without(text, named), comment  # nothing but trailers was left: the commit was given up
