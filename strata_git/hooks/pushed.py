"""One push, whichever end looks at it: its lines, and what guarded references never do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import POLICY, SETTINGS
from strata_git.ledger.events import HEADS
from strata_git.ledger.freshness import FRESHNESS
from strata_git.ledger.log import LOG
from strata_git.ledger.names import TAGS, likeness
from strata_git.ledger.pins import is_any_pinned
from strata_git.repo.command import Repository
from strata_git.repo.history import is_ancestor
from strata_git.repo.notes import NOTES_REF

APPROVALS = "refs/strata/approvals/"
RECEIPTS = "refs/strata/receipts/"


@dataclass(frozen=True, slots=True)
class Push:
    """One reference of a push: what goes where, and what the receiving side has there.

    On the receiving side `local_ref` and `remote_ref` are the same: what it is called at the sender is not told.
    """

    local_ref: str
    local_oid: str
    remote_ref: str
    remote_oid: str

    @property
    def deletes(self) -> bool:
        """Whether the reference is taken away."""
        return set(self.local_oid) == {"0"}

    @property
    def creates(self) -> bool:
        """Whether the receiving side has no such reference yet."""
        return set(self.remote_oid) == {"0"}


def judge_policy_tip(
    repo: Repository, tip: str, in_force: str, *, where: str, revisions: Sequence[str] | None = None,
    replaced: str = "",
) -> list[Finding]:  # fmt: skip
    """What is wrong with the trust policy that the commit `tip` would put at the tip of the main branch.

    `in_force` is the commit whose settings say which repository this is; `revisions` are where the policy in force is
    looked for (default: all branches that are known here), `replaced` is what that tip is now (`""`: nothing).
    """
    names = [f"{commit}:{POLICY}" for commit in dict.fromkeys((tip, in_force))]
    if not is_any_pinned(repo) and not any(row is not None for _, row in repo.objects.lookup(names)):
        return []
    from strata_git.doctor.trust import judge_change  # most pushes meet no policy
    from strata_git.ledger.trust import HERE

    identity = _identity(repo, in_force)
    return judge_change(repo, in_force, tip, identity, where=where, revisions=revisions or HERE, replaced=replaced)


def _identity(repo: Repository, commit: str) -> str:
    """The UUID in the settings of a commit; `""` where they are absent, or cannot be read, which is told elsewhere."""
    from strata_git.config import SettingsError, load_settings

    row = dict(repo.objects.lookup([f"{commit}:{SETTINGS}"]))[f"{commit}:{SETTINGS}"]
    try:
        return load_settings(row[2]).repository if row is not None and row[1] == "blob" else ""
    except SettingsError:
        return ""


def is_event_ref(name: str) -> bool:
    """Whether a reference is an event tag, or pretends to be one."""
    return name.startswith(TAGS) and likeness(name.removeprefix(TAGS))[0] != "foreign"


def judge_guarded(repo: Repository, push: Push, where: str) -> list[Finding]:
    """Events, approvals, receipts, chain heads, notes, statements and the log are never deleted, the first three never
    moved, notes and the log only added to.

    `where` is the receiving side in words. How a chain's head moves is judged with the events.
    """
    name = push.remote_ref
    if name.startswith(FRESHNESS):
        return [found("STR-P017", name, f"would be deleted {where}")] if push.deletes else []
    single = is_event_ref(name) or name.startswith((APPROVALS, RECEIPTS))
    if not (single or name.startswith(HEADS) or name in (NOTES_REF, LOG)):
        return []
    if name == LOG and (push.deletes or not (push.creates or _is_forward(repo, push))):
        deed = "deleted" if push.deletes else "set back or replaced"
        return [found("STR-P041", name, f"would be {deed} {where}; entries are only added")]
    if push.deletes:
        return [found("STR-P017", name, f"would be deleted {where}")]
    if push.creates or push.local_oid == push.remote_oid:
        return []
    if single:
        return [found("STR-P017", name, f"would be moved {where}")]
    if name == NOTES_REF and not _is_forward(repo, push):
        return [found("STR-P017", name, f"would lose notes that are {where}; fetch and merge them first")]
    return []


def _is_forward(repo: Repository, push: Push) -> bool:
    return bool(repo.resolve(push.remote_oid)) and is_ancestor(repo, push.remote_oid, push.local_oid)
