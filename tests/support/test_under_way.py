"""A suite that is asked to end tells what it had found, and what it was at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.fixtures import ROOT

TESTS = """
import os, signal, time

def test_bad():
    assert False

def test_long():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""


def test_what_was_under_way_is_named(tmp_path: Path, hermetic: dict[str, str]) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.under_way", "test_it.py"]
    environ = hermetic | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=50)
    assert done.returncode == 2
    assert "UNDER WAY test_it.py::test_long for " in done.stdout
    assert "FAILED test_it.py::test_bad" in done.stdout
    assert "UNDER WAY test_it.py::test_bad" not in done.stdout
