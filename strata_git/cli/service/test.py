"""`git strata service test`: golden predictions, then the project's own tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import note, out
from strata_git.cli.service.task import handed_on
from strata_git.cli.services import opened, set_option
from strata_git.cli.session import Session

if TYPE_CHECKING:
    from strata_git.serving.project.project import Project


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
@click.option("--container", is_flag=True, help="In the service's image (built where it is not here), by its engine.")
@set_option
@click.pass_obj
def command(session: Session, name: str, more: tuple[str, ...], container: bool, overrides: tuple[str, ...]) -> int:
    """Let the model pass the gate with its golden predictions, then run the tests in tests/ by pytest.

    MORE words go to pytest. Code of the service's own is measured by coverage as build.coverage says. Exit code 2
    where the gate refuses, a test fails, or too little is covered.
    """
    from strata_git.serving.gate import open_model
    from strata_git.serving.project.project import demands
    from strata_git.serving.supervision.tasks import has_tests, run_tests

    project = opened(session, name, overrides)
    if container:
        return _in_image(session, project, more, overrides)
    repo, settings = session.repository(), session.settings()
    loaded = open_model(repo, settings, project.service.model, demands=demands(project))
    golden = next((step for step in loaded.steps if step.name == "golden"), None)
    if golden is not None:
        out(f"golden: {golden.verdict}, {golden.message}")
    if not has_tests(project):
        note(f"{project.path} has no tests (tests/test_*.py).")
        if project.code is not None and project.service.build.coverage:
            note(f"Its own code is to be tested: build.coverage asks for {project.service.build.coverage} %.")
            return 2
        return 0
    code = run_tests(project, environ=session.environ, tell=handed_on, more=more)
    return 0 if code == 0 else 2 if code < 128 else code


def _in_image(session: Session, project: Project, more: Sequence[str], overrides: Sequence[str]) -> int:
    from strata_git.serving.image.engines import find_engine
    from strata_git.serving.image.prepared import prepared
    from strata_git.serving.image.testing import run_in_image

    engine = find_engine(project.service.build.engine, session.environ, to_run=True)
    image = prepared(project, engine, session.environ, overrides, lambda level, text: note(text, level))
    code = run_in_image(project, engine, image.id, environ=session.environ, tell=handed_on, more=more)
    return 0 if code == 0 else 2
