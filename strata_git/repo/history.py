"""Commits, and what each of them changed, in bulk."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.repo.environment import FOLDED
from strata_git.repo.staged import Change, parse_raw


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit's header. Times are ISO 8601 in UTC; `author` and `committer` are `name <mail>` as written."""

    oid: str
    parents: tuple[str, ...]
    tree: str
    author: str
    authored: str
    committer: str
    committed: str
    subject: str


def read_commits(repo: Repository, oids: Iterable[str]) -> Iterator[Commit]:
    """The commits with these ids, in order; one at a shallow clone's boundary has no parents, as for git.

    Raises StrataError for an id that is not a commit here.
    """
    boundary = _shallow_commits(repo)
    for oid, kind, data in repo.objects.read_many(oids):
        if kind != "commit" or data is None:
            raise StrataError(f"Commit {oid} is not in this repository (a shallow or partial clone?).")
        commit = parse_commit(oid, data)
        yield replace(commit, parents=()) if oid in boundary else commit


def read_commit(repo: Repository, oid: str) -> Commit:
    """One commit."""
    return next(iter(list(read_commits(repo, [oid]))))


def parse_commit(oid: str, data: bytes) -> Commit:
    """A commit object's bytes as a value. Unknown headers are passed over."""
    head, _, message = data.partition(b"\n\n")
    parents: list[str] = []
    fields: dict[str, str] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(value.decode())
        elif key in (b"tree", b"author", b"committer"):
            fields.setdefault(key.decode(), value.decode(errors="replace"))
    author, authored = _person(fields.get("author", ""))
    committer, committed = _person(fields.get("committer", ""))
    subject = message.split(b"\n", 1)[0].decode(errors="replace")
    return Commit(oid, tuple(parents), fields.get("tree", ""), author, authored, committer, committed, subject)


_SIGNATURES = (b"gpgsig ", b"gpgsig-sha256 ")


def split_signature(data: bytes) -> tuple[bytes, bytes]:
    """What a commit's signature covers, and the signature (empty where there is none)."""
    head, blank, message = data.partition(b"\n\n")
    kept: list[bytes] = []
    signature: list[bytes] = []
    inside = False
    for line in head.split(b"\n"):
        if line.startswith(_SIGNATURES):
            inside = True
            signature.append(line.partition(b" ")[2])
        elif inside and line.startswith(b" "):
            signature.append(line[1:])
        else:
            inside = False
            kept.append(line)
    return b"\n".join(kept) + blank + message, b"\n".join(signature) + b"\n" if signature else b""


def list_commits(repo: Repository, *revisions: str, paths: Collection[str] = ()) -> list[str]:
    """Ids of the commits that `git rev-list` selects, parents before children. Excluded ones begin with `^`."""
    args = ["rev-list", "--topo-order", "--reverse", "--stdin"]
    if paths:
        args += ["--full-history", "--"]  # revisions come by standard input, so only paths follow
        return repo.git(*args, *sorted(paths), input="\n".join(revisions).encode() + b"\n").decode().split()
    return repo.git(*args, input="\n".join(revisions).encode() + b"\n").decode().split()


RECEIVED = ("--branches", "--tags", "--glob=refs/notes/*")
"""What a repository that receives pushes has taken in and judged; a forge's own references (pull requests) are not."""


def list_received(repo: Repository, tips: Iterable[str]) -> list[str]:
    """Ids of the commits that `tips` (tags are peeled) bring beyond `RECEIVED`, parents before children."""
    args = ["rev-list", "--topo-order", "--reverse", "--stdin", "--not", *RECEIVED]
    return repo.git(*args, input="".join(f"{tip}\n" for tip in tips).encode()).decode().split()


@dataclass(frozen=True, slots=True)
class Step:
    """What one commit changed against one of its parents (`parent` is empty for a root)."""

    commit: str
    parent: str
    changes: tuple[Change, ...]


def steps(
    repo: Repository, commits: Sequence[Commit], paths: Collection[str], *, folded: bool = False
) -> Iterator[Step]:
    """For each commit and each of its parents, what changed below `paths`; steps that changed nothing are left out.

    `folded` finds twins of `paths` that differ by case, too.
    """
    order = [(commit.oid, parent) for commit in commits for parent in (commit.parents or ("",))]
    if not order:
        return
    asked = "".join(f"{commit} {parent}\n" if parent else f"{commit}\n" for commit, parent in order)
    out = repo.git(
        "diff-tree", "--stdin", "--always", "--root", "-r", "-z", "--raw", "--no-renames", "--no-abbrev",
        "--no-ext-diff", "--ignore-submodules=none", "--", *sorted(paths), input=asked.encode(),
        env=FOLDED if folded else None,
    )  # fmt: skip
    tokens = out.split(b"\0")
    at = 0
    for commit, parent in order:
        if at >= len(tokens) or tokens[at].decode(errors="replace") != commit:
            raise StrataError(f"git diff-tree did not tell what {commit} changed.")
        end = at + 1
        while end + 1 < len(tokens) and tokens[end].startswith(b":"):
            end += 2
        if end > at + 1:
            yield Step(commit, parent, tuple(parse_raw(b"\0".join([*tokens[at + 1 : end], b""]))))
        at = end


def first_appearances(repo: Repository, revisions: Sequence[str], paths: Collection[str]) -> dict[str, str]:
    """For every file ever added below `paths` in the history of `revisions`: the oldest commit that added it."""
    out = repo.git(
        "log", "-m", "--raw", "-z", "--no-renames", "--no-abbrev", "--full-history", "--topo-order", "--reverse",
        "--root", "--diff-filter=A", "--no-ext-diff", "--format=%x01%H", *revisions, "--", *sorted(paths),
    )  # fmt: skip
    found: dict[str, str] = {}
    commit = ""
    expect_path = False
    for token in out.split(b"\0"):
        text = token.lstrip(b"\n")
        if expect_path:
            found.setdefault(os.fsdecode(token), commit)
            expect_path = False
        elif text.startswith(b"\x01"):
            commit = text[1:].decode().strip()
        elif text.startswith(b":"):
            expect_path = True
    return found


def is_ancestor(repo: Repository, older: str, newer: str) -> bool:
    """Whether `older` is reachable from `newer`."""
    return repo.try_git("merge-base", "--is-ancestor", older, newer).code == 0


def is_shallow(repo: Repository) -> bool:
    """Whether history was cut off when this clone was made."""
    return bool(_shallow_commits(repo))


def _shallow_commits(repo: Repository) -> set[str]:
    try:
        return set((repo.common_dir / "shallow").read_text("ascii").split())
    except (OSError, ValueError):
        return set()


def _person(text: str) -> tuple[str, str]:
    who, _, when = text.rpartition("> ")
    stamp, _, zone = when.partition(" ")
    try:
        hours, minutes = int(zone[:3]), int(zone[0] + zone[3:5])
        moment = datetime.fromtimestamp(int(stamp), timezone(timedelta(hours=hours, minutes=minutes)))
        return f"{who}>", moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, IndexError, OverflowError, OSError):
        return f"{who}>", ""
