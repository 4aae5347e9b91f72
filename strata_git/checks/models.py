"""Models: an artifact that is there, measured, described, and traced to its run and data (TFC-0005)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from strata_git.checks import model_files
from strata_git.checks.cards import CARD, judge_card
from strata_git.checks.citations import citations
from strata_git.checks.documents import Reading, read_document
from strata_git.checks.exhibit import Account, Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import dig, items, mapping, number, text

METRICS = "metrics.yaml"

_RUNS_CODE = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth", ".ckpt", ".mar")
_RUNS_CODE_FORMATS = frozenset({"pickle", "joblib", "dill", "cloudpickle", "torch", "pytorch"})


def judge(exhibit: Exhibit, record: Reading) -> Account:
    """Judge a model by its metadata, metrics and card."""
    account = Account()
    metrics = read_document(exhibit, METRICS)
    figures = _figures(metrics)
    account.findings.extend(metrics.findings)
    account.findings.extend(_judge_presence(exhibit, record))
    account.findings.extend(judge_card(exhibit, figures))
    account.findings.extend(_judge_signature(record))
    inside = model_files.judge(exhibit, record)
    account.findings.extend(inside.findings)
    account.findings.extend(_judge_format(exhibit, record, {finding.path for finding in inside.findings}))
    account.facts.update(inside.facts)
    artifact = text(record.value.get("artifact"))
    content = exhibit.contents.get(artifact or "")
    account.facts.update(
        artifact=artifact,
        artifact_sha256=content.sha256 if content else None,
        artifact_bytes=content.size if content else None,
        format=text(record.value.get("format")),
        run=text(record.value.get("run")),
        inputs=[cited.facts for cited in citations(record.value.get("datasets"), "dataset")],
        metrics=figures,
        signature={
            side: [name for item in items(dig(record.value, "signature", side)) if (name := text(dig(item, "name")))]
            for side in ("inputs", "outputs")
        },
    )
    return account


def _figures(metrics: Reading) -> dict[str, float | int]:
    """Name -> value of every metric that has one."""
    said = mapping(metrics.value.get("metrics"))
    values = {name: number(dig(described, "value")) for name, described in said.items()}
    return {name: value for name, value in values.items() if value is not None}


def _judge_presence(exhibit: Exhibit, record: Reading) -> Iterator[Finding]:
    artifact = text(record.value.get("artifact"))
    if artifact is not None and artifact not in exhibit.entries:
        line = record.line("artifact")
        yield found("STR-M001", record.path, f"the artifact '{artifact}' is not there", line=line)
    for name in (METRICS, CARD):
        if name not in exhibit.entries:
            yield found("STR-M002", exhibit.path(name), "is missing")


def _judge_signature(record: Reading) -> Iterator[Finding]:
    if not record.legible:
        return
    for side in ("inputs", "outputs"):
        if not items(dig(record.value, "signature", side)):
            yield found("STR-M004", record.path, f"the signature has no {side}", line=record.line("signature"))


def _judge_format(exhibit: Exhibit, record: Reading, told: Collection[str]) -> Iterator[Finding]:
    """Told by declared format and by name, where the content was not looked into or told nothing."""
    said = (text(record.value.get("format")) or "").casefold()
    if said in _RUNS_CODE_FORMATS:
        message = f"format '{said}' can run code when loaded"
        yield found("STR-M006", record.path, message, line=record.line("format"))
    for name in exhibit.payload():
        if name.casefold().endswith(_RUNS_CODE) and exhibit.path(name) not in told:
            yield found("STR-M006", exhibit.path(name), "is in a format that can run code when loaded")
