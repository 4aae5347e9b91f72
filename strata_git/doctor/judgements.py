"""Artifacts judged, each tree id once in the life of a rule set."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import astuple

from strata_git.checks.catalog import RULESET
from strata_git.checks.engine import Judgement, Summary
from strata_git.checks.finding import Finding
from strata_git.contracts.layout import Artifact
from strata_git.doctor.cache import Cache
from strata_git.doctor.subject import Subject

_AT_ONCE = 500
Progress = Callable[[int], None]


def judgements(
    subject: Subject, wanted: Collection[Artifact], cache: Cache, progress: Progress | None = None
) -> tuple[dict[Artifact, Judgement], int]:
    """The judgement of each artifact in `wanted`, and how many were not remembered."""
    keys = {artifact: _key(artifact, subject.artifacts[artifact]) for artifact in wanted}
    kept = cache.get(keys.values())
    done: dict[Artifact, Judgement] = {}
    missing = []
    for artifact, key in keys.items():
        judgement = _thawed(kept.get(key))
        if judgement is None:
            missing.append(artifact)
        else:
            done[artifact] = judgement
    for at in range(0, len(missing), _AT_ONCE):
        fresh = _judged(subject, missing[at : at + _AT_ONCE], progress)
        cache.put({keys[a]: _frozen(j) for a, j in fresh.items() if j.summary.get("judged", True)})
        done.update(fresh)
    return done, len(missing)


def _judged(
    subject: Subject, artifacts: Collection[Artifact], progress: Progress | None
) -> Mapping[Artifact, Judgement]:
    from strata_git.checks.engine import judge_artifact

    tree = subject.files(sorted(artifact.path for artifact in artifacts))
    fresh = {}
    for artifact in artifacts:
        tree.prefetch(tree.under(artifact.path))
        fresh[artifact] = judge_artifact(tree, artifact)
        if progress is not None:
            progress(1)
    return fresh


def _key(artifact: Artifact, oid: str) -> str:
    return f"{RULESET}:{artifact.path}:{oid}"


def _frozen(judgement: Judgement) -> dict[str, object]:
    return {"findings": [astuple(finding) for finding in judgement.findings], "summary": judgement.summary}


def _thawed(value: object) -> Judgement | None:
    if not isinstance(value, dict):
        return None
    try:
        findings = tuple(Finding(*row) for row in value["findings"])
        summary: Summary = value["summary"]
    except (KeyError, TypeError):
        return None
    return Judgement(findings, summary)
