"""A report cut into sections of cells, which each renderer writes in its own way. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from strata_git.checks.formats import count
from strata_git.index.render import signature_text
from strata_git.report.plots import figure, sparkline
from strata_git.report.values import Measured, Report
from strata_git.report.words import HOW, ROLE_SIGNS, SEVERITIES, TOPICS, VERDICTS, bytes_text, event_text, way

Style = Literal["prose", "code", "sign", "number", "plain"]


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of others as `prose`, names as `code`; `sign`, `number` and `plain` are our own words and figures."""

    text: str
    style: Style = "plain"


@dataclass(frozen=True, slots=True)
class Section:
    """A table: its title, the heads of its columns, and the rows, what decides first."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report before it is written: a headline with the exit code it stands for (None: nothing is judged),
    lines below it, sections."""

    headline: str
    code: int | None
    lines: tuple[tuple[Cell, ...], ...]
    sections: tuple[Section, ...]


def named(text: str) -> Cell:
    """A name."""
    return Cell(text, "code")


def said(text: str) -> Cell:
    """What somebody wrote."""
    return Cell(text, "prose")


def sign(text: str) -> Cell:
    """A sign of ours."""
    return Cell(text, "sign")


def number(text: str) -> Cell:
    """A figure."""
    return Cell(text, "number")


def sections_of(report: Report) -> Iterator[Section]:
    """The parts that have something to tell, what decides first."""
    made = (_gates, _metrics, _doubts, _doctor, _artifacts, _history, _promotions, _signatures)
    for section in (make(report) for make in made):
        if section.rows:
            yield section


def lines_of(report: Report, base: str, head: str) -> Iterator[tuple[Cell, ...]]:
    """What stands below the headline; `base` and `head` are the names people know."""
    parted = named(f"{base} ({report.base[:12]})"), Cell("to"), named(f"{head} ({report.head[:12]})")
    yield (*parted, Cell(f"{len(report.commits)} commits"))
    yield (Cell(_size(report)),)
    for note in (*report.notes, *(f"not judged: {gap}" for gap in report.verdict.unjudged)):
        yield (said(note),)


def _gates(report: Report) -> Section:
    rows = [
        (sign("✅" if each.why is None else "❌"), named(each.reference), named(each.gate), said(each.why or "passes"))
        for each in sorted(report.gated, key=lambda each: each.why is None)
    ]
    return Section("Gates", ("", "model", "gate", ""), tuple(rows))


def _metrics(report: Report) -> Section:
    heads = ("", "what", "metric", "now", "before", "change", "compared with", "")
    return Section("Metrics", heads, tuple(_measured(each) for each in report.measured))


def _measured(each: Measured) -> tuple[Cell, ...]:
    now, before = each.figure, each.before
    told = VERDICTS[each.verdict] + (f", tolerance {figure(now.tolerance)}" if now.tolerance else "")
    return (
        sign(ROLE_SIGNS[each.verdict]),
        named(each.reference),
        named(f"{each.metric} {way(now.direction)}".rstrip()),
        number(figure(now.value) + _samples(now.n)),
        number(figure(before.value) + _samples(before.n) if before else ""),
        number(f"{each.delta:+.6g}" if each.delta is not None else ""),
        named(each.against) if each.against else Cell(""),
        Cell(f"{each.role}: {told}" if each.against else told),
    )


def _samples(n: int | None) -> str:
    return f" (n={n})" if n is not None else ""


def _doubts(report: Report) -> Section:
    rows = [(sign("⚠️"), Cell(TOPICS[d.topic]), named(d.reference), said(d.message)) for d in report.doubts]
    return Section("To look at", ("", "", "artifact", "what is the case"), tuple(rows))


def _doctor(report: Report) -> Section:
    rows = []
    for finding in report.verdict.findings:
        place = f"{finding.path}:{finding.line}" if finding.line else finding.path
        at = named(finding.commit[:12]) if finding.commit else Cell("")
        rows.append((sign(SEVERITIES[finding.severity]), Cell(finding.rule), named(place), at, said(finding.message),
                     said(finding.fix)))  # fmt: skip
    heads = ("", "rule", "where", "commit", "what is the case", "what to do")
    return Section(f"Doctor: {count(report.verdict.findings)}", heads, tuple(rows))


def _artifacts(report: Report) -> Section:
    rows = [
        (sign(HOW[change.how]), named(change.reference), Cell(f"{change.files} files, {bytes_text(change.bytes)}"),
         said(", ".join(change.signers) or "not signed"), said(change.description))
        for change in report.changes
    ]  # fmt: skip
    return Section("Artifacts", ("", "artifact", "size", "signed by", "description"), tuple(rows))


def _history(report: Report) -> Section:
    rows = [
        (named(each.name), named(f"{each.metric} {way(each.direction)}".rstrip()),
         Cell(sparkline([value for _, value in each.points])),
         number(f"{figure(each.points[0][1])} → {figure(each.points[-1][1])}"), number(str(len(each.points))))
        for each in report.series if each.points
    ]  # fmt: skip
    return Section("History", ("model", "metric", "", "first and last", "versions"), tuple(rows))


def _promotions(report: Report) -> Section:
    rows = [(sign("" if each.sound else "❌"), named(each.tag), said(event_text(each))) for each in report.events]
    return Section("Promotions", ("", "event", "what it says"), tuple(rows))


def _signatures(report: Report) -> Section:
    signed = [commit for commit in report.commits if commit.signature]
    rows: list[tuple[Cell, ...]] = [
        (named(commit.commit[:12]), said(commit.subject), said(signature_text(commit.signature))) for commit in signed
    ]
    missing = len(report.commits) - len(signed)
    if missing:
        rows.append((Cell(""), Cell(f"{missing} of {len(report.commits)} commits"), Cell("not signed")))
    return Section("Signatures of commits", ("commit", "subject", "signed by"), tuple(rows))


def _size(report: Report) -> str:
    size = report.size
    lfs = f", of which {bytes_text(size.lfs_bytes)} in {size.lfs_files} files by Git LFS" if size.lfs_files else ""
    unknown = f"; {size.unknown} files are not here" if size.unknown else ""
    return f"{bytes_text(size.bytes)} in {size.files} files come in{lfs}{unknown}"
