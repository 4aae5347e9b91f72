"""Prompts: templates, the variables they declare, and the tests that fill them belong together (TFC-0011)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from strata_git.checks.documents import Reading, read_document
from strata_git.checks.exhibit import Account, Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import dig, items, mapping, text

PROMPT = "prompt.yaml"
Place = tuple[str | int, ...]


def judge(exhibit: Exhibit, _record: Reading) -> Account:
    """Judge a prompt by its template; its metadata is judged by the contract alone."""
    account = Account()
    prompt = read_document(exhibit, PROMPT)
    account.findings.extend(prompt.findings)
    if not prompt.present:
        account.findings.append(found("STR-T001", prompt.path, "is missing"))
    account.findings.extend(_judge_variables(prompt))
    account.findings.extend(_judge_tests(prompt))
    account.findings.extend(_judge_id(exhibit, prompt))
    account.facts["variables"] = sorted(_declared(prompt))
    account.facts["required"] = sorted(_required(prompt))
    return account


def _declared(prompt: Reading) -> dict[str, int]:
    """Variable -> place in the list; a variable is a name, or a mapping with one."""
    names = (
        (text(item) or text(dig(item, "name")), place)
        for place, item in enumerate(items(prompt.value.get("variables")))
    )
    return {name: place for name, place in names if name is not None}


def _required(prompt: Reading) -> set[str]:
    """The variables that have no default, so that whoever asks must give them."""
    given = items(prompt.value.get("variables"))
    return {name for name, place in _declared(prompt).items() if mapping(given[place]).get("default") is None}


def _texts(prompt: Reading) -> Iterator[tuple[Place, str]]:
    """Where each template stands, and what it says."""
    template = text(prompt.value.get("template"))
    if template is not None:
        yield ("template",), template
    for place, message in enumerate(items(prompt.value.get("messages"))):
        content = text(dig(message, "content"))
        if content is not None:
            yield ("messages", place, "content"), content


def _judge_variables(prompt: Reading) -> Iterator[Finding]:
    from strata_git.contracts.prompt import placeholders

    used: dict[str, Place] = {}
    for place, said in _texts(prompt):
        for name in placeholders(said):
            used.setdefault(name, place)
    if not any(True for _ in _texts(prompt)):
        return
    declared = _declared(prompt)
    for name in sorted(used.keys() - declared.keys()):
        yield found("STR-T002", prompt.path, f"'{name}' is not declared", line=prompt.line(*used[name]))
    for name in sorted(declared.keys() - used.keys()):
        line = prompt.line("variables", declared[name])
        yield found("STR-T003", prompt.path, f"'{name}' is never used", line=line)


def _judge_tests(prompt: Reading) -> Iterator[Finding]:
    declared, required = _declared(prompt).keys(), _required(prompt)
    for place, test in enumerate(items(prompt.value.get("tests"))):
        given = mapping(dig(test, "variables"))
        name = text(dig(test, "name")) or str(place)
        line = prompt.line("tests", place)
        for word in sorted(given.keys() - declared):
            yield found("STR-T004", prompt.path, f"test '{name}' fills '{word}', which is not declared", line=line)
        for word in sorted(required - given.keys()):
            yield found("STR-T004", prompt.path, f"test '{name}' does not fill '{word}'", line=line)


def _judge_id(exhibit: Exhibit, prompt: Reading) -> Iterator[Finding]:
    said: Mapping[str, object] = prompt.value
    name = text(said.get("id"))
    if name is not None and name != exhibit.artifact.name:
        message = f"id is '{name}', the directory is '{exhibit.artifact.name}'"
        yield found("STR-T005", prompt.path, message, line=prompt.line("id"))
