"""The code a run comes from, and how a work tree that differs from HEAD is kept, so that the run can be repeated.

What is kept is a commit under `refs/strata/runs/<id>`: HEAD, with the changes of tracked files and with the files that
git would add, as git would add them. Neither the index nor the work tree is touched, and no filter of the repository
runs: content for Git LFS is put where git-lfs puts it. Left out, and named in the commit's message, is what looks like
a secret and what is too large to look through.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from strata_git.contracts.layout import ROOTS
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.worktree import WorkTree

KEPT = "refs/strata/runs/"
"""`KEPT + run id` holds the commit of a work tree that was not as HEAD."""
_EXAMPLES = (".example", ".sample", ".template", ".dist")


@dataclass(frozen=True, slots=True)
class Code:
    """The code a run came from: HEAD, and the tree of all tracked files as they were on disk (HEAD's when clean).

    `kept` is the tree that the commit under `refs/strata/runs/<id>` has: those files, and what lay beside them; None
    where nothing was kept, because all was as in HEAD.
    """

    commit: str
    dirty: bool
    tree: str
    kept: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The code, and the paths in which the work tree may differ from HEAD: of tracked files, and of others that git
    does not ignore, outside the directories of artifacts."""

    code: Code
    touched: frozenset[str] = frozenset()
    untracked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class KeptTree:
    """A work tree that was kept: the commit, its tree, and what is not in it with the reason why."""

    commit: str
    tree: str
    left_out: tuple[tuple[str, str], ...] = field(default=())


def code_state(repo: Repository) -> Code:
    """What HEAD and the tracked files are; StrataError before the first commit."""
    return look(repo).code


def look(repo: Repository) -> Seen:
    """The code, and what differs; StrataError before the first commit."""
    from strata_git.repo.history import read_commit
    from strata_git.repo.staged import staged_changes
    from strata_git.repo.tree import commit_tree, tree_oid
    from strata_git.repo.worktree import start_unsettled

    head = repo.head()
    if head is None:
        raise StrataError(
            "There is no commit yet: a run must name the code it came from.",
            hint='git add --all && git commit -m "Begin"',
        )
    looking = start_unsettled(repo, None)
    tree = read_commit(repo, head).tree
    tracked = {os.fsdecode(path) for path in repo.git("ls-files", "-z").split(b"\0")[:-1]}
    staged = {change.path for change in staged_changes(repo)}
    unsettled = looking()
    touched = staged | (unsettled & tracked)
    beside = frozenset(path for path in unsettled - tracked if path.partition("/")[0] not in ROOTS)
    if not touched:
        return Seen(Code(head, False, tree), untracked=beside)
    seen = WorkTree(repo, touched)
    entries = [entry for entry in commit_tree(repo, head).under("") if entry.path not in touched]
    now = [entry for path in touched if (entry := seen.get(path)) is not None]
    actual = tree_oid([*entries, *now], "", repo.object_format)
    return Seen(Code(head, actual != tree, actual), frozenset(touched), beside)


def keep(
    repo: Repository,
    seen: Seen,
    run: str,
    *,
    now: datetime,
    allow: Collection[str] = (),
    told: Callable[[str], None] = lambda _: None,
) -> Code:
    """Keep the work tree for the run `run`, and return its code with the tree that was kept.

    Where all is as in HEAD nothing changes. `allow` is the setting `secrets.allow`; `told` hears a sentence for each
    file left out. Raises StrataError when git refuses; then nothing is kept.
    """
    if not (seen.code.dirty or seen.untracked):
        return seen.code
    kept = write_tree(repo, seen, run, now=now, allow=allow)
    for path, reason in kept.left_out:
        told(f"{printable(path)} is not kept: {reason}")
    if kept.commit == "":
        return seen.code
    from strata_git.repo.refs import Transaction

    transaction = Transaction(repo)
    transaction.create(KEPT + run, kept.commit)
    transaction.commit(f"git-strata run {run}")
    return replace(seen.code, kept=kept.tree)


def drop(repo: Repository, run: str) -> None:
    """Let go of what was kept for a run that leaves no record. Nothing happens where nothing was kept."""
    from strata_git.repo.refs import RefConflict, Transaction, read_ref

    kept = read_ref(repo, KEPT + run)
    if kept is None:
        return
    transaction = Transaction(repo)
    transaction.delete(KEPT + run, kept)
    try:
        transaction.commit()
    except RefConflict:  # whoever moved it keeps it
        return


def write_tree(repo: Repository, seen: Seen, run: str, *, now: datetime, allow: Collection[str]) -> KeptTree:
    """Write the objects of the work tree, and a commit of them ("" where its tree is HEAD's); no reference yet."""
    from strata_git.repo.history import read_commit

    left_out: list[tuple[str, str]] = []
    rows: list[bytes] = []
    blobs: list[tuple[str, str]] = []
    small, reasons = _small_enough(repo, seen)
    left_out += reasons
    tree = WorkTree(repo, small)
    for path in sorted(small):
        entry = tree.get(path)
        if entry is None:
            rows.append(b"0 %s\t%s" % (repo.null_oid.encode(), os.fsencode(path)))
            continue
        if entry.mode == "160000":
            left_out.append((path, "it is a repository of its own"))
            continue
        reason = _secret(tree, path, allow)
        if reason:
            left_out.append((path, reason))
            continue
        blobs.append((path, entry.oid))
        rows.append(b"%s %s\t%s" % (entry.mode.encode(), entry.oid.encode(), os.fsencode(path)))
    _store(repo, tree, blobs)
    written = _written(repo, seen.code.commit, rows)
    if written == read_commit(repo, seen.code.commit).tree:
        return KeptTree("", written, tuple(left_out))
    return KeptTree(_commit(repo, seen.code.commit, written, run, now, left_out), written, tuple(left_out))


def _small_enough(repo: Repository, seen: Seen) -> tuple[set[str], list[tuple[str, str]]]:
    """Paths to keep, and the untracked ones that are not: too large to be looked through, and not for Git LFS."""
    from strata_git.checks.secrets import SCAN_LIMIT
    from strata_git.repo.worktree import lfs_paths

    root, large = repo.require_worktree(), {}
    for path in seen.untracked:
        try:
            size = os.lstat(root / path).st_size
        except OSError:
            continue
        if size > SCAN_LIMIT and not os.path.isdir(root / path):
            large[path] = size
    large_here = set(large) - (lfs_paths(repo, large) if large else set())
    reasons = [(path, f"{large[path]} bytes, untracked and not for Git LFS") for path in sorted(large_here)]
    return set(seen.touched | seen.untracked) - large_here, reasons


def _secret(tree: WorkTree, path: str, allow: Collection[str]) -> str:
    """Why a file must not be kept; "" when nothing speaks against it. Large and LFS content is not looked through."""
    from strata_git.checks.secrets import SCAN_LIMIT, Allowance, allowed_in, look_through

    base = path.rpartition("/")[2].lower()
    if base.startswith(".env") and not base.endswith(_EXAMPLES) and base != ".envrc.example":
        return "files of this name hold secrets"
    entry = tree.get(path)
    if entry is None or tree.content(entry).stored == "pointer" or entry.mode == "120000":
        return ""
    try:
        data = tree.read(entry, SCAN_LIMIT)
    except ValueError:  # larger, and tracked: it is in the repository already
        return ""
    passed = {word.removeprefix("sha256:") for word in allow} | allowed_in(data, Allowance.of(allow))
    for _, line, kind, sha256, _ in look_through(path, data):
        if sha256 not in passed:
            return f"line {line} holds what looks like {kind}"
    return ""


def _store(repo: Repository, tree: WorkTree, blobs: Iterable[tuple[str, str]]) -> None:
    """Put the content of the entries into the object database, that of LFS files into git-lfs's own place."""
    from strata_git.repo.tree import READ_LIMIT

    root, plain = repo.require_worktree(), []
    for path, oid in blobs:
        entry = tree.get(path)
        assert entry is not None  # noqa: S101 - it was there when the list was made
        content = tree.content(entry)
        if content.stored != "pointer" and entry.mode != "120000" and "\n" not in path:
            plain.append((path, oid))
            continue
        data = tree.read(entry, READ_LIMIT)
        if content.stored == "pointer" and os.lstat(root / path).st_size == content.size:
            _store_lfs(repo, root / path, content.sha256)
        _same(path, repo.write_object("blob", data), oid)
    if not plain:
        return
    listed = b"".join(os.fsencode(root / path) + b"\n" for path, _ in plain)
    found = repo.git("hash-object", "-w", "--no-filters", "--stdin-paths", input=listed).decode().split()
    for (path, oid), seen in zip(plain, found, strict=True):
        _same(path, seen, oid)
        repo.objects.learn(oid)


def _store_lfs(repo: Repository, source: Path, sha256: str) -> None:
    from strata_git.repo.files import copy_file

    store = repo.common_dir / (repo.user_config("lfs.storage") or "lfs") / "objects"
    target = store / sha256[:2] / sha256[2:4] / sha256
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{sha256}.{os.getpid()}")
    try:
        copy_file(source, beside)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def _same(path: str, written: str, expected: str) -> None:
    if written != expected:
        raise StrataError(f"{printable(path)} changed while the work tree was being kept.", hint="Run it again.")


def _written(repo: Repository, commit: str, rows: Iterable[bytes]) -> str:
    """The tree of `commit` with `rows` (`MODE OID TAB PATH`) laid over, by an index of its own."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="strata-", dir=repo.git_dir) as scratch:
        own = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        repo.git("read-tree", commit, env=own)
        repo.git("update-index", "--add", "-z", "--index-info", input=b"".join(r + b"\0" for r in rows), env=own)
        return repo.git("write-tree", "--missing-ok", env=own).decode().strip()


def _commit(
    repo: Repository, parent: str, tree: str, run: str, now: datetime, left_out: Iterable[tuple[str, str]]
) -> str:
    """A commit that says nobody's name: who ran it is not recorded unasked."""
    who = f"git-strata <> {int(now.timestamp())} +0000"
    lines = [f"The work tree of {run}", "", "It was not as the commit above it when the run began."]
    lines += [f"Left out: {printable(path)} ({reason})" for path, reason in left_out]
    head = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n"
    return repo.write_object("commit", (head + "\n".join(lines) + "\n").encode())
