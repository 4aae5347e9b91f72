"""What a commit costs with our hooks: one that touches nothing of ours, and one that adds an artifact."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.measure import Contender, Goal, Sample, Samples, interleaved
from benchmarks.repositories import FILES, Place, version

BARE = ("-c", "core.hooksPath=/dev/null")
COMMIT = ("commit", "--quiet", "-m", "Measured")

IDLE_GOALS = (
    Goal("commit touching nothing of ours, small repository", "small: hooks", "small: bare", 1.15),
    Goal("commit touching nothing of ours, many versions", "many: hooks", "many: bare", 1.15),
    Goal("four empty hooks, small repository", "small: empty hooks", "small: bare", float("inf")),
    Goal("four empty hooks, many versions", "many: empty hooks", "many: bare", float("inf")),
)
GROWTH_GOALS = (
    Goal("commit adding one artifact, many versions : 100", "many: hooks", "small: hooks", 1.3),
    Goal("bare git, the same two commits", "many: bare", "small: bare", 1.3),
    Goal("what our hooks add to it, many versions : 100", "many: added", "small: added", 1.3),
    Goal("commit adding one artifact : bare, 100 versions", "small: hooks", "small: bare", float("inf")),
    Goal("commit adding one artifact : bare, many versions", "many: hooks", "many: bare", float("inf")),
)
BULK_GOALS = (
    Goal("our hooks, on a commit of many files in one version", "git-strata", "bare", 2.0, added=True),
    Goal("commit of many files in one version, ours : bare", "git-strata", "bare", float("inf")),
)
BULK = 20_000
"""Files of the one version."""


def bulk(small: Place, files: int, rounds: int) -> Samples:
    """Commits that add one dataset version of very many files, with and without hooks."""
    contenders = [
        Contender("bare", small, _always(("git", *BARE, *COMMIT)), _add(small, "bulk-bare", files)),
        Contender("git-strata", small, _always(("git", *COMMIT)), _add(small, "bulk-hooks", files)),
    ]
    return interleaved(contenders, rounds, warm=1)


def idle(small: Place, many: Place, rounds: int) -> Samples:
    """Commits of a file outside all artifacts, with and without hooks."""
    contenders = []
    for label, place in (("small", small), ("many", many)):
        for side, options in (("bare", BARE), ("hooks", ()), ("empty hooks", _empty_hooks(place))):
            words = ("git", *options, *COMMIT)
            contenders.append(Contender(f"{label}: {side}", place, _always(words), _edit(place, side)))
        require_hooks(place, BARE, False)
        require_hooks(place, (), True)
    return interleaved(contenders, rounds, warm=2)


def adding(small: Place, many: Place, rounds: int) -> Samples:
    """Commits that add one dataset version of ten files; the hooks write the tenth, CHECKSUMS.txt."""
    contenders = []
    for label, place in (("small", small), ("many", many)):
        for side, options in (("bare", BARE), ("hooks", ())):
            words = ("git", *options, *COMMIT)
            contenders.append(Contender(f"{label}: {side}", place, _always(words), _add(place, side)))
    samples = interleaved(contenders, rounds, warm=1)
    for place in (small, many):
        _require_seals(place, rounds + 1)
    added = {f"{label}: added": _difference(samples, label) for label in ("small", "many")}
    return {**samples, **added}


def _difference(samples: Samples, label: str) -> Sequence[Sample]:
    """What hooks add, round by round."""
    pairs = zip(samples[f"{label}: hooks"], samples[f"{label}: bare"], strict=True)
    return [Sample(one.wall - other.wall, one.cpu - other.cpu) for one, other in pairs]


def _empty_hooks(place: Place) -> tuple[str, ...]:
    """The least that the four hooks of a commit can cost: scripts that end at once."""
    folder = place.path.parent / f"{place.path.name}-empty"
    folder.mkdir()
    for name in ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)
    return ("-c", f"core.hooksPath={folder}")


def _always(words: tuple[str, ...]) -> Callable[[int], tuple[str, ...]]:
    return lambda _round: words


def _edit(place: Place, side: str) -> Callable[[int], None]:
    def prepare(at: int) -> None:
        place.write({"notes.txt": f"{side} {at}\n".encode()})
        place.git("add", "notes.txt")

    return prepare


def _add(place: Place, side: str, count: int = FILES) -> Callable[[int], None]:
    def prepare(at: int) -> None:
        name = f"new-{side}"
        files = version(name, at + 1, count)
        if side.endswith("hooks"):
            del files[f"datasets/{name}/v{at + 1}/CHECKSUMS.txt"]
        place.write(files)
        place.git("add", "datasets/" + name)

    return prepare


def require_hooks(place: Place, options: tuple[str, ...], expected: bool) -> None:
    """SystemExit unless git itself says that it ran (or did not run) our pre-commit and post-commit for a commit."""
    trace = place.path.parent / "trace"
    trace.unlink(missing_ok=True)
    place.write({"notes.txt": f"traced {expected} {options}\n".encode()})
    place.git("add", "notes.txt")
    Place(place.path, {**place.environ, "GIT_TRACE": str(trace)}).git(*options, *COMMIT, "--allow-empty")
    told = trace.read_text(errors="replace")
    for hook in ("pre-commit", "post-commit"):
        ran = f".git/hooks/{hook}" in told
        if ran is not expected:
            raise SystemExit(f"{place.path.name}: {hook} {'ran' if ran else 'did not run'}; nothing was measured")


def _require_seals(place: Place, count: int) -> None:
    listed = place.git("ls-tree", "-r", "--name-only", "HEAD", "--", "datasets/new-hooks")
    if listed.count(b"/CHECKSUMS.txt\n") != count or listed.count(b"\n") != count * 10:
        raise SystemExit(f"{place.path.name}: the hooks did not seal what was added")
