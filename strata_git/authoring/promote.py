"""Moving a model's version to another stage: judged, signed, and recorded in the ledger (TFC-0009 §4).

Promoting, demoting and archiving are one use case. What protects users of a version is asked on the way up alone; a
broken version can always be taken down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from strata_git.authoring.entries import entering
from strata_git.checks.finding import Finding
from strata_git.config import Settings
from strata_git.contracts.layout import CHECKSUMS, NAME, SIGNATURE, STAGES, Artifact, artifact_of
from strata_git.errors import StrataError, printable
from strata_git.integrity.checksums import digest
from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.approval import Approval, Wanted, fitting
from strata_git.ledger.assurances import freshness_findings
from strata_git.ledger.event import Event
from strata_git.ledger.events import Ledger, read_ledger
from strata_git.ledger.evidence import gather
from strata_git.ledger.gate import MoveFacts, judge_move
from strata_git.ledger.governed import judge_new, writing_keys
from strata_git.ledger.noting import write_notes
from strata_git.ledger.seen import record_seen
from strata_git.ledger.signing import Verifier, artifact_gpg, signer_for
from strata_git.ledger.stages import EXPERIMENTAL, PRODUCTION, is_upward, next_stage
from strata_git.ledger.state import ModelState
from strata_git.ledger.trust import Trust, unprotected_as_error
from strata_git.ledger.writing import Author, Draft, write_events
from strata_git.repo.command import Repository
from strata_git.repo.history import first_appearances, is_shallow
from strata_git.repo.staged import staged_changes
from strata_git.repo.tree import ListedTree, commit_tree

if TYPE_CHECKING:
    from strata_git.doctor.verdict import Verdict

    Judge = Callable[[Repository, str, Artifact], Verdict]

LIMIT = 64 << 20


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was recorded: `artifact` moved from `origin` to `target` by `events`, in their order.

    `commit` introduced the version, `digest` is that of its CHECKSUMS.txt. `displaced` is the version that left
    production for it, `approvals` are those that the events name. `unnoted` says why notes could not be written
    (`""`: they were); the next promotion adds them. `doubts` are warnings that did not stand against the move.
    """

    artifact: Artifact
    origin: str
    target: str
    displaced: str | None
    commit: str
    digest: str
    events: tuple[Event, ...]
    unnoted: str = ""
    approvals: tuple[Approval, ...] = ()
    doubts: tuple[Finding, ...] = ()


class Refused(StrataError):
    """The version may not move; `findings` tell why. The exit code is that of a verdict with errors."""

    exit_code = 2

    def __init__(self, artifact: Artifact, target: str, findings: Sequence[Finding]) -> None:
        told = [f"{f.rule} {f.path}: {f.message}\n    {f.fix}" for f in findings]
        lines = (printable(line) for text in told for line in text.split("\n"))
        super().__init__(f"{artifact.short} cannot move to {target}.", hint="\n".join(lines))
        self.findings = tuple(findings)


