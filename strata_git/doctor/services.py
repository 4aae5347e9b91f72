"""Whether anything is in the stage that a service answers from: facts of tags, which no tree holds."""

from __future__ import annotations

from collections.abc import Mapping

from strata_git.checks.engine import Judgement
from strata_git.checks.finding import Finding
from strata_git.contracts.layout import SERVICE_RECORD, STAGES, Artifact, artifact_of
from strata_git.doctor.subject import Subject
from strata_git.ledger.names import TAGS, parse_name
from strata_git.repo.command import Repository
from strata_git.repo.refs import list_refs
from strata_git.repo.scan import read_trees


def judge_stages(repo: Repository, subject: Subject, judged: Mapping[Artifact, Judgement]) -> list[Finding]:
    """Judge the services that name a stage: the model is here, and some event brought a version into the stage.

    Whether that event counts is the ledger's to say; a clone without any event cannot know, and says so as information.
    """
    services = {artifact: one.summary for artifact, one in judged.items() if artifact.kind == "service"}
    if not services:
        return []
    from strata_git.checks.services import judge_stage, stage_of

    asked = {artifact: served for artifact, summary in services.items() if (served := stage_of(summary))}
    if not asked:
        return []
    tags = [name for ref in list_refs(repo, TAGS) if (name := parse_name(ref.name.removeprefix(TAGS)))]
    entered = {(name.model, name.stage) for name in tags if name.kind == "entering"}
    entered |= {(name.model, STAGES[0]) for name in tags if name.kind == "registration"}
    findings: list[Finding] = []
    for artifact, served in asked.items():
        there = _has_model(repo, subject, served[0])
        place = f"{artifact.path}/{SERVICE_RECORD}"
        findings += judge_stage(place, served, has_model=there, entered=served in entered, events=bool(tags))
    return findings


def _has_model(repo: Repository, subject: Subject, name: str) -> bool:
    if any(artifact.kind == "model" and artifact.name == name for artifact in subject.artifacts):
        return True
    if not subject.narrow or not subject.commit:
        return False
    # what lies underneath, as far as it is not what is being removed
    oids = [row[0] for _, row in repo.objects.lookup([f"{subject.commit}:models/{name}"]) if row and row[1] == "tree"]
    versions = [row.name for rows in read_trees(repo, oids) for row in rows if row.is_tree]
    places = [artifact.path for version in versions if (artifact := artifact_of(f"models/{name}/{version}"))]
    return bool(places and subject.files(places).under(f"models/{name}"))
