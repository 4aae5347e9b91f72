"""Prompts: a template and the variables it declares belong together (TFC-0011)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from strata_git.checks.documents import Reading, read_document
from strata_git.checks.exhibit import Account, Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import dig, items, text

PROMPT = "prompt.yaml"
_VARIABLE = re.compile(r"\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*)\s*-?\}\}")


def judge(exhibit: Exhibit, _record: Reading) -> Account:
    """Judge a prompt by its template; its metadata is judged by the contract alone."""
    account = Account()
    prompt = read_document(exhibit, PROMPT)
    account.findings.extend(prompt.findings)
    if not prompt.present:
        account.findings.append(found("STR-T001", prompt.path, "is missing"))
    account.findings.extend(_judge_variables(prompt))
    account.facts["variables"] = sorted(_declared(prompt))
    return account


def _declared(prompt: Reading) -> dict[str, int]:
    """Variable -> place in the list; a variable is a name, or a mapping with one."""
    names = (
        (text(item) or text(dig(item, "name")), place)
        for place, item in enumerate(items(prompt.value.get("variables")))
    )
    return {name: place for name, place in names if name is not None}


def _judge_variables(prompt: Reading) -> Iterator[Finding]:
    template = text(prompt.value.get("template"))
    if template is None:
        return
    used = set(_VARIABLE.findall(template))
    declared = _declared(prompt)
    for name in sorted(used - declared.keys()):
        yield found("STR-T002", prompt.path, f"'{name}' is not declared", line=prompt.line("template"))
    for name in sorted(declared.keys() - used):
        line = prompt.line("variables", declared[name])
        yield found("STR-T003", prompt.path, f"'{name}' is never used", line=line)