def promote(
    repo: Repository,
    settings: Settings,
    model: str,
    version: str | None = None,
    to: str | None = None,
    *,
    reason: str = "",
    key: str = "",
    terminal: str | None = None,
    now: datetime | None = None,
    judge: Judge | None = None,
    verifier: Verifier | None = None,
    require_trust: bool = False,
) -> Promotion:
    """Move a version of `model` (default: the highest) to the stage `to` (default: the next one up).

    `key` names the signing key (default: strata.yaml's, then git's), `terminal` where its passphrase may be asked for;
    `judge` is doctor, `verifier` judges signatures of events (default: the keys of the trust policy, else the user's
    own). With `require_trust` nothing moves but under a pinned policy. Raises Refused with findings when the version
    may not move, StrataError when the move cannot be made; nothing is written then.
    """
    moment = now or datetime.now(UTC)
    plan = plan_move(
        repo, settings, model, version, to, now=moment, judge=judge, verifier=verifier, require_trust=require_trust
    )
    trust = plan.ledger.trust
    keys = verifier or writing_keys(repo, trust)
    if plan.origin == plan.target:  # perhaps the end of a promotion that was cut short: what it lacks is not refused
        noted_events(repo, plan.state.events)
        mark_seen(repo, verifier, settings.repository, model, moment)
    if findings := judge_move(plan.facts):
        raise Refused(plan.artifact, plan.target, findings)
    signer = signer_for(repo, key=key, configured=settings.signing_key, terminal=terminal)
    artifact, target, state, release = plan.artifact, plan.target, plan.state, plan.release
    approvals = fitting(plan.ledger.approvals_of(model), plan.wanted, next_moment(state, moment))
    named = tuple(each.oid for each in approvals)
    author = Author(signer, keys, settings.repository, plan.head, moment, reason, plan.wanted.policy, named)
    recorded = plan.ledger.heads.get(model)

    def allowed(written: tuple[Event, ...]) -> None:
        told = judge_new(repo, trust, state, written, plan.ledger.approvals, now=int(moment.timestamp()))
        if told:
            raise Refused(artifact, target, [complaint.finding(model) for complaint in told])

    drafts = _drafts(state, artifact.version, target, release)
    deed = f"{artifact.name} {artifact.version} moves from {plan.origin} to {target}"
    enter = entering(repo, trust, deed, signer=signer, now=moment)
    events = write_events(repo, state, drafts, author, recorded=recorded, judge=allowed, enter=enter)
    unnoted = noted_events(repo, [*state.events, *events])
    mark_seen(repo, verifier, settings.repository, model, moment)
    return Promotion(
        artifact, plan.origin, target, displaced_by(state, artifact.version, target), release.commit, release.digest,
        events, unnoted, approvals, tuple(freshness_findings(repo, trust, now=moment)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """A move that somebody wants to make: what it is, what is known about it, and what approvals of it have to name.

    `head` is the commit it is judged at, `release` what events will say of the version.
    """

    head: str
    artifact: Artifact
    origin: str
    target: str
    ledger: Ledger
    facts: MoveFacts
    release: Draft
    wanted: Wanted

    @property
    def state(self) -> ModelState:
        """The model's state before the move."""
        return self.ledger.model(self.artifact.name)


def plan_move(
    repo: Repository, settings: Settings, model: str, version: str | None, to: str | None, *, now: datetime,
    judge: Judge | None, verifier: Verifier | None, require_trust: bool = False,
) -> Plan:  # fmt: skip
    """Find out which move is meant, and everything that is to be judged about it. Raises StrataError as `promote`."""
    head = require_head(repo, settings)
    ledger = read_ledger(repo, verifier, repository=settings.repository, model=model, now=now)
    state = ledger.model(model)
    listed = _listed(repo, head, model)
    artifact = Artifact("model", model, version or max(listed, key=lambda name: int(name[1:])))
    if artifact.version not in listed:
        known = ", ".join(sorted(listed, key=lambda name: int(name[1:])))
        raise StrataError(f"HEAD holds no {artifact.short}.", hint=f"It has {known} of {model}.")
    origin = stage_of(state, artifact.version)
    target = _target(artifact, origin, to)
    facts, release = _facts(repo, settings, head, artifact, origin, target, ledger, judge)
    dangers = _dangers(repo, head, artifact, origin, target, ledger.trust)
    facts = replace(facts, trust=_unfit(repo, ledger.trust, require_trust, now), dangers=dangers)
    policy = ledger.trust.policy.digest if ledger.trust.policy else None
    wanted = wanted_move(state, artifact.version, target, release, repository=settings.repository, policy=policy)
    return Plan(head, artifact, origin, target, ledger, facts, release, wanted)


def in_production(repo: Repository, settings: Settings, model: str, *, verifier: Verifier | None = None) -> str:
    """The version of `model` in production, which `demote` means when none is named; StrataError when there is none."""
    state = read_ledger(repo, verifier, repository=settings.repository, model=model).model(model)
    if state.production is None:
        raise StrataError(f"No version of {printable(model)} is in production.", hint="git strata stages")
    return state.production


def stage_of(state: ModelState, version: str) -> str:
    """Where a version is; what is not registered yet is experimental."""
    placed = state.versions.get(version)
    return placed.stage if placed else EXPERIMENTAL


def wanted_move(
    state: ModelState, version: str, target: str, release: Draft, *, repository: str, policy: str | None = None
) -> Wanted:
    """A move that is not made yet, as approvals have to name it; `policy` is the digest of the policy in force."""
    placed = state.versions.get(version)
    displaced = displaced_by(state, version, target)
    return Wanted(
        state.model, version, stage_of(state, version), target, release.digest,
        placed.moved_by if placed else None, state.versions[displaced].since.oid if displaced else None, policy,
        repository,
    )  # fmt: skip


def next_moment(state: ModelState, now: datetime) -> int:
    """The date (Unix time) that the next event of a model would bear."""
    return max(int(now.timestamp()), state.head.when + 1 if state.head else 0)


def mark_seen(repo: Repository, keys: Verifier | None, repository: str, model: str, now: datetime) -> None:
    """Move this clone's high-water mark to what the ledger holds of a model now."""
    ledger = read_ledger(repo, keys, repository=repository, model=model, now=now)
    record_seen(repo, ledger.state, policy=ledger.trust.policy.version if ledger.trust.policy else 0)


def require_head(repo: Repository, settings: Settings) -> str:
    """The commit that events are judged at; StrataError where none can be written."""
    head = repo.head()
    if head is None:
        raise StrataError("There is no commit yet, so there is nothing to promote.", hint="Commit the model first.")
    if not settings.repository:
        raise StrataError(
            "strata.yaml gives this repository no identity, so events could be replayed elsewhere.",
            hint="git strata init   adds what is missing; 'repository:' in strata.yaml is a UUID",
        )
    if is_shallow(repo):
        raise StrataError(
            "This clone is shallow, so the commit that introduced a version cannot be told.",
            hint="git fetch --unshallow --tags",
        )
    return head


def _listed(repo: Repository, head: str, model: str) -> set[str]:
    """The versions of the model that HEAD holds; StrataError when there are none."""
    if NAME.fullmatch(model):
        entries = commit_tree(repo, head, [f"models/{model}"]).under(f"models/{model}")
        if versions := {found.version for entry in entries if (found := artifact_of(entry.path))}:
            return versions
    raise StrataError(f"HEAD holds no model '{printable(model)}'.", hint="git strata list models; commit it first")


def _target(artifact: Artifact, origin: str, to: str | None) -> str:
    if to is None:
        if (target := next_stage(origin)) is None:
            raise StrataError(
                f"{artifact.short} is in {origin}; there is no stage above.",
                hint=f"git strata archive {artifact.short}" if origin == PRODUCTION else "git strata stages",
            )
        return target
    if to not in STAGES[1:]:
        raise StrataError(
            f"'{printable(to)}' is not a stage a version can move to.", hint=f"Stages: {', '.join(STAGES[1:])}"
        )
    return to


# -- facts -------------------------------------------------------------------------------------------------------


def _facts(
    repo: Repository, settings: Settings, head: str, artifact: Artifact, origin: str, target: str, ledger: Ledger,
    judge: Judge | None,
) -> tuple[MoveFacts, Draft]:  # fmt: skip
    """What the gate wants to know, and the release (commit, tree, digest) that events will name."""
    introduced = introductions(repo, head, artifact.name)
    commit = introduced[artifact.version]
    release, registered = _release(repo, ledger.model(artifact.name), artifact, commit)
    files = commit_tree(repo, head, [artifact.path])
    sums = _blob(files, f"{artifact.path}/{CHECKSUMS}")
    verdict = _verdict(repo, head, artifact, judge) if is_upward(origin, target) else None
    return MoveFacts(
        artifact, origin, target,
        differing=_differing(repo, artifact) if verdict else (),
        verdict=verdict.errors if verdict else (),
        unjudged=verdict.unjudged if verdict else (),
        signatures=_signatures(repo, files, artifact, sums) if verdict else None,
        signing_required=settings.signing_required,
        digest=digest(sums) if sums is not None else None,
        released=release.digest or None,
        introduced=commit,
        registered=registered,
        companions=tuple(v for v, other in introduced.items() if other == commit and v != artifact.version),
        ledger=ledger.model(artifact.name).complaints,
        transitions=ledger.trust.policy.transitions if ledger.trust.policy else None,
    ), release  # fmt: skip


def _release(repo: Repository, state: ModelState, artifact: Artifact, commit: str) -> tuple[Draft, str | None]:
    """The registration to be written, or what the one that is there says; with the commit that one names."""
    placed = state.versions.get(artifact.version)
    if placed is not None and placed.registration is not None and (record := placed.registration.record):
        return Draft(artifact.version, None, EXPERIMENTAL, record.commit, record.tree, record.digest), record.commit
    evidence = gather(repo, [(commit, artifact.path)])[commit, artifact.path]
    return Draft(artifact.version, None, EXPERIMENTAL, commit, evidence.tree or "", evidence.digest or ""), None


def introductions(repo: Repository, head: str, model: str) -> dict[str, str]:
    """For every version that `model` ever had in the history of `head`: the commit that introduced it."""
    found: dict[str, str] = {}
    for path, commit in first_appearances(repo, [head], [f"models/{model}"]).items():
        artifact = artifact_of(path)
        if artifact is not None and artifact.version:
            found.setdefault(artifact.version, commit)
    return found


def _verdict(repo: Repository, head: str, artifact: Artifact, judge: Judge | None) -> Verdict:
    if judge is not None:
        return judge(repo, head, artifact)
    from strata_git.doctor.judge import judge_artifact_at

    return judge_artifact_at(repo, head, artifact)


def _differing(repo: Repository, artifact: Artifact) -> tuple[str, ...]:
    """Paths of the version that are staged, changed or new in the work tree; ignored files and other dirt are not."""
    if repo.worktree is None:
        return ()
    from strata_git.repo.worktree import unstaged_paths

    staged = {change.path for change in staged_changes(repo, [artifact.path])}
    return tuple(sorted(staged | set(unstaged_paths(repo, [artifact.path]))))


def _signatures(
    repo: Repository, files: ListedTree, artifact: Artifact, sums: bytes | None
) -> tuple[SignatureVerdict, ...] | None:
    armored = _blob(files, f"{artifact.path}/{SIGNATURE}")
    if armored is None:
        return None
    return tuple(artifact_gpg(repo).verify_detached(sums or b"", armored))


def _blob(files: ListedTree, path: str) -> bytes | None:
    entry = files.get(path)
    return files.read(entry, LIMIT) if entry is not None else None


def _dangers(
    repo: Repository, head: str, artifact: Artifact, origin: str, target: str, trust: Trust
) -> tuple[str, ...]:
    """What a scan finds in the version's files, where the policy asks for one."""
    rule = trust.policy.rule_for(artifact.name, origin, target) if trust.policy else None
    if trust.policy is None or rule is None or "scan" not in rule.requires:
        return ()
    from strata_git.doctor.dangers import dangers_of

    return dangers_of(repo, head, artifact, trust.policy.pickle_imports)


def _unfit(repo: Repository, trust: Trust, required: bool, now: datetime) -> tuple[Finding, ...]:
    """What of the trust policy stands against moving anything: it cannot be followed, is asked for and absent, or asks
    for a statement of freshness that is."""
    if trust.state == "trusted" and required:
        return tuple(freshness_findings(repo, trust, required=True, now=now))
    if trust.state == "trusted" or (trust.state == "unprotected" and not required):
        return ()
    return unprotected_as_error(trust)


# -- what is written -----------------------------------------------------------------------------------------------


def _drafts(state: ModelState, version: str, target: str, release: Draft) -> list[Draft]:
    """Registration, leaving, displacing, entering: whichever of them the move takes, in this order."""
    from dataclasses import replace

    origin = stage_of(state, version)
    drafts = [release] if version not in state.versions else []
    move = replace(release, origin=origin, target=target)
    if origin != EXPERIMENTAL:
        drafts.append(replace(move, leaving=True))
    if displaced := displaced_by(state, version, target):
        record = state.versions[displaced].since.record
        assert record is not None  # noqa: S101 - a version is placed by an event that could be read
        drafts.append(
            Draft(displaced, PRODUCTION, EXPERIMENTAL, record.commit, record.tree, record.digest, leaving=True)
        )
    return [*drafts, move]


def displaced_by(state: ModelState, version: str, target: str) -> str | None:
    """The version that leaves production when `version` moves to `target`."""
    return state.production if target == PRODUCTION and state.production != version else None


def noted_events(repo: Repository, events: Sequence[Event]) -> str:
    """Note the new events, and old ones that a crash left without a note; why it could not be done."""
    try:
        write_notes(repo, events)
    except StrataError as error:
        return error.message
    return ""
