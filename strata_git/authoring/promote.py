"""Moving a model's version to another stage: judged, signed, and recorded in the ledger (TFC-0009 §4).

Promoting, demoting and archiving are one use case. What protects users of a version is asked on the way up alone; a
broken version can always be taken down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from strata_git.checks.finding import Finding
from strata_git.config import Settings
from strata_git.contracts.layout import CHECKSUMS, NAME, POLICY, SIGNATURE, STAGES, Artifact, artifact_of
from strata_git.errors import StrataError, printable
from strata_git.integrity.checksums import digest
from strata_git.integrity.gpg import Gpg
from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.event import Event
from strata_git.ledger.events import Author, Draft, Ledger, read_ledger, write_events, write_notes
from strata_git.ledger.evidence import gather
from strata_git.ledger.gate import MoveFacts, judge_move
from strata_git.ledger.signing import UserKeys, Verifier, signer_for
from strata_git.ledger.stages import EXPERIMENTAL, PRODUCTION, is_upward, next_stage
from strata_git.ledger.state import ModelState
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
    production for it. `unnoted` says why notes could not be written (`""`: they were); the next promotion adds them.
    """

    artifact: Artifact
    origin: str
    target: str
    displaced: str | None
    commit: str
    digest: str
    events: tuple[Event, ...]
    unnoted: str = ""


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
) -> Promotion:
    """Move a version of `model` (default: the highest) to the stage `to` (default: the next one up).

    `key` names the signing key (default: strata.yaml's, then git's), `terminal` where its passphrase may be asked for;
    `judge` is doctor, `verifier` judges signatures of events. Raises Refused with findings when the version may not
    move, StrataError when the move cannot be made; nothing is written then.
    """
    moment = now or datetime.now(UTC)
    head = _require_head(repo, settings)
    keys = verifier or UserKeys(repo)
    ledger = read_ledger(repo, keys, repository=settings.repository, model=model, now=moment)
    state = ledger.model(model)
    listed = _listed(repo, head, model)
    artifact = Artifact("model", model, version or max(listed, key=lambda name: int(name[1:])))
    if artifact.version not in listed:
        known = ", ".join(sorted(listed, key=lambda name: int(name[1:])))
        raise StrataError(f"HEAD holds no {artifact.short}.", hint=f"It has {known} of {model}.")
    origin = stage_of(state, artifact.version)
    target = _target(artifact, origin, to)
    facts, release = _facts(repo, settings, head, artifact, origin, target, ledger, judge)
    if findings := judge_move(facts):
        raise Refused(artifact, target, findings)
    signer = signer_for(repo, key=key, configured=settings.signing_key, terminal=terminal)
    author = Author(signer, keys, settings.repository, head, moment, reason)
    events = write_events(
        repo, state, _drafts(state, artifact.version, target, release), author, recorded=ledger.heads.get(model)
    )
    return Promotion(
        artifact, origin, target, _displaced(state, artifact.version, target), release.commit, release.digest, events,
        _note(repo, [*state.events, *events]),
    )  # fmt: skip


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


def _require_head(repo: Repository, settings: Settings) -> str:
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
    files = commit_tree(repo, head, [artifact.path, POLICY])
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
        policy=files.get(POLICY) is not None,
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
    return tuple(Gpg(None, environ=repo.environ).verify_detached(sums or b"", armored))


def _blob(files: ListedTree, path: str) -> bytes | None:
    entry = files.get(path)
    return files.read(entry, LIMIT) if entry is not None else None


# -- what is written -----------------------------------------------------------------------------------------------


def _drafts(state: ModelState, version: str, target: str, release: Draft) -> list[Draft]:
    """Registration, leaving, displacing, entering: whichever of them the move takes, in this order."""
    from dataclasses import replace

    origin = stage_of(state, version)
    drafts = [release] if version not in state.versions else []
    move = replace(release, origin=origin, target=target)
    if origin != EXPERIMENTAL:
        drafts.append(replace(move, leaving=True))
    if displaced := _displaced(state, version, target):
        record = state.versions[displaced].since.record
        assert record is not None  # noqa: S101 - a version is placed by an event that could be read
        drafts.append(
            Draft(displaced, PRODUCTION, EXPERIMENTAL, record.commit, record.tree, record.digest, leaving=True)
        )
    return [*drafts, move]


def _displaced(state: ModelState, version: str, target: str) -> str | None:
    return state.production if target == PRODUCTION and state.production != version else None


def _note(repo: Repository, events: Sequence[Event]) -> str:
    """Note the new events, and old ones that a crash left without a note. The tags are truth, so a failure is told."""
    try:
        write_notes(repo, events)
    except StrataError as error:
        return error.message
    return ""
