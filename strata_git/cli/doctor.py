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
from strata_git.cli.trusting import require_trust_option
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.checks.selection import Selection
    from strata_git.doctor.verdict import Verdict

FORMATS = ("text", "json", "sarif", "github", "gitlab", "junit", "markdown")


@click.command(short_help="Judge the repository by its contracts.")
@click.argument("paths", nargs=-1)
@click.option("--strict", is_flag=True, help="Count warnings, and what could not be judged, as errors.")
@click.option("--staged", is_flag=True, help="Judge what the next commit would hold.")
@click.option("--at", "revision", metavar="REV", help="Judge a commit, without a checkout.")
@click.option("--range", "commits", metavar="A..B", help="Judge every commit of B that A has not.")
@click.option("--deep", is_flag=True, help="Hash every byte that is here, in place of believing Git LFS pointers.")
@click.option("--fix", "mend", is_flag=True, help="First make the checksums and counts of unreleased artifacts true.")
@click.option("--rebuild", is_flag=True, help="First forget what is remembered: judge everything again.")
@click.option("--select", multiple=True, metavar="RULE", help="Tell of these rules only: ids, or beginnings: STR-D.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Do not tell of these rules.")
@click.option(
    "--baseline", is_flag=False, flag_value="", metavar="[FILE]",
    help="Write what is found to .strata/baseline.json: from then on it is not told again.",
)  # fmt: skip
@require_trust_option
@click.option("--format", "style", type=click.Choice(FORMATS), default="text", show_default=True, help="How to print.")
@click.pass_obj
def command(
    session: Session, paths: tuple[str, ...], strict: bool, staged: bool, revision: str | None, commits: str | None,
    deep: bool, mend: bool, rebuild: bool, select: tuple[str, ...], ignore: tuple[str, ...], baseline: str | None,
    require_trust: bool, style: str,
) -> int:  # fmt: skip
    """Judge datasets, runs, models and everything around them (TFC-0006).

    Exit code 0: nothing is wrong; 1: warnings; 2: errors.
    """
    from strata_git.doctor.exceptions import chosen

    if sum((staged, revision is not None, commits is not None)) > 1:
        raise UsageError("--staged, --at and --range exclude each other.")
    if paths and (staged or commits is not None):
        raise UsageError("PATHS narrow down the working tree or --at REV; --staged and --range judge all they hold.")
    elsewhere = staged or revision is not None or commits is not None
    if deep and (staged or commits is not None):
        raise UsageError("--deep reads the working tree or --at REV.")
    if elsewhere and (mend or baseline is not None):
        raise UsageError("--fix and --baseline write into the working tree: they judge no other.")
    if baseline is not None and (paths or select or ignore):
        raise UsageError("--baseline takes on all that is found: it goes with neither PATHS nor --select nor --ignore.")
    selection = _selection(select, ignore)
    inside = _repository_paths(session, paths, revision)
    if mend:
        _mend(session, inside)
    if rebuild:
        _forget(session)
    with _progress(style) as progress:
        verdict = _judge(session, inside, staged, revision, commits, deep, progress)
    if baseline is not None:
        verdict = _take_on(session, verdict, baseline)
    verdict = chosen(verdict, selection)
    if require_trust:
        from strata_git.doctor.trust import with_required_trust

        verdict = with_required_trust(verdict, session.repository(), session.settings().repository, revision)
    code = verdict.exit_code(strict=strict)
    _show(verdict, code, style, strict)
    return code


def _selection(select: tuple[str, ...], ignore: tuple[str, ...]) -> Selection:
    from strata_git.checks.selection import Selection, rule_words

    try:
        return Selection(rule_words(select), rule_words(ignore))
    except ValueError as error:
        raise UsageError(
            f"There is no rule '{printable(str(error))}'.", hint="git strata explain lists them."
        ) from None


def _mend(session: Session, paths: list[str]) -> None:
    from strata_git.authoring.fix import fix

    fixed = fix(session.repository(), paths)
    for sealed in fixed.mended:
        note(f"fixed {sealed.artifact.path}: {', '.join(sealed.changed)}")
    for artifact, why in fixed.left:
        note(f"not fixed {artifact.path}: {why}")
    if not fixed.mended and not fixed.left:
        note("nothing to fix: the lists and counts of all unreleased artifacts are true")


def _forget(session: Session) -> None:
    from strata_git.doctor.judge import forget_verdicts

    forget_verdicts(session.repository())


