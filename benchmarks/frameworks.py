"""What a commit that adds an artifact costs beside hook frameworks that do nothing, and what our gate alone costs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

from benchmarks.commits import BARE, COMMIT
from benchmarks.measure import Contender, Goal, Samples, interleaved
from benchmarks.repositories import Place, version

CONFIG = """\
repos:
  - repo: local
    hooks:
      - id: nothing
        name: nothing
        entry: {entry}
        language: system
        always_run: true
        pass_filenames: false
"""
NOTHING, PYTHON = '"true"', f"{sys.executable} -c pass"
"""What the one hook of a framework runs: a program that ends at once, or Python that ends at once, as a hook in
Python at least must."""
GOALS = (
    Goal("commit adding one artifact, ours : pre-commit, one empty hook", "git-strata", "pre-commit", 1.0),
    Goal("commit adding one artifact, ours : prek, one empty hook", "git-strata", "prek", 1.0),
    Goal("commit adding one artifact, ours : prek, an empty Python", "git-strata", "prek, Python", 1.0),
    Goal("commit adding one artifact, ours : pre-commit, an empty Python", "git-strata", "pre-commit, Python", 1.0),
    Goal("commit adding one artifact, ours : bare", "git-strata", "bare", float("inf")),
)
GATE_GOALS = (
    Goal("the gate alone, small repository", "small: gate", "small: empty script", 0.010, added=True),
    Goal("the gate alone, many versions", "many: gate", "many: empty script", 0.010, added=True),
)


def beside(small: Place, rounds: int) -> Samples:
    """The same ten-file commit in copies of one repository: bare, ours, and under pre-commit and prek with one hook."""
    contenders = [
        Contender("bare", small, lambda _round: ("git", *BARE, *COMMIT), _adding(small, "bare-side")),
        Contender("git-strata", small, lambda _round: ("git", *COMMIT), _adding(small, "our-side", sealed=False)),
    ]
    for name in ("pre-commit", "prek", "pre-commit, Python", "prek, Python"):
        program, _, language = name.partition(", ")
        place = _framework(small, program, PYTHON if language else NOTHING)
        contenders.append(Contender(name, place, lambda _round: ("git", *COMMIT), _adding(place, program)))
    return interleaved(contenders, rounds, warm=2)


def gate(small: Place, many: Place, rounds: int) -> Samples:
    """Our pre-commit script where nothing of ours is staged, beside a script that ends at once."""
    contenders = []
    for label, place in (("small", small), ("many", many)):
        empty = place.path.parent / f"{label}-empty-script"
        empty.write_text("#!/bin/sh\nexit 0\n")
        empty.chmod(0o755)
        script = place.path / ".git/hooks/pre-commit"
        for side, words in (("gate", str(script)), ("empty script", str(empty))):
            contenders.append(Contender(f"{label}: {side}", place, _always(words)))
    return interleaved(contenders, rounds, warm=2)


def _always(*words: str) -> Callable[[int], tuple[str, ...]]:
    return lambda _round: words


def _framework(small: Place, program: str, entry: str) -> Place:
    """A copy of `small` whose only hook is that of a framework with one hook that runs `entry`."""
    path = small.path.parent / f"with-{program}{'' if entry == NOTHING else '-python'}"
    place = Place(path, small.environ)
    shutil.copytree(small.path, path, symlinks=True)
    shutil.rmtree(path / ".git/hooks")
    place.write({".pre-commit-config.yaml": CONFIG.format(entry=entry).encode()})
    place.git("add", ".pre-commit-config.yaml")
    place.git(*COMMIT)
    place.run(program, "install")
    place.git("status")
    return place


def _adding(place: Place, name: str, *, sealed: bool = True) -> Callable[[int], None]:
    """A new dataset version of ten files; where hooks seal, they write the tenth."""

    def prepare(at: int) -> None:
        files = version(name, at + 1)
        if not sealed:
            del files[f"datasets/{name}/v{at + 1}/CHECKSUMS.txt"]
        place.write(files)
        place.git("add", f"datasets/{name}")

    return prepare
