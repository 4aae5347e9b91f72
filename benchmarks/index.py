"""The index of a long history: made from nothing, asked again, and after one commit; beside git, gto and dvc."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.measure import Contender, Goal, Sample, Samples, interleaved, timed
from benchmarks.repositories import ATTRIBUTES, CREATED, SETTINGS, Place, environment, names, version

COLD, LOG = "git strata index, nothing remembered", "git log --raw"
WARM, START = "git strata list models, asked again", "git strata --version"
GROWN, WHOLE = "git strata index, one new commit", "git strata list datasets, nothing remembered"
LISTED, GTO = "git strata list datasets, asked again, few commits", "gto show"
DVC = "dvc metrics show --all-commits, few commits"
GOALS = (
    Goal("git log --raw : index, cold", COLD, LOG, 2.0),
    Goal("start-up : list models, warm", WARM, START, 1.5),
    Goal("start-up : index, one new commit", GROWN, START, float("inf")),
    Goal("git log --raw : every record judged, cold", WHOLE, LOG, float("inf")),
    Goal("gto show : list models, warm (times faster)", WARM, GTO, 1.0, True),
    Goal("dvc metrics : list datasets, warm (times faster)", LISTED, DVC, 10.0, True),
)
FEW = 60
"""Commits of the repository that dvc is asked about: it takes a large part of a second for each."""
MEMORY = 300 << 20
"""Bytes that reading everything may take."""


def growing(base: Path, versions: int, rounds: int, gto: str | None, dvc: str | None) -> tuple[Samples, int]:
    """Samples over a repository of as many commits as `versions`, and the most bytes that one process of ours took.

    What reads every record is measured once, and so is dvc, in a repository of few commits.
    """
    place = _long(base, versions)
    cache = place.path / ".git/strata/cache"

    def forget(_round: int) -> None:
        shutil.rmtree(cache, ignore_errors=True)

    def grow(turn: int) -> None:
        _add(place, [_commit("later", turn + 1, versions + turn + 1, "refs/heads/main")])

    contenders = [
        Contender(LOG, place, lambda _round: ("git", "log", "--raw")),
        Contender(COLD, place, lambda _round: ("git-strata", "index"), forget),
        Contender(GROWN, place, lambda _round: ("git-strata", "index"), grow),
        Contender(START, place, lambda _round: ("git-strata", "--version")),
        Contender(WARM, place, lambda _round: ("git-strata", "list", "models"), lambda _round: _ask(place, "models")),
        *([Contender(GTO, place, lambda _round: (gto, "show"))] if gto else []),
    ]
    samples = interleaved(contenders, rounds)
    forget(0)
    samples[WHOLE], peak = _measured(place, ("git-strata", "list", "datasets"), rounds)
    if dvc:
        few = _long(base / "few", FEW)
        _ask(few, "datasets")
        samples[LISTED] = [timed(few, ("git-strata", "list", "datasets"))]
        samples[DVC] = [timed(few, (dvc, "metrics", "show", "--all-commits", "--json"))]
    return samples, peak


def _ask(place: Place, plural: str) -> None:
    place.run("git-strata", "list", plural)


def _measured(place: Place, words: tuple[str, ...], times: int) -> tuple[list[Sample], int]:
    """One run, told as often as the others were made, and the most memory that it took itself."""
    process = subprocess.Popen(words, cwd=place.path, env=dict(place.environ), stdout=subprocess.DEVNULL)
    import time

    start = time.perf_counter()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(words)} failed ({process.returncode})")
    sample = Sample(time.perf_counter() - start, used.ru_utime + used.ru_stime)
    return [sample] * times, used.ru_maxrss << 10


def _long(base: Path, versions: int) -> Place:
    """A repository with one commit for each version; nothing is checked out."""
    place = Place(base / "long", environment(base))
    place.path.mkdir(parents=True)
    place.git("init", "--quiet")
    (place.path / ".dvc").mkdir()
    (place.path / ".dvc/config").write_bytes(b"[core]\n    analytics = false\n    check_update = false\n")
    _add(place, _stream(versions))
    place.git("gc", "--quiet")
    counted = int(place.git("rev-list", "--count", "HEAD"))
    if counted != versions + 1:
        raise SystemExit(f"long: {counted} commits in place of {versions + 1}")
    return place


def _add(place: Place, commits: Iterator[bytes] | list[bytes]) -> None:
    with subprocess.Popen(
        ["git", "fast-import", "--quiet", "--done", "--force"], cwd=place.path, env=dict(place.environ),
        stdin=subprocess.PIPE,
    ) as importer:  # fmt: skip
        assert importer.stdin is not None
        importer.stdin.writelines(commits)
        importer.stdin.write(b"done\n")
        importer.stdin.close()
    if importer.returncode != 0:
        raise SystemExit("git fast-import failed")


def _stream(versions: int) -> Iterator[bytes]:
    around = {"strata.yaml": SETTINGS, ".gitattributes": ATTRIBUTES, "dvc.yaml": b"metrics:\n- metrics.json\n"}
    yield _bytes("Settings", around, 0)
    listed = names(100)
    for at in range(versions):
        yield _commit(listed[at % len(listed)], at // len(listed) + 1, at + 1)


def _commit(name: str, number: int, at: int, onto: str = "") -> bytes:
    files = version(name, number) | {"metrics.json": b'{"value": %d}\n' % at}
    return _bytes(f"Add {name}@v{number}", files, at, onto)


def _bytes(subject: str, files: dict[str, bytes], at: int, onto: str = "") -> bytes:
    who = f"committer Ada Measurer <ada@example.org> {CREATED + at} +0000\n"
    onto = f"from {onto}^0\n" if onto else ""  # the first of a stream has to say so
    head = f"commit refs/heads/main\n{who}data {len(subject)}\n{subject}\n{onto}".encode()
    body = b"".join(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(d), d) for path, d in files.items())
    return head + body


def told(samples: Samples, peak: int, versions: int) -> str:
    """The row's name, with the memory and what one new commit costs more than starting up."""
    more = median(sample.cpu for sample in samples[GROWN]) - median(sample.cpu for sample in samples[START])
    fits = "holds" if peak <= MEMORY else "MISSED"
    return (
        f"index: {versions} versions in as many commits; memory {peak >> 20} MB (<= {MEMORY >> 20} MB: {fits});"
        f" one new commit {1000 * more:.0f} ms of processor time more than starting up"
    )
