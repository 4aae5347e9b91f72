"""No bytes bring a reader down, and what it takes it takes in one form: `grammars.TARGETS`, short and guided.

`make fuzz` is the long form: a million inputs for each grammar.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.grammars import HERE, TARGETS, Target
from tests.fuzz.mutations import inputs

ROOT = Path(__file__).parents[2]
SHORT = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SECONDS = 4
"""For each grammar in the guided round."""
guided = pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this machine and Python")


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_seeds_are_what_they_are_called(target: Target) -> None:
    seeds = target.seeds()
    assert {name: target.judge(data) for name, data in seeds.items()} == {
        name: name.startswith("good") for name in seeds
    }
    assert any(name.startswith("good") for name in seeds)
    assert any(name.startswith("bad") for name in seeds)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_anything_is_read_or_refused(target: Target) -> None:
    """And the inputs drawn are worth something: some are accepted, some are not."""
    verdicts = set()

    @SHORT
    @given(data=inputs(target))
    def judged(data: bytes) -> None:
        verdicts.add(target.judge(data))

    judged()
    assert verdicts == {True, False}


def test_every_grammar_has_seeds_and_words_and_nothing_is_left_over() -> None:
    for folder, suffix in (("corpus", ""), ("tokens", ".dict")):
        assert {path.name.removesuffix(suffix) for path in (HERE / folder).iterdir()} == set(TARGETS)
    assert TARGETS["yaml"].tokens()[5:7] == [b"'", b"{"]
    assert b"\xe2\x80\xa8" in TARGETS["yaml"].tokens()


def test_a_slow_input_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fuzz import grammars

    monkeypatch.setattr(grammars, "SLOW", -1.0)
    with pytest.raises(AssertionError, match="s for 4 bytes"):
        TARGETS["yaml"].judge(b"a: 1")


@pytest.mark.heavy
@guided
def test_guided_by_coverage_nothing_is_found_either(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "tests.fuzz",
        "--jobs=2",
        "--runs=200000",
        f"--seconds={SECONDS}",
        f"--found={tmp_path}",
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": ok\n") == len(TARGETS)
    assert " 0 inputs" not in done.stdout


@pytest.mark.heavy
@guided
def test_the_driver_tells_of_what_it_finds(tmp_path: Path) -> None:
    """A reader that falls over one byte: the driver says so, and keeps the input."""
    script = (
        "import tests.fuzz.grammars as g, tests.fuzz.targets as t, tests.fuzz.__main__ as m, sys\n"
        "def pointer(data):\n    assert b'\\xff' not in data\n    return True\n"
        "g.TARGETS['pointer'] = g.Target(pointer)\n"
        f"m._fuzz('pointer', 50000, 20, 1, m.Path({str(tmp_path)!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert [path.read_bytes().count(b"\xff") > 0 for path in (tmp_path / "pointer").glob("crash-*")] == [True]
