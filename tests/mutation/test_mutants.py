"""The tests notice: each mutant in the list is caught by the tests named beside it, and by a test that fails.

`pytest tests/mutation -m heavy` tells them; the list itself is checked with every run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.mutation.mutants import LEAST, Mutant
from tests.mutation.mutants import MUTANTS as JUDGEMENT
from tests.mutation.readers import READERS
from tests.mutation.trust import TRUST

ROOT = Path(__file__).parent.parent.parent
MUTANTS = (*JUDGEMENT, *READERS, *TRUST)
FAILED = 1
"""pytest's exit code for tests that ran and failed; 2 and more are errors of collecting or of use."""
TIMEOUT = 300
GUARD = """
import sys
from pathlib import Path

def pytest_sessionfinish(session, exitstatus):
    loaded = {n: m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] in ("strata_git", "tests")}
    odd = sorted(n for n, file in loaded.items() if file and not Path(file).is_relative_to(session.config.rootpath))
    if odd or "strata_git" not in loaded:
        print(f"not the copy was tested: {odd}")
        session.exitstatus = 9
"""
"""Loaded into every run: whatever it imported of ours must be the copy."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The package and its tests in a directory of their own, to be altered."""

    root: Path
    sound: dict[str, str] = field(default_factory=dict, repr=False)

    def test(self, selection: str) -> subprocess.CompletedProcess[str]:
        """Run `selection` on the copy as it is now; property tests draw the same examples each time."""
        words = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", "-p", "guard"]
        words += ["--hypothesis-profile=mutants", "--rootdir", str(self.root), *selection.split()]
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
        environ |= {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            words, cwd=self.root, env=environ, capture_output=True, text=True, check=False, timeout=TIMEOUT
        )

    def check_sound(self, selection: str) -> None:
        """`selection` passes while nothing is altered; asked once."""
        if selection not in self.sound:
            done = self.test(selection)
            self.sound[selection] = done.stdout + done.stderr if done.returncode else ""
        assert not self.sound[selection], f"fails without a mutant\n{self.sound[selection]}"

    @contextmanager
    def altered(self, mutant: Mutant) -> Iterator[None]:
        """The copy with one mutant in it."""
        place = self.root / "strata_git" / mutant.file
        text = place.read_text()
        place.write_text(text.replace(mutant.old, mutant.new))
        try:
            yield
        finally:
            place.write_text(text)


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """One copy for each worker, with the bytecode of the original: it fits what has its time and size, no mutant."""
    root = tmp_path_factory.mktemp("mutation")
    leave = shutil.ignore_patterns(".*", "mutation")
    for directory in ("strata_git", "tests"):
        shutil.copytree(ROOT / directory, root / directory, ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "guard.py").write_text(GUARD)
    return Copy(root)


@pytest.mark.heavy
@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.label for mutant in MUTANTS])
def test_the_mutant_is_caught(copy: Copy, mutant: Mutant) -> None:
    copy.check_sound(mutant.tests)
    with copy.altered(mutant):
        done = copy.test(mutant.tests)
    told = done.stdout[-4000:] + done.stderr[-2000:]
    assert done.returncode == FAILED, f"not caught by {mutant.tests}: {mutant.why}\n{told}"
    assert re.search(r"^1 failed", done.stdout, re.MULTILINE), told


@pytest.mark.heavy
def test_a_mutant_that_breaks_the_import_is_not_called_caught(copy: Copy) -> None:
    broken = Mutant(
        "errors.py", "from __future__", "import absent\nfrom __future__", "tests/contracts/test_base.py", ""
    )
    with copy.altered(broken):
        assert copy.test(broken.tests).returncode > FAILED


@pytest.mark.heavy
def test_the_guard_speaks_where_something_else_is_tested(copy: Copy, tmp_path: Path) -> None:
    """The same question put to the package that is installed here."""
    shutil.copy(copy.root / "guard.py", tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "test_it.py").write_text("from strata_git import errors\n\ndef test_it():\n    assert errors\n")
    words = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-p", "guard", "test_it.py"]
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{copy.root}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stdout + done.stderr


# --- the list


def test_every_mutant_still_finds_its_place() -> None:
    counts = {mutant.label: (ROOT / "strata_git" / mutant.file).read_text().count(mutant.old) for mutant in MUTANTS}
    assert {label: count for label, count in counts.items() if count != 1} == {}


def test_every_mutant_is_a_program_and_says_something_new() -> None:
    texts = set()
    for mutant in MUTANTS:
        text = (ROOT / "strata_git" / mutant.file).read_text()
        changed = text.replace(mutant.old, mutant.new)
        compile(changed, mutant.file, "exec")
        assert changed != text, mutant.label
        texts.add(changed)
        assert mutant.why
    assert len(texts) == len({mutant.label for mutant in MUTANTS}) == len(MUTANTS)


def test_the_tests_named_are_there() -> None:
    assert [m.tests for m in MUTANTS if not (ROOT / m.tests.partition("::")[0]).is_file()] == []


def test_every_room_is_tried() -> None:
    assert len(MUTANTS) >= 30
    for room, least in LEAST.items():
        assert sum(mutant.room == room for mutant in MUTANTS) >= least, room
