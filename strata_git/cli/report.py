"""`git strata report`: what a change brings, for the people who take it in; how models did over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from strata_git.cli.output import note, out
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strata_git.index.federation import Part
    from strata_git.report.gates import GateRule
    from strata_git.report.period import By, Source
    from strata_git.report.sections import Page
    from strata_git.report.values import Report, Series

GATES_LIMIT = 1 << 20


@click.command(short_help="Tell what a change brings, or how models did over time.")
@click.option("--base", metavar="REV", help="Report on what --head has that REV does not: origin/main, say.")
@click.option("--head", metavar="REV", help="The other end of the change.  [default: HEAD]")
@click.option("--since", metavar="DATE|REV", help="Report on all that came since: a day, a time, 30d, 12w, a revision.")
@click.option("--until", metavar="DATE|REV", help="With --since: what came before this alone.")
@click.option(
    "--by", type=click.Choice(["week", "month", "model"]), default="model", show_default=True,
    help="With --since: over which periods figures are put together; model: over all the time.",
)  # fmt: skip
@click.option("--federation", is_flag=True, help="With --since: the repositories of `git strata federate`, too.")
@click.option("--gate", "gate_file", type=click.Path(path_type=Path), help="Hold new models to the gates in this file.")
@click.option("--require", multiple=True, metavar="GATE", help="Hold new models to this gate: 'accuracy >= 0.9'.")
@click.option("--policy", is_flag=True, help="Hold new models to what the trust policy asks for in production.")
@click.option(
    "--against", type=click.Choice(["auto", "production", "previous"]), default="auto", show_default=True,
    help="What new models are compared with; auto: the version in production, else the one before.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="End with 2 where it would be 1.")
@click.option(
    "--format", "style", type=click.Choice(["text", "markdown", "html", "json"]), default="text", show_default=True,
    help="How to print. Markdown fits into a comment on a forge; HTML is one file without script.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead.")
@click.pass_obj
def command(
    session: Session, base: str | None, head: str | None, since: str | None, until: str | None,
    by: Literal["week", "month", "model"], federation: bool, gate_file: Path | None, require: tuple[str, ...],
    policy: bool, against: str, strict: bool, style: str, output: Path | None,
) -> int:  # fmt: skip
    """Tell what a change brings: artifacts, metrics beside what is in production, gates, leakage, weak lineage, what
    the doctor finds. Or, with --since, how models and runs did over time.

    Exit code 0: fine; 1: warnings, something to look at, a model that is worse; 2: a gate is not passed, or the doctor
    finds errors. With --since always 0.
    """
    if (base is None) == (since is None):
        raise UsageError("Say --base REV (a change) or --since DATE (a period).", hint="git strata report --base main")
    if since is not None:
        if head or gate_file or require or policy:
            raise UsageError("--head, --gate, --require and --policy go with --base.")
        page, document, courses = _period(session, since, until, by, federation)
        _write(session, page, document, courses, "Overview", style, output)
        return 0
    if until or federation:
        raise UsageError("--until and --federation go with --since.")
    assert base is not None  # noqa: S101 - one of both is said
    gates = _gates(session, gate_file, require, policy, base)
    report = _change(session, base, head or "HEAD", gates, against)
    code = report.exit_code(strict=strict)
    page, document = _of_change(report, base, head or "HEAD", code)
    _write(session, page, document, report.series, "Change", style, output)
    return code


def _gates(
    session: Session, file: Path | None, words: tuple[str, ...], policy: bool, base: str
) -> tuple[GateRule, ...]:
    from strata_git.report.gates import gates_of_policy, gates_said, read_gates

    rules = gates_said(words)
    if file is not None:
        try:
            with open(session.cwd / file, "rb") as stream:
                rules += read_gates(stream.read(GATES_LIMIT), str(file))
        except OSError as error:
            raise StrataError(f"{printable(str(file))} could not be read: {error.strerror}.") from None
    if policy:
        from strata_git.doctor.judge import require_commit
        from strata_git.ledger.trust import read_trust

        repo = session.repository()
        trust = read_trust(repo, session.settings().repository, head=require_commit(repo, base))
        if trust.policy is None:
            raise StrataError(f"No trust policy is in force here: {trust.state}.", hint="git strata trust show")
        rules += gates_of_policy(trust.policy)
        if not rules:
            note("The trust policy asks for no gate on the way into production.")
    return rules


def _change(session: Session, base: str, head: str, gates: tuple[GateRule, ...], against: str) -> Report:
    from strata_git.integrity.gpg import Gpg
    from strata_git.report.gather import gather

    verifier = Gpg(None, environ=session.environ)
    return gather(session.repository(), base, head, gates=gates, against=against, verifier=verifier)


def _of_change(report: Report, base: str, head: str, code: int) -> tuple[Page, dict[str, object]]:
    from strata_git.report.document import report_document
    from strata_git.report.sections import Page, lines_of, sections_of
    from strata_git.report.words import headline

    page = Page(headline(report), code, tuple(lines_of(report, base, head)), tuple(sections_of(report)))
    return page, report_document(report, code)


def _period(
    session: Session, since: str, until: str | None, by: By, federation: bool
) -> tuple[Page, dict[str, object], tuple[Series, ...]]:
    from strata_git.index.build import build
    from strata_git.report.period import overview
    from strata_git.report.period_page import overview_document, overview_page
    from strata_git.report.since import moment_said, source_of

    repo = session.repository()
    begin = moment_said(repo, since)
    end = moment_said(repo, until) if until else ""
    sources: list[Source] = [source_of(repo, build(repo), "here" if federation else "")]
    notes: list[str] = []
    if federation:
        more, notes = _members(session)
        sources += more
    made = overview(sources, begin, end, by, notes)
    return overview_page(made), overview_document(made), made.courses


def _members(session: Session) -> tuple[list[Source], list[str]]:
    """The other repositories of the federation, and what is doubtful about them."""
    from strata_git.index.federate import assemble
    from strata_git.index.federation_told import part_text
    from strata_git.report.period import Source

    federation = assemble(session.repository(), session.settings())
    notes = [f"{doubt.severity}: {doubt.member} {doubt.message}" for doubt in federation.doubts]
    notes += [f"{part.name}: {part_text(part)}" for part in federation.parts[1:]]
    return [Source(part.name, part.index, _directions(session, part)) for part in federation.parts[1:]], notes


def _directions(session: Session, part: Part) -> Mapping[tuple[str, str], str]:
    """What a member's models say of their metrics, where their documents are here."""
    from strata_git.index.fetching import open_member
    from strata_git.index.members import read_members
    from strata_git.report.since import directions_in

    if part.origin != "objects":
        return {}
    inner = open_member(session.repository(), read_members(session.repository())[part.name])
    if inner is None:
        return {}
    try:
        return directions_in(inner, part.index)
    finally:
        inner.close()


def _write(
    session: Session, page: Page, document: dict[str, object], series: tuple[Series, ...], title: str, style: str,
    output: Path | None,
) -> None:  # fmt: skip
    text = _rendered(page, document, series, title, style)
    if output is None:
        if style == "text":
            out(text.rstrip("\n"))
        else:
            click.echo(text, nl=False)
        return
    from strata_git.repo.files import write_file

    write_file(session.cwd / output, text.encode())
    note(f"wrote {output}")


def _rendered(page: Page, document: dict[str, object], series: tuple[Series, ...], title: str, style: str) -> str:
    if style == "json":
        from strata_git.load import dump_json

        return dump_json(document).decode()
    if style == "html":
        from strata_git.report.html import to_html

        return to_html(page, title=title, series=series)
    if style == "markdown":
        from strata_git.report.markdown import to_markdown

        return to_markdown(page)
    from strata_git.report.text import to_text

    return to_text(page) + "\n"
