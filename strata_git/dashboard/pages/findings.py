"""The doctor's findings: all rules that were broken, and a page for each with its places and its clause. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from strata_git.checks.catalog import RULES
from strata_git.checks.clause import clause_text
from strata_git.checks.finding import Finding
from strata_git.dashboard.addresses import ROWS, link, pages_of, rule_page
from strata_git.dashboard.cards import card
from strata_git.dashboard.html import Node, e
from strata_git.dashboard.page import Page
from strata_git.dashboard.parts import STATUS, Cell, Column, badge, by_severity, command, finding, pager, section, table
from strata_git.dashboard.snapshot import Snapshot
from strata_git.dashboard.words import counted

PATH = "findings.html"
_CHECK = "git strata doctor --at "


def all_findings(snapshot: Snapshot) -> list[Finding]:
    """What the doctor says of the commit, and what is wrong with the events of each model."""
    told = list(snapshot.verdict.findings)
    told += [found for _, findings in sorted(snapshot.index.complaints.items()) for found in findings]
    return list(dict.fromkeys(told))


def overview_of_findings(snapshot: Snapshot) -> Page:
    """Every broken rule with the number of places."""
    found = all_findings(snapshot)
    counts = by_severity(found)
    rules: dict[str, list[Finding]] = {}
    for each in found:
        rules.setdefault(each.rule, []).append(each)
    weight = {"error": 0, "warning": 1, "info": 2}
    order = sorted(rules, key=lambda rule: (min(weight[f.severity] for f in rules[rule]), rule))
    rows: list[list[Cell | Node]] = [
        [
            e("a", rule, href=link(PATH, rule_page(rule))),
            Cell(badge(rules[rule][0].severity, STATUS[rules[rule][0].severity]), weight[rules[rule][0].severity]),
            e("span", RULES[rule].summary, class_="said"),
            Cell(str(len(rules[rule])), len(rules[rule])),
        ]
        for rule in order
    ]
    columns = [Column("Rule"), Column("Severity"), Column("What must hold"), Column("Places", numeric=True)]
    hidden = len(snapshot.verdict.known) + len(snapshot.verdict.ignored)
    lead = ", ".join(counted(counts.get(word, 0), word, plural) for word, plural in _SEVERITIES)
    body: tuple[Node, ...] = (
        table("Broken rules", columns, rows, sortable=True) if rows
        else e("p", badge("sound", "good"), " The doctor finds nothing wrong with this commit.", class_="empty"),
        e("p", f"{counted(hidden, 'more')} the workspace asked not to be told.", class_="quiet") if hidden else None,
        *[e("p", f"Not judged: {told}.", class_="quiet") for told in snapshot.verdict.unjudged],
        section("Check it yourself", command(_CHECK + (snapshot.index.revision or "HEAD"), "Judge this commit again"),
                id_="check"),
    )  # fmt: skip
    return Page(PATH, "Findings", "findings", body, lead)


_SEVERITIES = (("error", "errors"), ("warning", "warnings"), ("info", "notes"))


def rule_pages(snapshot: Snapshot) -> list[tuple[str, Callable[[], Page]]]:
    """A page for each broken rule, as many as its places need."""
    rules: dict[str, list[Finding]] = {}
    for each in all_findings(snapshot):
        rules.setdefault(each.rule, []).append(each)
    return [
        (rule_page(rule, number), lambda rule=rule, number=number: _rule(snapshot, rule, rules[rule], number))  # type: ignore[misc]
        for rule in sorted(rules)
        for number in range(1, pages_of(len(rules[rule])) + 1)
    ]


def _rule(snapshot: Snapshot, rule: str, found: Sequence[Finding], number: int) -> Page:
    path, entry = rule_page(rule, number), RULES[rule]
    shown = found[(number - 1) * ROWS : number * ROWS]
    clause = clause_text(entry)
    body = (
        section(
            counted(len(found), "place"),
            e("ul", [finding(path, each, snapshot.page_of(each.path)) for each in shown], class_="findings"),
            pager(path, rule_page(rule).removesuffix(".html"), number, len(found)),
            id_="places",
        ),
        section("The clause behind it", card(clause, "tfc", lambda _: None), e("p", entry.anchor, class_="quiet"),
                id_="clause") if clause else None,
        section("Look further", command(f"git strata explain {rule}", "The same in a terminal"), id_="further"),
    )  # fmt: skip
    lead = e("p", badge(entry.severity, STATUS[entry.severity]), " ", entry.summary, class_="lead")
    title = rule if number == 1 else f"{rule}, page {number}"
    return Page(path, title, "findings", body, lead, (("Findings", PATH),))
