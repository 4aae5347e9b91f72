"""`git strata doctor`: judge the working tree, the staged tree, a commit or a range."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import note, out
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable

if TYPE_CHECKING:
    from strata_git.doctor.verdict import Verdict


@click.command(short_help="Judge the repository by its contracts.")
@click.argument("paths", nargs=-1)
@click.option("--strict", is_flag=True, help="Count warnings, and what could not be judged, as errors.")
@click.option("--staged", is_flag=True, help="Judge what the next commit would hold.")
@click.option("--at", "revision", metavar="REV", help="Judge a commit, without a checkout.")
@click.option("--range", "commits", metavar="A..B", help="Judge every commit of B that A has not.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def command(
    session: Session, paths: tuple[str, ...], strict: bool, staged: bool, revision: str | None, commits: str | None,
    style: str,
) -> int:  # fmt: skip
    """Judge datasets, runs, models and everything around them (TFC-0006).

    Exit code 0: nothing is wrong; 1: warnings; 2: errors.
    """
    if sum((staged, revision is not None, commits is not None)) > 1:
        raise UsageError("--staged, --at and --range exclude each other.")
    if paths and (staged or commits is not None):
        raise UsageError("PATHS narrow down the working tree or --at REV; --staged and --range judge all they hold.")
    with _progress(style) as progress:
        verdict = _judge(session, _repository_paths(session, paths, revision), staged, revision, commits, progress)
    code = verdict.exit_code(strict=strict)
    _show(verdict, code, style)
    return code


def _judge(
    session: Session, paths: list[str], staged: bool, revision: str | None, commits: str | None,
    progress: Callable[[int], None],
) -> Verdict:  # fmt: skip
    from strata_git.doctor import judge

    repo = session.repository()
    if staged:
        return judge.judge_staged(repo)
    if revision is not None:
        return judge.judge_commit(repo, revision, paths, progress=progress)
    if commits is not None:
        base, dots, tip = commits.partition("..")
        if not dots or not base or tip.startswith("."):
            raise UsageError(
                f"'{commits}' is no range: write A..B.", hint="git strata doctor --range origin/main..HEAD"
            )
        return judge.judge_range(repo, base, tip or "HEAD", progress=progress)
    if repo.worktree is None:
        return judge.judge_commit(repo, "HEAD", paths, progress=progress)
    return judge.judge_worktree(repo, paths, progress=progress)


def _repository_paths(session: Session, paths: tuple[str, ...], at: str | None) -> list[str]:
    from pathlib import Path

    root = session.repository().worktree
    if root is None:
        return [path.strip("/") for path in paths]
    inside = []
    for path in paths:
        full = Path(session.cwd, path)
        full = full.parent.resolve() / full.name if full.name not in ("", "..", ".") else full.resolve()
        if not full.is_relative_to(root.resolve()):
            raise UsageError(f"{printable(path)} is outside the repository.")
        relative = full.relative_to(root.resolve()).as_posix()
        if at is None and not os.path.lexists(full) and not session.repository().git("ls-files", "--", relative):
            raise UsageError(f"{printable(path)} is not there: nothing would be judged.")
        if relative != ".":
            inside.append(relative)
    return inside


def _show(verdict: Verdict, code: int, style: str) -> None:
    from strata_git.checks.formats import count, to_json, to_text

    if style == "json":
        more = {
            "subject": verdict.subject,
            "artifacts": verdict.artifacts,
            "unjudged": list(verdict.unjudged),
            "exit_code": code,
        }
        sys.stdout.buffer.write(to_json(verdict.findings, more))
        sys.stdout.buffer.flush()
        return
    if verdict.findings:
        out(to_text(verdict.findings))
    for gap in verdict.unjudged:
        note(f"not judged: {gap}")
    nothing = "nothing is wrong in what was judged" if verdict.unjudged else "nothing is wrong"
    told = count(verdict.findings) if verdict.findings else nothing
    note(f"{verdict.subject}: {verdict.artifacts} artifacts judged, {told}.")


@contextmanager
def _progress(style: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, silence elsewhere; it appears only once work has gone on for a while."""
    if style != "text" or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(
        TextColumn("judging"), BarColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("judging", total=None)
        yield lambda step: bar.advance(task, step)
