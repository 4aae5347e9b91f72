"""`git strata explain RULE`: what a rule asks, why, and how to put things right."""

from __future__ import annotations

from difflib import get_close_matches

import click

from strata_git.checks.catalog import RULES, Rule
from strata_git.checks.clause import clause_text
from strata_git.cli.output import format_option, out, out_json, table
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable


@click.command()
@click.argument("rule", required=False)
@format_option
@click.pass_obj
def command(session: Session, rule: str | None, style: str) -> None:  # noqa: ARG001 - every command has this shape
    """Tell what RULE (such as STR-C005) asks, and the clause behind it; without RULE list all."""
    chosen = [_found(rule)] if rule else list(RULES.values())
    if style == "json":
        out_json({"schema": "strata/rules/v1", "rules": [_plain(each, clause=bool(rule)) for each in chosen]})
    elif rule:
        each = chosen[0]
        out(f"{each.id} ({each.severity}): {each.summary}\n")
        out(f"What to do: {each.fix}")
        out(f"Clause: TFC-{each.clause}, {each.anchor}\n")
        out(clause_text(each) or "(the contract's text is not installed)")
    else:
        out(table([(r.id, r.severity, f"TFC-{r.clause}", r.summary) for r in chosen], ("rule", "", "clause", "")))


def _found(word: str) -> Rule:
    name = word.upper()
    rule = RULES.get(name) or RULES.get(f"STR-{name}")
    if rule is None:
        near = get_close_matches(name, RULES, n=3)
        raise UsageError(
            f"There is no rule '{printable(word)}'.",
            hint=f"Did you mean {' or '.join(near)}?" if near else "git strata explain lists them.",
        )
    return rule


def _plain(rule: Rule, *, clause: bool) -> dict[str, object]:
    plain: dict[str, object] = {"id": rule.id, "severity": rule.severity, "summary": rule.summary, "fix": rule.fix}
    plain |= {"clause": rule.clause, "anchor": rule.anchor}
    return plain | ({"text": clause_text(rule)} if clause else {})
