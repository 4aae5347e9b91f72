"""Where a workspace stands: facts about it that cost next to nothing, and the step that follows from each.

Nothing is judged, verified or asked of a remote: what is told of verdicts is what was judged before, what is told of
remotes is what this clone last knew of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from strata_git.authoring.targets import work_artifacts
from strata_git.contracts.layout import MODEL_SIG, RUN_RECORD, SETTINGS, SIGNATURE, Artifact
from strata_git.doctor.subject import Subject, commit_subject
from strata_git.errors import StrataError
from strata_git.ledger.names import TAGS, EventName, parse_name
from strata_git.repo.command import Repository
from strata_git.repo.refs import Ref, list_refs

HEADS = "refs/strata/ledger/"
_TAGS_READ = 2_000
"""Events whose line is looked at; in a longer ledger `git strata stages` tells of forks."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that waits: what it is about (`topic`, a word), what is so, and the command that does something."""

    topic: str
    told: str
    command: str


@dataclass(slots=True)
class Status:
    """Facts about a workspace, and the steps that follow from them."""

    released: int = 0
    uncommitted: list[Artifact] = field(default_factory=list)
    unsigned: list[Artifact] = field(default_factory=list)
    hooks: list[str] = field(default_factory=list)
    errors: int = 0
    warnings: int = 0
    unjudged: int = 0
    steps: list[Step] = field(default_factory=list)


def survey(repo: Repository) -> Status:
    """Look at the work tree, HEAD, the hooks, the verdicts remembered, and the ledger's references."""
    root = repo.require_worktree()
    status = Status()
    if not (root / SETTINGS).exists():
        status.steps.append(Step("workspace", "there is no strata.yaml", "git strata init ."))
    head = repo.head()
    subject = commit_subject(repo, head) if head else None
    released = subject.artifacts if subject else {}
    status.released = sum(artifact.frozen for artifact in released)
    here = [artifact for artifact in work_artifacts(repo) if artifact.frozen]
    status.uncommitted = [artifact for artifact in here if artifact not in released]
    status.unsigned = [one for one in here if one.kind == "model" and not _is_signed(root / one.path)]
    status.steps += _uncommitted(root, status.uncommitted)
    status.steps += _dead(root)
    status.steps += [
        Step("unsigned", one.reference, f"git strata sign {one.reference}") for one in _newest(status.unsigned)
    ]
    events = [(name, ref) for ref in list_refs(repo, TAGS) if (name := parse_name(ref.name.removeprefix(TAGS)))]
    status.steps += _unpromoted([artifact for artifact in released if artifact.kind == "model"], events)
    status.steps += _forks(repo, events)
    status.steps += _unpushed(repo)
    status.hooks = _missing_hooks(repo)
    status.steps += _unhooked(status.hooks)
    if subject is not None:
        _count(repo, subject, status)
    status.steps += _stale(repo)
    return status


def _is_signed(directory: Path) -> bool:
    return (directory / SIGNATURE).exists() or (directory / MODEL_SIG).exists()


def _uncommitted(root: Path, artifacts: list[Artifact]) -> Iterator[Step]:
    for artifact in artifacts:
        state = _run_status(root / artifact.path / RUN_RECORD) if artifact.kind == "run" else ""
        told = artifact.reference + (f" ({state})" if state and state != "succeeded" else "")
        yield Step("not committed", told, f"git add {artifact.path} && git commit -m 'Add {artifact.reference}'")


def _run_status(record: Path) -> str:
    """What a run's record says became of it, found without reading YAML."""
    try:
        lines = record.read_text("utf-8", "replace").splitlines()[:20]
    except OSError:
        return ""
    return next((line.partition(":")[2].strip()[:20] for line in lines if line.startswith("status:")), "")


def _dead(root: Path) -> Iterator[Step]:
    """Runs that were killed and have no record yet."""
    from strata_git.runs.reserve import dead_run_ids

    for run in dead_run_ids(root):
        told = f"{run}: its process is gone; the next run records what it left"
        yield Step("killed run", told, "git strata run EXPERIMENT")


