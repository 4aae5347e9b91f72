"""Code of the service's own: that it is Python with the right functions, and what ruff says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from strata_git.errors import StrataError, printable
from strata_git.serving.checked import Subject, Verdict
from strata_git.serving.own_code import check_code
from strata_git.serving.project.project import CODE, own_code

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = 20
_SECONDS, _MOST = 60.0, 8 << 20


def judge(subject: Subject) -> Iterator[Verdict]:
    """Errors for code that cannot be called, warnings of ruff, and one where no test runs it."""
    project = subject.project
    code = own_code(project)
    if code is None:
        return
    try:
        check_code(code)
    except StrataError as error:
        yield Verdict("code", "error", error.message, error.hint)
        return
    if code.lang == "r":
        yield Verdict("code", "skipped", "R is not looked into; it is run by the gate")
        return
    if not any((project.directory / "tests").glob("**/test_*.py")):
        message = f"no test of {project.path}/{CODE} (tests/test_*.py)"
        yield Verdict("code", "warning", message, f"git strata service test {project.name}")
    yield from _ruff(subject, project.directory)


def _ruff(subject: Subject, directory: Path) -> Iterator[Verdict]:
    if find_spec("ruff") is None:
        yield Verdict("code", "skipped", "ruff is not installed", "pip install ruff")
        return
    from strata_git.repo.process import run_within
    from strata_git.serving.supervision.child import python

    command = [
        *python("ruff", "check"), "--no-cache", "--no-fix", "--exit-zero", "--output-format=json", CODE,
    ]  # fmt: skip
    known = {name: subject.environ[name] for name in ("PATH", "HOME", "LANG") if name in subject.environ}
    done = run_within(command, directory=directory, env=known, seconds=_SECONDS, most=_MOST)
    try:
        found = json.loads(done.out)
    except ValueError:
        yield Verdict("code", "warning", f"ruff could not judge it: {done.reason}")
        return
    for one in found[:SHOWN]:
        place = str(one["filename"]).removeprefix(f"{directory}/")
        where = f"{subject.project.path}/{place}:{one['location']['row']}"
        yield Verdict("code", "warning", printable(f"{where}: {one['code']}: {one['message']}"), "ruff check")
    if len(found) > SHOWN:
        yield Verdict("code", "warning", f"and {len(found) - SHOWN} findings of ruff more")
