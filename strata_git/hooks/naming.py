"""Which artifacts the commit that is being made touches, and how they get into its message (TFC-0001 §10).

The commit hook leaves their trailers in a file, with the id of the git process that asks. The message's gate, asked by
the same process a moment later, then needs no Python; a file of any other process is not used.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from strata_git.contracts.layout import ROOTS, SETTINGS, Artifact, artifact_of
from strata_git.contracts.trailers import trailers_of
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.staged import Change, changes_between

LEFT = "strata/trailers"
LIMIT = 16 << 20
"""Bytes of a message (with the diff that `git commit -v` adds) beyond which it is left as it is."""
_PLAIN = {"GIT_DIR": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
"""No repository, no configuration: `trailer.*` settings may name programs."""
_REBASES = ("rebase-merge", "rebase-apply")
_GENERATIONS = 8
_GIT = frozenset({"git", "git.exe", "git-commit"})
_TAKES_A_WORD = re.compile(r"-[a-zA-Z]*[mFCct]|--(message|file|author|date|template|trailer)")


def touched(changes: Iterable[Change]) -> set[Artifact]:
    """The artifacts that changes lie in."""
    return {artifact for change in changes if (artifact := artifact_of(change.path))}


def touched_by(repo: Repository, commit: str) -> set[Artifact]:
    """The artifacts that a commit changes against its first parent."""
    return touched(changes_between(repo, repo.resolve(f"{commit}^") or repo.empty_tree, commit, ROOTS))


def trailers_wanted(repo: Repository, changes: Sequence[Change]) -> bool:
    """Whether the settings that the commit will hold ask for trailers."""
    from strata_git.doctor.cache import Cache
    from strata_git.doctor.settings import settings_in
    from strata_git.repo.tree import Entry, ListedTree

    staged = next((change for change in changes if change.path == SETTINGS), None)
    oid, mode = (staged.new_oid, staged.new_mode) if staged else ("", "100644")
    if staged is None:
        row = next(row for _, row in repo.objects.lookup([f"HEAD:{SETTINGS}"]))
        oid = row[0] if row else ""
    cache = Cache(repo.cache_dir / "verdicts.sqlite")
    try:
        entries = [Entry(SETTINGS, mode, oid)] if oid and set(oid) != {"0"} else []
        return settings_in(ListedTree(repo, entries), cache).commits_trailers
    finally:
        cache.close()


def leave_trailers(repo: Repository, changes: Sequence[Change]) -> None:
    """Leave the trailers of the commit being made for its message's gate. Where that fails, the gate asks again."""
    lines = trailers_of(touched(changes))
    if lines and not trailers_wanted(repo, changes):
        lines = []
    left = repo.git_dir / LEFT
    with contextlib.suppress(OSError, StrataError):
        left.parent.mkdir(exist_ok=True)
        write_file(left, "".join(f"{line}\n" for line in (str(os.getppid()), *lines)).encode(), durable=False)


def is_rebasing(repo: Repository) -> bool:
    """Whether a rebase is going on: its commits bring their messages along."""
    return any((repo.git_dir / name).is_dir() for name in _REBASES)


def is_amending(environ: Mapping[str, str], source: str, commit: str) -> bool:
    """Whether git was asked to amend HEAD, as far as that can be known.

    Git tells hooks so only where the old message is kept. The words of the command tell always, where the system shows
    them (Linux); `git commit -C HEAD` makes a new commit and says the same to the hook as amending.
    """
    words = _command(environ)
    if words is not None:
        return any(
            word.startswith("--am") and "--amend".startswith(word) and not _TAKES_A_WORD.fullmatch(before)
            for before, word in pairwise(words)
        )
    return source == "commit" and commit == "HEAD"


def message_file(repo: Repository, named: Sequence[str]) -> Path:
    """The file that holds the message: the one git names, else where git keeps it."""
    if named and named[0]:
        return repo.directory / named[0]
    merging = (repo.git_dir / "MERGE_HEAD").exists() or not (repo.git_dir / "COMMIT_EDITMSG").exists()
    return repo.git_dir / ("MERGE_MSG" if merging and (repo.git_dir / "MERGE_MSG").exists() else "COMMIT_EDITMSG")


def read_message(path: Path) -> str:
    """The message as text; bytes that are not UTF-8 survive. Raises StrataError where it cannot be read."""
    try:
        if path.stat().st_size > LIMIT:
            raise StrataError(f"{printable(str(path))} is too large for a commit message.")
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise StrataError(f"{printable(str(path))} could not be read: {error.strerror}.") from None


def write_message(path: Path, text: str) -> None:
    """Replace the message."""
    write_file(path, text.encode("utf-8", "surrogateescape"), durable=False)


def is_edited(environ: Mapping[str, str]) -> bool:
    """Whether an editor opens on the message: git says so to its hooks."""
    return environ.get("GIT_EDITOR") != ":"


def comment_of(repo: Repository, text: str) -> str:
    """What a comment begins with in this message, where an editor opens on it."""
    asked = {name: repo.environ[name] for name in ("GIT_CONFIG_PARAMETERS",) if name in repo.environ}
    told = repo.try_user_git("config", "--get-regexp", r"^core\.comment(char|string)$", env=asked)
    values = [line.partition(" ")[2] for line in os.fsdecode(told.out).splitlines()]
    if not values or not values[-1]:
        return "#"
    if values[-1] != "auto":
        return values[-1]
    last = next((line for line in reversed(text.split("\n")) if line.strip()), "#")
    return last[0] if re.match(r"[^\w\s]", last) else "#"


def with_trailers(repo: Repository, text: str, comment: str, lines: Sequence[str]) -> str:
    """The text with `lines` in its block of trailers, as git itself puts them there; each once."""
    from strata_git.hooks.message_text import split, unused_mark

    body, tail = split(text, comment)
    there = frozenset(body.split("\n"))
    words = [word for line in lines if line not in there for word in ("--trailer", line)]
    if not words or not body.strip():
        return text
    done = repo.try_git(
        "-c", f"core.commentChar={unused_mark(body)}",
        "interpret-trailers", "--no-divider", "--if-exists=addIfDifferent", *words,
        input=f"{body.rstrip()}\n".encode("utf-8", "surrogateescape"), env=_PLAIN,
    )  # fmt: skip
    if done.code != 0:
        raise StrataError(f"git interpret-trailers failed: {done.reason}")
    out = done.out.decode("utf-8", "surrogateescape")
    return f"{out}\n{tail}" if tail else out


def _command(environ: Mapping[str, str]) -> list[str] | None:
    """The words of the git command that runs us, up to `--`; None where the system does not show them."""
    given = environ.get("STRATA_CALLER", "")
    process = int(given) if given.isdigit() else os.getppid()
    for _ in range(_GENERATIONS):
        try:
            words = os.fsdecode(Path(f"/proc/{process}/cmdline").read_bytes()).split("\0")
            after_name = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return None
        program = next((at for at, word in enumerate(words) if os.path.basename(word) in _GIT), None)
        if program is not None:  # not always the first word: wrappers and loaders come before it
            words = words[program:]
            return words[: words.index("--")] if "--" in words else words
        process = int(after_name[1])
        if process <= 1:
            return None
    return None
