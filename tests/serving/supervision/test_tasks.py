"""Tasks are words that run in the project's directory; tests are pytest, with coverage where it is asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from strata_git.contracts.service import Service
from strata_git.errors import StrataError, UsageError
from strata_git.serving.supervision.tasks import has_tests, pytest_words, run_task, task_words

TASKS = {
    "where": {"run": ["sh", "-c", 'pwd; echo "$1" >&2', "sh", "$HOME; touch x"]},
    "fail": {"run": ["${python}", "-c", "raise SystemExit(5)"]},
    "die": {"run": ["sh", "-c", "kill -9 $$"]},
    "none": {"run": ["no-such-program"]},
}


def project(place: Path, **more: Any) -> Any:
    said = {"schema": "strata/service/v1", "name": "bar", "model": "forest@v1", "tasks": TASKS, **more}
    service = Service.model_validate(said)
    return SimpleNamespace(
        name="bar", path="services/bar", service=service, directory=place, code=place / "model-service"
    )


def test_a_task_is_words_and_never_a_line_for_a_shell(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []

    def tell(channel: str, lines: Sequence[str]) -> None:
        told.extend((channel, line) for line in lines)

    def run(task: str, *more: str) -> int:
        return run_task(project(tmp_path), task, environ={"PATH": os.environ["PATH"]}, tell=tell, more=more)

    assert run("where") == 0
    assert sorted(told) == [("err", "$HOME; touch x"), ("out", str(tmp_path))]
    assert list(tmp_path.iterdir()) == []
    assert run("fail") == 5
    assert run("die") == 137
    with pytest.raises(StrataError, match="'no-such-program' was not found"):
        run("none")
    with pytest.raises(UsageError, match="has no task 'wher'") as error:
        run("wher")
    assert error.value.hint == "Did you mean where? There are: die, fail, none, where"
    assert task_words(project(tmp_path), "fail")[0] == sys.executable


def test_tests_are_measured_where_the_service_has_code_and_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "tests/deep").mkdir(parents=True)
    assert not has_tests(project(tmp_path))
    (tmp_path / "tests/deep/test_it.py").write_text("")
    assert has_tests(project(tmp_path))
    plain = pytest_words(project(tmp_path, build={"coverage": None}), ["-x"])
    assert plain[:4] == [sys.executable, "-m", "pytest", "tests"]
    assert plain[-1] == "-x"
    assert not any("cov" in word for word in plain)
    nothing = project(tmp_path)
    nothing.code = None
    assert pytest_words(nothing) == plain[:-1]
    measured = pytest_words(project(tmp_path, build={"coverage": 95}))
    assert {"--cov=model-service", "--cov-fail-under=95"} <= set(measured)
