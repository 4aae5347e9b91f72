"""Runs: the record of how something was computed is whole and true to its files (TFC-0003)."""

from __future__ import annotations

from collections.abc import Iterator

from strata_git.checks.citations import citations
from strata_git.checks.documents import Reading, read_document
from strata_git.checks.exhibit import Account, Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import dig, items, number, numbers, text
from strata_git.contracts.layout import RUN_RECORD

METRICS = "metrics.json"
_PERSONAL = frozenset({
    "user", "username", "user_name", "login", "host", "hostname", "host_name", "node", "nodename", "fqdn", "environ",
    "environment", "env", "envvars", "home", "cwd", "argv",
})  # fmt: skip
_ALWAYS = (RUN_RECORD, "config.yaml", "system.json", "logs.txt")


def judge(exhibit: Exhibit, record: Reading) -> Account:
    """Judge a run by its record and its files."""
    account = Account()
    metrics = read_document(exhibit, METRICS)
    config, system = (read_document(exhibit, name) for name in ("config.yaml", "system.json"))
    for reading in (metrics, config, system):
        account.findings.extend(reading.findings)
    account.findings.extend(_judge_system(system))
    account.findings.extend(_judge_agreement(record, config, system))
    account.findings.extend(_judge_presence(exhibit, record))
    account.findings.extend(_judge_identity(exhibit, record))
    account.findings.extend(_judge_outputs(exhibit, record))
    account.facts.update(_summarise(record, metrics))
    return account


def _judge_presence(exhibit: Exhibit, record: Reading) -> Iterator[Finding]:
    """All files are there; only a run that succeeded owes metrics."""
    succeeded = record.value.get("status") == "succeeded"
    for name in (*_ALWAYS, METRICS) if succeeded else _ALWAYS:
        if name not in exhibit.entries:
            yield found("STR-R001", exhibit.path(name), "is missing")


def _judge_identity(exhibit: Exhibit, record: Reading) -> Iterator[Finding]:
    said = text(record.value.get("id"))
    if said is not None and said != exhibit.artifact.name:
        message = f"id is '{said}', the directory is '{exhibit.artifact.name}'"
        yield found("STR-R002", record.path, message, line=record.line("id"))


def _judge_system(system: Reading) -> Iterator[Finding]:
    for key in system.value:
        if key.casefold().replace("-", "_") in _PERSONAL:
            yield found("STR-R008", system.path, f"tells '{key}'", line=system.line(key))


def _judge_agreement(record: Reading, config: Reading, system: Reading) -> Iterator[Finding]:
    """A run can be repeated from its config only when that is what the record tells of."""
    for other, keys in ((config, ("plugin", "experiment", "seed")), (system, ("seed",))):
        for key in keys:
            said, given = record.value.get(key), other.value.get(key)
            if record.legible and other.legible and key in other.value and said is not None and said != given:
                message = f"{key} is {given!r} here, {said!r} in {RUN_RECORD}"
                yield found("STR-R009", other.path, message, line=other.line(key))


def _judge_outputs(exhibit: Exhibit, record: Reading) -> Iterator[Finding]:
    for place, said in enumerate(items(record.value.get("outputs"))):
        name, sha256 = text(dig(said, "path")), text(dig(said, "sha256"))
        if name is None:
            continue
        line = record.line("outputs", place)
        if name not in exhibit.entries:
            yield found("STR-R005", record.path, f"output '{name}' is not there", line=line)
            continue
        content = exhibit.contents.get(name)
        if content is None:
            continue
        if sha256 is not None and sha256.removeprefix("sha256:") != content.sha256:
            message = f"run.yaml:{line} records sha256 {sha256.removeprefix('sha256:')}, it is {content.sha256}"
            yield found("STR-R004", exhibit.path(name), message)
        size = number(dig(said, "bytes"))
        if size is not None and size != content.size:
            yield found("STR-R004", exhibit.path(name), f"run.yaml:{line} records {size} bytes, it has {content.size}")


def _summarise(record: Reading, metrics: Reading) -> dict[str, object]:
    said = record.value
    cited = [*citations(said.get("inputs")), *citations(said.get("prompts"), "prompt")]
    outputs = [
        {
            "path": text(dig(item, "path")),
            "sha256": (text(dig(item, "sha256")) or "").removeprefix("sha256:"),
            "bytes": number(dig(item, "bytes")),
        }
        for item in items(said.get("outputs"))
    ]
    return {
        "created": text(said.get("started")),
        "finished": text(said.get("finished")),
        "description": text(said.get("experiment")) or "",
        "status": text(said.get("status")),
        "plugin": text(said.get("plugin")),
        "seed": number(said.get("seed")),
        "code_commit": text(dig(said, "code", "commit")),
        "dirty": dig(said, "code", "dirty") is True,
        "inputs": [citation.facts for citation in cited],
        "outputs": outputs,
        "metrics": dict(numbers(metrics.value)),
    }