def _unpromoted(models: list[Artifact], events: list[tuple[EventName, Ref]]) -> Iterator[Step]:
    """The newest version of each model, where no event names it."""
    registered = {(name.model, name.version) for name, _ in events if name.kind == "registration"}
    for model in _newest(models):
        if (model.name, model.version) not in registered:
            yield Step("not promoted", model.reference, f"git strata promote {model.short}")


def _newest(models: list[Artifact]) -> list[Artifact]:
    """The newest version of each model."""
    return list({model.name: model for model in sorted(models, key=lambda one: (one.name, one.number))}.values())


def _forks(repo: Repository, events: list[tuple[EventName, Ref]]) -> Iterator[Step]:
    """Models whose line of events has several ends."""
    if not 1 < len(events) <= _TAGS_READ:
        return
    from strata_git.ledger.record import RecordError, TagError, parse_message, parse_tag

    names = {ref.oid: name for name, ref in events if ref.kind == "tag"}
    followed: set[str] = set()
    ends: dict[str, list[str]] = {}
    for oid, _, data in repo.objects.read_many(names):
        try:
            record = parse_message(parse_tag(data or b"").message)[1]
        except (TagError, RecordError):
            continue
        followed.update((record.prev or "", *record.merges))
        ends.setdefault(names[oid].model, []).append(oid)
    for model, oids in sorted(ends.items()):
        if len(loose := [oid for oid in oids if oid not in followed]) > 1:
            told = f"{model}: the line of events has {len(loose)} ends"
            yield Step("forked events", told, f"git strata resolve {model}")


def _unpushed(repo: Repository) -> Iterator[Step]:
    """Models whose last event is another one than the remote was known to have."""
    heads = list_refs(repo, HEADS)
    if not heads or not repo.user_git("remote"):
        return
    from strata_git.authoring.remote import remote_named, tracking

    try:
        remote = remote_named(repo, None)
    except StrataError:  # nobody says which
        return
    known = {ref.name: ref.oid for ref in list_refs(repo, tracking(remote, ""))}
    late = [m for ref in heads if known.get(tracking(remote, m := ref.name.removeprefix(HEADS))) != ref.oid]
    if late:
        more = f" and {len(late) - 3} more" if len(late) > 3 else ""
        told = f"events of {', '.join(late[:3])}{more}, as far as is known of {remote}"
        yield Step("not pushed", told, f"git strata push {remote}")


def _missing_hooks(repo: Repository) -> list[str]:
    """The hooks from which git does not get to us, and those of ours that are not as this version writes them."""
    from strata_git.doctor.hooks import hook_facts

    try:
        facts = hook_facts(repo)
    except StrataError as error:
        return [error.message]
    missing = [name for name in facts.names if name not in facts.reached]
    told = [f"{name} is not ours ({facts.owners.get(name, 'absent')})" for name in missing]
    lost = {"pre-push does not get to git-lfs": not facts.uploads_lfs and "pre-push" not in missing}
    told += [sentence for sentence, so in lost.items() if so]
    return told + [f"{name} is {state}" for state, name, _ in facts.troubles if name not in missing]


def _unhooked(told: list[str]) -> list[Step]:
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return [Step("hooks", told[0] + more, "git strata install")] if told else []


def _count(repo: Repository, subject: Subject, status: Status) -> None:
    """What was found wrong when HEAD's artifacts were last judged."""
    from strata_git.doctor.judge import open_cache
    from strata_git.doctor.judgements import known_judgements

    cache = open_cache(repo)
    try:
        known = known_judgements(subject, cache)
    finally:
        cache.close()
    found = [finding.severity for judgement in known.values() for finding in judgement.findings]
    status.errors, status.warnings = found.count("error"), found.count("warning")
    status.unjudged = len(subject.artifacts) - len(known)
    if status.errors or status.warnings:
        told = f"{status.errors} errors and {status.warnings} warnings in what is committed"
        status.steps.append(Step("findings", told, "git strata doctor --at HEAD"))
    if status.unjudged:
        told = f"{status.unjudged} of {len(subject.artifacts)} artifacts here"
        status.steps.append(Step("not judged", told, "git strata doctor"))


def _stale(repo: Repository) -> Iterator[Step]:
    from strata_git.index.stale import staleness

    if reason := staleness(repo):
        yield Step("index", f"history changed ({reason}) since it was last read", "git strata index")
