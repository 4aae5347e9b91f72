"""Artifacts judged, each tree id once in the life of a rule set."""

from __future__ import annotations

import hashlib
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
_BRIEF = (
    "digest", "content_hash", "inputs", "run", "outputs", "artifact", "artifact_sha256", "signature_oid",
    "checksums_oid", "secrets", "unscanned", "model", "golden", "metrics", "artifact_bytes",
)  # fmt: skip
"""What the rules between artifacts and those on signatures and secrets ask of a summary."""


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


def known_judgements(subject: Subject, cache: Cache) -> dict[Artifact, Judgement]:
    """What is remembered of the artifacts; nothing is judged."""
    keys = {artifact: _key(artifact, oid) for artifact, oid in subject.artifacts.items()}
    kept = cache.get(keys.values())
    return {artifact: known for artifact, key in keys.items() if (known := _thawed(kept.get(key))) is not None}


def brief_judgements(
    subject: Subject, cache: Cache, progress: Progress | None = None, *, storage: bool
) -> tuple[dict[Artifact, Judgement], int]:
    """As `judgements` of everything there is, with summaries that hold no more than a verdict needs.

    With `storage` they also say how the payload is stored.

    All versions of one name are remembered together, in one row for each name: a repository of 10,000 versions is known
    by some hundred rows, and only names in which something changed are looked into.
    """
    families: dict[str, list[Artifact]] = {}
    for artifact in subject.artifacts:
        name = artifact.name if artifact.version else artifact.name[:11]  # runs: those of a month
        families.setdefault(f"{RULESET}:family:{storage}:{artifact.kind}/{name}", []).append(artifact)
    states = {key: _state(subject, members) for key, members in families.items()}
    kept = cache.get(families)
    done: dict[Artifact, Judgement] = {}
    unknown: dict[str, list[Artifact]] = {}
    for key, members in families.items():
        family = _thawed_family(kept.get(key), states[key], members)
        if family is None:
            unknown[key] = members
        else:
            done.update(family)
    fresh, count = judgements(
        subject, [artifact for members in unknown.values() for artifact in members], cache, progress
    )
    put: dict[str, object] = {}
    for key, members in unknown.items():
        if all(fresh[artifact].summary.get("judged", True) for artifact in members):
            put[key] = _frozen_family(states[key], [fresh[artifact] for artifact in members], storage)
    cache.put(put)
    return done | fresh, count


def _state(subject: Subject, members: Collection[Artifact]) -> str:
    text = "\n".join(f"{artifact.name} {artifact.version} {subject.artifacts[artifact]}" for artifact in members)
    return hashlib.sha256(text.encode()).hexdigest()


def _frozen_family(state: str, family: Collection[Judgement], storage: bool) -> dict[str, object]:
    wanted = (*_BRIEF, "lfs") if storage else _BRIEF
    return {
        "state": state,
        "findings": {at: [astuple(f) for f in one.findings] for at, one in enumerate(family) if one.findings},
        "summaries": [{key: said for key in wanted if (said := one.summary.get(key))} for one in family],
    }


def _thawed_family(value: object, state: str, members: Collection[Artifact]) -> dict[Artifact, Judgement] | None:
    if not isinstance(value, dict) or value.get("state") != state:
        return None
    try:
        found = {int(at): tuple(Finding(*row) for row in rows) for at, rows in value["findings"].items()}
        return {
            artifact: Judgement(found.get(at, ()), summary | {"kind": artifact.kind, "path": artifact.path})
            for at, (artifact, summary) in enumerate(zip(members, value["summaries"], strict=True))
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


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
