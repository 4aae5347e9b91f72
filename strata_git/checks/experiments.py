"""Experiments: files that say what to run (TFC-0002 section 2)."""

from __future__ import annotations

from collections.abc import Iterator

from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import text
from strata_git.checks.text_account import Around, Facts, TextAccount, contract, read, stem
from strata_git.contracts.layout import parse_reference


def judge_experiment(path: str, data: bytes) -> TextAccount:
    """An experiment keeps its contract; a YAML file that names no plugin is none, which is worth a word."""
    document, complaint = read(path, data, "STR-E001")
    if document is None:
        return TextAccount("experiment", complaint)
    value = dict(document.value) if isinstance(document.value, dict) else {}
    if "plugin" not in value:
        return TextAccount("experiment", (found("STR-E001", path, "names no plugin, so it is no experiment", line=1),))
    from strata_git.contracts.experiment import Experiment

    findings = tuple(contract(path, Experiment, document, "STR-E002", default={"experiment": stem(path)}))
    facts = {
        "plugin": text(value.get("plugin")),
        "plugin_line": document.lines.get(("plugin",), 0),
        "dataset": text(value.get("dataset_id")) or "",
        "dataset_line": document.lines.get(("dataset_id",), 0),
    }
    return TextAccount("experiment", findings, facts)


def judge_experiment_names(path: str, facts: Facts, around: Around) -> Iterator[Finding]:
    """The plugin is known; a committed dataset that is not there yet is information."""
    plugin = text(facts.get("plugin"))
    if plugin is not None and plugin not in around.plugins:
        known = ", ".join(sorted(around.plugins))
        yield found("STR-E003", path, f"there is no plugin '{plugin}' ({known})", line=_line(facts, "plugin_line"))
    given = text(facts.get("dataset")) or ""
    if not given or ":" in given:
        return
    try:
        parsed = parse_reference(given, kind="dataset")
    except ValueError:
        return  # the contract complained
    if parsed.version is None:
        return
    reference = parsed.artifact("dataset").reference
    if not around.present(reference):
        yield found("STR-E004", path, f"{reference} is not in the repository", line=_line(facts, "dataset_line"))


def _line(facts: Facts, key: str) -> int:
    line = facts.get(key)
    return line if isinstance(line, int) else 0
