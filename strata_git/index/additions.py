"""Which commits add which artifacts: asked of git once for each commit, and kept in segments.

What a commit adds depends on it and its parents alone. A *tip* is a commit whose whole history has been read; it names
the segments in which stands what its history adds, so a new commit costs the walk down to known tips and no more. A
*head* is a commit whose history has been read as well, but is told apart from that of others only by walking it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from strata_git.contracts.layout import ROOTS, artifact_of
from strata_git.index.store import Store
from strata_git.repo.command import Repository

Progress = Callable[[int], None]
_STATE, _ASIDE = "history", "aside"
_TIPS, _HEADS = 24, 400
_SAMPLE, _AT_ONCE = 500, 20_000
"""Commits that git is asked about at once; what was read so far is put aside after each round."""


@dataclass(frozen=True, slots=True, order=True)
class Addition:
    """`commit` has files of an artifact that none of its parents has. `generation` is the length of the longest way
    from it to a root, so an ancestor always comes first, whatever the clocks said."""

    generation: int
    commit: str


def read_history(
    repo: Repository, store: Store, revision: str, progress: Progress | None = None
) -> dict[str, Addition]:
    """Path of each artifact that the history of the commit `revision` ever had -> its first addition.

    Where several commits add the same artifact, the one nearest to a root counts, and of those as near the one with the
    least id: so the answer does not depend on what was read before. Raises StrataError where git cannot walk the
    history (a partial clone).
    """
    first: dict[str, tuple[int, str]] = {}
    for path, commit, generation in _Reader(repo, store, progress).of(revision):
        addition = (generation, commit)
        if path not in first or addition < first[path]:
            first[path] = addition
    return {path: Addition(*addition) for path, addition in first.items()}


def read_additions(
    repo: Repository, store: Store, revisions: Sequence[str], progress: Progress | None = None
) -> dict[str, list[Addition]]:
    """All additions of each artifact, in order, in the histories of all `revisions` together."""
    found: dict[str, set[Addition]] = {}
    reader = _Reader(repo, store, progress)
    for path, commit, generation in reader.of(revisions[0]) if len(revisions) == 1 else reader.of_all(revisions):
        found.setdefault(path, set()).add(Addition(generation, commit))
    return {path: sorted(additions) for path, additions in found.items()}


_Row = tuple[str, str, int]
"""Artifact path, commit, generation."""
_Walked = list[tuple[str, tuple[str, ...]]]
"""Commits with their parents, parents first."""


@dataclass(frozen=True, slots=True)
class _Segment:
    key: str
    size: int


@dataclass(slots=True)
class _State:
    """What is known. `tips` maps a commit to its generation and segments, those used last at the end."""

    tips: dict[str, tuple[int, tuple[_Segment, ...]]] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    side: tuple[_Segment, ...] = ()

    def segments(self) -> dict[str, _Segment]:
        """Every segment by its key."""
        listed = [segment for _, segments in self.tips.values() for segment in segments]
        return {segment.key: segment for segment in (*listed, *self.side)}


class _Reader:
    """One reading. What a shallow clone's boundary cuts off is another history: nothing of before is believed."""

    def __init__(self, repo: Repository, store: Store, progress: Progress | None) -> None:
        self._repo = repo
        self._store = store
        self._progress = progress
        self._cut = hashlib.sha256(_boundary(repo)).hexdigest()[:16]
        self._rows: dict[str, list[_Row]] = {}
        self._stored: set[str] = set()
        self._large = False
        self._state = self._load()

    def of(self, revision: str) -> list[_Row]:
        """Every addition in the history of one commit."""
        rows = self._read_tips([revision])
        if rows is not None:
            return rows
        state = self._state
        new = self._walk([revision], [*state.tips, *state.heads])
        below = _below([revision], new)
        older = self._read_tips(below)
        if older is not None:
            generations = _graded(new, {oid: state.tips[oid][0] for oid in below})
            base = {segment.key: segment for oid in below for segment in state.tips[oid][1]}
        else:  # it branches off between tips: what of all that is known lies in its history, a walk tells
            whole = self._walk([revision], ())
            known = self._known()
            if known is None:
                known, new = [], whole
            generations = _graded(whole, {})
            older = [row for row in known if row[1] in generations]
            base = {}
        fresh = self._added([oid for oid, _ in new], generations)
        segments = self._joined(base.values(), fresh if base else [*older, *fresh])
        state.tips.pop(revision, None)
        state.tips[revision] = (generations.get(revision, 0), segments)
        self._keep()
        return older + fresh

    def of_all(self, revisions: Sequence[str]) -> list[_Row]:
        """Every addition in the histories of several commits."""
        state = self._state
        live = [oid for oid in dict.fromkeys(revisions) if oid in state.tips]
        rows, known = self._read_tips(live), self._known()
        if rows is None or known is None:
            state = self._state = _State()
            live, rows, known = [], [], []
        rest = {oid for oid, _ in self._walk(revisions, live)}
        if not rest:
            return rows
        new = self._walk(revisions, [*state.tips, *state.heads])
        below = _below((), new)
        ground = {oid: state.tips[oid][0] for oid in below if oid in state.tips}
        generations = _graded(new, ground) if len(ground) == len(below) else _graded(self._walk(revisions, ()), {})
        fresh = self._added([oid for oid, _ in new], generations)
        if new:
            parents = {parent for _, names in new for parent in names}
            state.heads += [oid for oid, _ in new if oid not in parents]
            state.side = self._joined(state.side, fresh)
            self._keep()
        return [*rows, *(row for row in known if row[1] in rest), *fresh]

    # -- asking git ---------------------------------------------------------------------------------------------------

    def _walk(self, revisions: Iterable[str], without: Iterable[str]) -> _Walked:
        asked = [*dict.fromkeys(revisions), *(f"^{oid}" for oid in without)]
        out = self._repo.git(
            "rev-list", "--topo-order", "--reverse", "--parents", "--ignore-missing", "--stdin",
            input="".join(f"{name}\n" for name in asked).encode(),
        )  # fmt: skip
        return [(words[0], tuple(words[1:])) for line in out.decode().splitlines() if (words := line.split())]

    def _added(self, commits: Sequence[str], generations: Mapping[str, int]) -> list[_Row]:
        """What each commit adds. Every round is put aside when it is done, so that an interruption costs little."""
        large = self._large = len(commits) > _AT_ONCE
        told = self._aside() if large else {}
        left = [oid for oid in commits if oid not in told]
        dense, at = False, 0
        while at < len(left):
            part = left[at : at + (_AT_ONCE if at else _SAMPLE)]
            answer = _added_by(self._repo, part, whole=dense)
            told |= answer
            if large:
                rows = json.dumps({oid: answer.get(oid, ()) for oid in part}, separators=(",", ":")).encode()
                self._store.put(_ASIDE, {f"{_ASIDE}:{self._cut}:{part[0]}": rows})
            if self._progress is not None:
                self._progress(len(part))
            dense, at = 2 * len(answer) > len(part), at + len(part)
        return [(path, oid, generations[oid]) for oid in commits for path in told.get(oid, ())]

    def _aside(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key, value in self._store.every(_ASIDE).items():
            if key.startswith(f"{_ASIDE}:{self._cut}:"):
                found |= json.loads(value)
        return found

    # -- what is kept -------------------------------------------------------------------------------------------------

    def _load(self) -> _State:
        kept = self._store.get(_STATE).get(_STATE)
        if kept is None:
            return _State()
        said = json.loads(kept)
        state = _State(
            {oid: (generation, _segments(rows)) for oid, (generation, rows) in said["tips"].items()},
            said["heads"], _segments(said["side"]),
        )  # fmt: skip
        self._stored = set(state.segments())
        return state if said["cut"] == self._cut else _State()

    def _keep(self) -> None:
        state = self._state
        state.tips = dict(list(state.tips.items())[-_TIPS:])
        state.heads = list(dict.fromkeys(state.heads))[-_HEADS:]
        here = state.segments()
        said = {
            "cut": self._cut,
            "tips": {oid: [generation, _plain(segments)] for oid, (generation, segments) in state.tips.items()},
            "heads": state.heads,
            "side": _plain(state.side),
        }
        fresh = {key: _as_bytes(self._rows[key]) for key in here if key not in self._stored}
        values = {_STATE: json.dumps(said, separators=(",", ":")).encode(), **fresh}
        aside = self._store.every(_ASIDE) if self._large else ()
        self._store.put(_STATE, values, drop=[*(self._stored - here.keys()), *aside])
        self._stored = set(here)

    def _read_tips(self, oids: Collection[str]) -> list[_Row] | None:
        """What the histories of these commits add; None when one of them is no tip, or is damaged."""
        if any(oid not in self._state.tips for oid in oids):
            return None
        return self._read({segment.key for oid in oids for segment in self._state.tips[oid][1]})

    def _known(self) -> list[_Row] | None:
        """All that was ever read; None when some of it is damaged."""
        return self._read(self._state.segments())

    def _read(self, keys: Iterable[str]) -> list[_Row] | None:
        wanted = list(keys)
        for key, value in self._store.get(*(key for key in wanted if key not in self._rows)).items():
            self._rows[key] = _from_bytes(value)
        if any(key not in self._rows for key in wanted):
            return None
        return [row for key in wanted for row in self._rows[key]]

    def _joined(self, base: Iterable[_Segment], fresh: list[_Row]) -> tuple[_Segment, ...]:
        """`base` and a segment of `fresh`, the larger first; those not half as large as what follows are made one."""
        segments = sorted(base, key=lambda segment: -segment.size)
        rows = sorted(set(fresh))
        while rows and segments and segments[-1].size < 2 * len(rows):
            more = self._read([segments[-1].key])
            if more is None:
                break
            rows = sorted({*rows, *more})
            segments.pop()
        if rows:
            key = f"segment:{hashlib.sha256(_as_bytes(rows)).hexdigest()}"
            self._rows[key] = rows
            segments.append(_Segment(key, len(rows)))
        return tuple(segments)


def _added_by(repo: Repository, commits: Sequence[str], *, whole: bool = False) -> dict[str, list[str]]:
    """The artifacts of which each commit has files that none of its parents has.

    Where most commits add artifacts it is quicker to look at `whole` commits than to have git compare every path with
    the roots; the answer is the same.
    """
    mark = b"\1" + os.urandom(12).hex().encode()  # what nobody can have named a file after
    asked = "".join(f"{oid}\n" for oid in commits)
    form = f"--format=%x01{mark[1:].decode()}%H"
    if whole:
        out = repo.git(
            "log", "--no-walk=unsorted", "--stdin", "--no-show-signature", *_ADDED, form, input=asked.encode()
        )
    else:
        out = repo.git("diff-tree", "--stdin", "-r", form, *_ADDED, "--", *ROOTS, input=asked.encode())
    found: dict[str, list[str]] = {}
    commit, last = "", b"\n"
    for word in out.split(b"\0"):
        token = word.removeprefix(b"\n")
        if token.startswith(last):
            continue
        if token.startswith(mark):
            commit, last = token[len(mark) :].decode(), b"\n"
            continue
        artifact = artifact_of(os.fsdecode(token))
        last = f"{artifact.path}/".encode() if artifact else b"\n"
        if artifact and token.startswith(last):
            paths = found.setdefault(commit, [])
            if artifact.path not in paths[-1:]:
                paths.append(artifact.path)
    return found


_ADDED = (
    "-c", "--root", "-z", "--name-only", "--no-renames", "--diff-filter=A", "--no-ext-diff", "--no-textconv",
    "--no-relative", "--no-notes", "--no-color",
)  # fmt: skip


def _below(revisions: Iterable[str], walked: _Walked) -> set[str]:
    """The commits just below those walked, and those of `revisions` that were known."""
    inside = {oid for oid, _ in walked}
    return {parent for _, parents in walked for parent in parents if parent not in inside} | (set(revisions) - inside)


def _graded(walked: _Walked, below: Mapping[str, int]) -> dict[str, int]:
    """The generation of each commit walked; that of a root is 1."""
    generations = dict(below)
    for oid, parents in walked:
        generations[oid] = 1 + max((generations.get(parent, 0) for parent in parents), default=0)
    return generations


def _boundary(repo: Repository) -> bytes:
    try:
        return (repo.common_dir / "shallow").read_bytes()
    except OSError:
        return b""


def _segments(rows: Iterable[Sequence[object]]) -> tuple[_Segment, ...]:
    return tuple(_Segment(str(key), int(str(size))) for key, size in rows)


def _plain(segments: Iterable[_Segment]) -> list[list[object]]:
    return [[segment.key, segment.size] for segment in segments]


def _as_bytes(rows: Iterable[_Row]) -> bytes:
    return "".join(f"{path} {commit} {generation}\n" for path, commit, generation in rows).encode()


def _from_bytes(data: bytes) -> list[_Row]:
    rows = (line.split(" ") for line in data.decode().splitlines())
    return [(path, commit, int(generation)) for path, commit, generation in rows]