def _take_on(session: Session, verdict: Verdict, file: str) -> Verdict:
    from strata_git.authoring.baseline import write_baseline

    target, left = write_baseline(session.repository(), verdict, file, cwd=session.cwd)
    place = os.path.relpath(target, session.cwd)
    note(f"{len(left.known)} findings are in {place} now.")
    if not file:
        note(f"Next: git add {place} && git commit -m 'Take on what the doctor found'")
    return left


def _judge(
    session: Session, paths: list[str], staged: bool, revision: str | None, commits: str | None, deep: bool,
    progress: Callable[[int], None],
) -> Verdict:  # fmt: skip
    from strata_git.doctor import judge

    repo = session.repository()
    if staged:
        return judge.judge_staged(repo)
    if revision is not None:
        return judge.judge_commit(repo, revision, paths, deep=deep, progress=progress)
    if commits is not None:
        base, dots, tip = commits.partition("..")
        if not dots or not base or tip.startswith("."):
            raise UsageError(
                f"'{commits}' is no range: write A..B.", hint="git strata doctor --range origin/main..HEAD"
            )
        return judge.judge_range(repo, base, tip or "HEAD", progress=progress)
    if repo.worktree is None:
        return judge.judge_commit(repo, "HEAD", paths, deep=deep, progress=progress)
    verdict = judge.judge_worktree(repo, paths, deep=deep, progress=progress)
    return verdict if paths else _with_hooks(session, verdict)


def _with_hooks(session: Session, verdict: Verdict) -> Verdict:
    from strata_git.config import Settings
    from strata_git.doctor.hooks import with_clone

    try:
        settings = session.settings()
    except StrataError:  # unreadable settings are a finding already
        settings = Settings()
    return with_clone(verdict, session.repository(), settings)


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


def _show(verdict: Verdict, code: int, style: str, strict: bool) -> None:
    from strata_git.checks.formats import count, to_text

    if style != "text":
        sys.stdout.flush()
        sys.stdout.buffer.write(_rendered(verdict, code, style, strict))
        sys.stdout.buffer.flush()
    if style == "json":
        return
    if verdict.findings and style == "text":
        out(to_text(verdict.findings))
    for gap in verdict.unjudged:
        note(f"not judged: {gap}")
    if verdict.known:
        note(f"not told: {count(verdict.known)}, known to the baseline")
    if verdict.ignored:
        rules = sorted({finding.rule for finding in verdict.ignored})
        told = f"{', '.join(rules[:5])}{', ...' if len(rules) > 5 else ''}"
        note(f"not told: {count(verdict.ignored)}, of rules left out ({told})")
    partial = verdict.unjudged or verdict.known or verdict.ignored
    nothing = "nothing is wrong in what was judged and told" if partial else "nothing is wrong"
    told = count(verdict.findings) if verdict.findings else nothing
    note(f"{verdict.subject}: {verdict.artifacts} artifacts judged, {told}.")


def _rendered(verdict: Verdict, code: int, style: str, strict: bool) -> bytes:
    """The verdict in a form for programs."""
    from strata_git import __version__
    from strata_git.checks import annotations, junit, markdown, sarif
    from strata_git.checks.formats import to_json

    match style:
        case "sarif":
            return sarif.to_sarif(
                verdict.findings, version=__version__, subject=verdict.subject, exit_code=code,
                unjudged=verdict.unjudged,
            )  # fmt: skip
        case "github":
            return annotations.to_github(verdict.findings, unjudged=verdict.unjudged).encode()
        case "gitlab":
            return annotations.to_gitlab(verdict.findings)
        case "markdown":
            return markdown.to_markdown(
                verdict.findings, subject=verdict.subject, artifacts=verdict.artifacts, exit_code=code,
                unjudged=verdict.unjudged,
            ).encode()  # fmt: skip
        case "junit":
            return junit.to_junit(
                verdict.findings, subject=verdict.subject, artifacts=verdict.artifacts, unjudged=verdict.unjudged,
                strict=strict,
            ).encode()  # fmt: skip
    more = {"subject": verdict.subject, "artifacts": verdict.artifacts, "unjudged": list(verdict.unjudged)}
    left_out = {"baseline": len(verdict.known), "ignored": len(verdict.ignored)}
    return to_json(verdict.findings, {**more, **left_out, "exit_code": code})


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
