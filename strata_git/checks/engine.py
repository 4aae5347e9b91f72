"""The doors of judgement: an artifact, the workspace around it, the links between artifacts.

Importing this module loads neither YAML nor pydantic: a verdict found in the cache needs none of them. The subjects
are imported when there is something to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import MODEL_SIG, ROOT_OF

if TYPE_CHECKING:
    from strata_git.checks.documents import Reading
    from strata_git.checks.exhibit import Account, Exhibit
    from strata_git.contracts.layout import Artifact
    from strata_git.contracts.tree import Tree

Summary = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What can be said of one artifact from its directory alone.

    `summary` is plain JSON data: all that the index and the rules between artifacts need to know later. Where its
    `"judged"` is false, objects were absent and the judgement must not be kept.
    """

    findings: tuple[Finding, ...]
    summary: Summary


def judge_artifact(tree: Tree, artifact: Artifact) -> Judgement:
    """Judge the directory of `artifact` in `tree`; a pure function of its content and path."""
    from strata_git.checks import checksums, documents, exhibit, layout, lfs, secrets

    case = exhibit.Exhibit.of(tree, artifact)
    findings = [*exhibit.judge_presence(case), *layout.judge_names(case)]
    facts: dict[str, object] = {}
    if artifact.frozen:
        findings.extend(lfs.judge_pointers(case))
        findings.extend(_judge_model_signature(case))
        record = documents.read_document(case, case.record)
        findings.extend(record.findings)
        findings.extend(_judge_record(case, record))
        for account in (checksums.judge(case, record), _judge_of(artifact.kind)(case, record)):
            findings.extend(account.findings)
            facts.update(account.facts)
        facts = _describe(record) | facts
    elif artifact.kind == "service":
        record = documents.read_document(case, case.record)
        account = _judge_of("service")(case, record)
        findings += [*record.findings, *account.findings]
        facts = _describe(record) | account.facts
    summary = _name(artifact) | exhibit.summarise_files(case) | lfs.summarise_storage(case) | facts | secrets.look(case)
    return Judgement(tuple(sorted(set(findings), key=_place)), summary)


def judge_workspace(tree: Tree) -> tuple[Finding, ...]:
    """Judge what lies around the artifacts in a whole tree: roots, stray files, settings, Git attributes."""
    from strata_git.checks import workspace

    return tuple(sorted(workspace.judge(tree), key=_place))


def judge_links(
    summaries: Mapping[str, Summary], touched: Collection[str] | None = None, *, removed: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Judge the references between artifacts.

    `summaries` maps the reference of every artifact there is (`datasets/iris@v1`) to its summary. Only what is in
    `touched`, or cites something in it, is judged (None: all). `removed` are references that history knows and the
    tree no longer has.
    """
    from strata_git.checks import references

    findings = [*references.judge_references(summaries, touched, removed)]
    if any(summary.get("golden") for summary in summaries.values()):
        from strata_git.checks.services import judge_served

        findings += judge_served(summaries, touched)
    return tuple(sorted(findings, key=_place))


def exit_code(findings: Iterable[Finding], *, strict: bool = False) -> int:
    """0 when nothing is wrong, 1 for warnings, 2 for errors; under `strict` a warning is an error."""
    worst = {finding.severity for finding in findings}
    if "error" in worst:
        return 2
    if "warning" in worst:
        return 2 if strict else 1
    return 0


def _judge_of(kind: str) -> Callable[[Exhibit, Reading], Account]:
    """Who judges artifacts of a kind; the others' modules are not loaded."""
    judge: Callable[[Exhibit, Reading], Account] = import_module(f"strata_git.checks.{ROOT_OF[kind]}").judge
    return judge


def _judge_model_signature(case: Exhibit) -> Iterable[Finding]:
    if MODEL_SIG not in case.entries:
        return ()
    from strata_git.checks.model_signature import judge_model_signature

    return judge_model_signature(case)


def _judge_record(case: Exhibit, record: Reading) -> Iterable[Finding]:
    if not record.present and case.artifact.kind != "run":
        yield found("STR-Y005", record.path, "is missing")


def _name(artifact: Artifact) -> dict[str, object]:
    return {
        "kind": artifact.kind,
        "name": artifact.name,
        "version": artifact.version,
        "reference": artifact.reference,
        "path": artifact.path,
    }


def _describe(record: Reading) -> dict[str, object]:
    """What every summary tells, whether the kind knows of it or not."""
    from strata_git.checks.plain import text

    return {
        "created": text(record.value.get("created")),
        "description": text(record.value.get("description")) or "",
        "licence": text(record.value.get("licence")),
        "inputs": [],
        "metrics": {},
        "run": None,
        "status": None,
        "code_commit": None,
        "seed": None,
    }


def _place(finding: Finding) -> tuple[str, int, Finding]:
    return finding.path, finding.line, finding
