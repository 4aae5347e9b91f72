"""The trust policy of what is judged: a sound file, with its keys, signed, and a successor of what is in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from strata_git.checks.finding import Finding, found
from strata_git.checks.policy import judge_policy
from strata_git.contracts.layout import POLICY, TRUST
from strata_git.doctor.subject import Subject
from strata_git.doctor.verdict import Verdict, ordered
from strata_git.errors import StrataError
from strata_git.integrity.policy import AHEAD, Policy, Shortfall, enough_roots, follows
from strata_git.ledger.assurances import freshness_findings
from strata_git.ledger.pins import Pin
from strata_git.ledger.trust import (
    Signed,
    Trust,
    collect,
    judge_chain,
    read_trust,
    read_version,
    root_vouches,
    unprotected_as_error,
)
from strata_git.repo.command import Repository
from strata_git.repo.tree import ListedTree, commit_tree


def judge_trust(repo: Repository, subject: Subject, repository: str) -> list[Finding]:
    """Findings on the policy in a subject. A narrow one is a commit on the way: roots sign one after the other, so
    what it lacks of signatures is told only of whole trees."""
    tree = subject.loose
    if tree.get(POLICY) is None:
        return [] if subject.narrow or subject.commit is None else _judge_absent(repo, repository, subject.commit)
    findings = list(judge_policy(tree, repository))
    if any(finding.severity == "error" for finding in findings):
        return findings
    if subject.narrow:
        return findings
    try:
        return [*findings, *_judge_signed(repo, tree, repository, subject.commit)]
    except StrataError as error:
        return [*findings, found("STR-S008", POLICY, f"signatures not judged: {error.message}", fix=error.hint)]


def with_required_trust(verdict: Verdict, repo: Repository, repository: str, revision: str | None) -> Verdict:
    """The verdict of somebody who asks for protection: without a pinned policy in force it is an error."""
    trust = read_trust(repo, repository, head=repo.resolve(revision) if revision else None)
    told = (*unprotected_as_error(trust), *freshness_findings(repo, trust, required=True))
    rules = {finding.rule for finding in told}
    return replace(verdict, findings=ordered([*(f for f in verdict.findings if f.rule not in rules), *told]))


def judge_change(
    repo: Repository, base: str, tip: str, repository: str, *, where: str = "", revisions: Sequence[str] = (),
    replaced: str = "",
) -> list[Finding]:  # fmt: skip
    """What is wrong with the policy of `tip` for whoever has `base`, and looks for policies in `revisions` beside it.

    `replaced` is the commit in whose place `tip` would stand, if it would: what its history held is not forgotten.
    Where nothing is pinned, what the base holds is what has to be followed.
    """
    trust = read_trust(repo, repository, head=base, revisions=revisions)
    before = read_version(commit_tree(repo, base, [TRUST]), f"{TRUST}/") if trust.state == "unpinned" else None
    if before is not None:
        held = trust.found.get(before.policy.digest, before)
        trust = replace(trust, state="trusted", versions=(held,), pin=Pin(before.policy.digest, source="the base"))
    return judge_tip(repo, commit_tree(repo, tip, [TRUST]), trust, tip, where=where, replaced=replaced)


def judge_tip(
    repo: Repository, tree: ListedTree, trust: Trust, history: str, *, where: str = "", replaced: str = ""
) -> list[Finding]:
    """Findings on the policy that a tree (with its trust directory) would bring to a branch, by what is trusted.

    `history` is the commit of that tree, `where` names the branch in words, `replaced` is what it holds now. Without a
    pin the file itself is judged, and whether its own roots signed it.
    """
    signed = read_version(tree, f"{TRUST}/")
    if signed is None:
        if trust.pin is None:
            return []
        what = "is gone" if tree.get(POLICY) is None else "cannot be read"
        return [found("STR-P031", POLICY, f"the policy that is pinned here {what}{where}")]
    signed = trust.found.get(signed.policy.digest, signed)
    missing = signed.keyring(repo.environ).unreadable()
    findings = [found("STR-P033", POLICY, f"the public key {key} of {name} is not in {TRUST}/keys{where}")
                for key, name in sorted(missing.items()) if not _gone(signed, key)]  # fmt: skip
    if trust.current is None:
        vouches = root_vouches(signed, signed, repo.environ)
        short = enough_roots(signed.policy, vouches, since=signed.policy.issued - AHEAD)
        return [*findings, *([found(short.rule_id, POLICY, short.message + where)] if short else [])]
    return [*findings, *_judge_place(repo, signed, trust, [each for each in (history, replaced) if each], where)]


def _judge_absent(repo: Repository, repository: str, commit: str) -> list[Finding]:
    """No policy here: fine, unless one is pinned."""
    trust = read_trust(repo, repository, head=commit)
    if trust.pin is None:
        return []
    return [found("STR-P031", POLICY, "the policy that is pinned here is gone"), *trust.findings]


def _judge_signed(repo: Repository, tree: ListedTree, repository: str, commit: str | None) -> Iterator[Finding]:
    trust = read_trust(repo, repository, head=commit)
    if trust.state == "unprotected" or (trust.state == "unpinned" and not trust.findings):
        yield found("STR-P034", POLICY, "a policy that no commit holds yet")
    yield from trust.findings
    yield from freshness_findings(repo, trust)
    yield from judge_tip(repo, tree, trust, commit or "")


def _judge_place(
    repo: Repository, signed: Signed, trust: Trust, histories: Sequence[str], where: str
) -> Iterator[Finding]:
    """Is it in the line of versions, or the next one; and is there no newer one behind it?"""
    assert trust.current is not None  # noqa: S101 - the caller asked
    policy, behind = signed.policy, collect(repo, histories) if histories else {}
    line = {each.digest: each for each in trust.chain}
    if policy.digest not in line and trust.pin is not None:  # there may be several steps to it
        known = {**trust.found, policy.digest: signed, **behind}
        chain = judge_chain(known, repo.environ, trust.pin, trust.current.policy.repository)
        for short in chain.told or _judge_step(repo, known, chain.versions, signed):
            yield found(short.rule_id, POLICY, short.message + where)
        line = {each.digest: each for each in chain.versions}
    if policy.digest not in line:
        return
    newest = _newest(behind, line)
    if newest > policy.version:
        yield found("STR-P031", POLICY, f"the policy is set back from version {newest} to {policy.version}{where}")


def _judge_step(
    repo: Repository, known: Mapping[str, Signed], line: Sequence[Policy], signed: Signed
) -> tuple[Shortfall, ...]:
    """What a version lacks to follow the last one of the line; nothing where it is part of it."""
    if not line or any(policy.digest == signed.policy.digest for policy in line):
        return ()
    before = known[line[-1].digest]
    vouches = root_vouches(signed, signed, repo.environ) + root_vouches(signed, before, repo.environ)
    return follows(before.policy, signed.policy, vouches)


def _newest(versions: Mapping[str, Signed], line: Mapping[str, object]) -> int:
    """The highest version of the trusted line that a history holds."""
    return max((signed.policy.version for digest, signed in versions.items() if digest in line), default=0)


def _gone(signed: Signed, key: str) -> bool:
    """Whether a key is a retired one: its file need not lie here any more."""
    return any(key in person.retired for person in signed.policy.principals.values())
