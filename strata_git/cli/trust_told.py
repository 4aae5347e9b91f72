"""How a trust policy is told: what is in force, what could be pinned, and how it came to be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from strata_git.authoring.trust_draft import Edited, pending
from strata_git.checks.engine import exit_code
from strata_git.cli.output import note, out, out_json, table
from strata_git.config import Settings
from strata_git.integrity.policy import Policy, Principal, people
from strata_git.ledger.trust import HERE, Signed, Trust, collect, read_trust, root_vouches
from strata_git.repo.command import Repository


def show_policy(repo: Repository, settings: Settings, style: str) -> int:
    """Print what `trust show` says; 1 where a policy is not pinned, 2 where the pinned one cannot be followed."""
    trust = read_trust(repo, settings.repository)
    waiting = pending(repo, settings) if repo.worktree is not None else None
    if style == "json":
        out_json({"schema": "strata/trust/v1", "state": trust.state, "pin": trust.pin.text if trust.pin else None,
                  "pinned_in": trust.pin.source if trust.pin else None,
                  "policy": _plain(trust.policy) if trust.policy else None,
                  "pending": _plain_edit(waiting) if waiting else None, "complaints": _complaints(trust)})  # fmt: skip
        return exit_code(trust.findings)
    if trust.policy is not None:
        out(f"version {trust.policy.version} is in force: {trust.policy.digest}")
        out(f"pinned by {trust.pin.source}" if trust.pin else "")
        _tell_policy(trust.policy)
    _tell_findings(trust)
    if waiting is not None:
        note(f"\nThe work tree holds version {waiting.policy.version}, {waiting.policy.digest}.")
        for short in waiting.lacking:
            note(f"  it is not in force: {short.message}")
        if not waiting.lacking and trust.state == "trusted":
            note("  it will be in force once it is committed")
        if trust.policy is None:
            _tell_policy(waiting.policy)
    return exit_code(trust.findings)


def show_pinnable(repo: Repository, repository: str, style: str) -> int:
    """Print what there is to pin, and how; 1, for nothing was pinned."""
    head = repo.head()
    versions = collect(repo, [*HERE, *([head] if head else [])])
    rows = sorted(versions.values(), key=lambda signed: (signed.policy.version, signed.policy.digest))
    if style == "json":
        listed = [_plain(signed.policy) | {"signed_by": _signers(repo, signed, versions)} for signed in rows]
        out_json({"schema": "strata/pinnable/v1", "repository": repository, "policies": listed})
        return 1
    if not rows:
        note("No commit here holds a trust policy. `git strata trust init` makes one.")
        return 1
    out(table([_row(repo, signed, versions) for signed in rows], ("VERSION", "ISSUED", "DIGEST", "SIGNED BY")))
    note("\nNothing was pinned. Ask the people who made the policy for its digest, over another way than this")
    note("repository, compare, and say:")
    note(f"  git strata trust pin {rows[-1].policy.digest}")
    return 1


def show_log(repo: Repository, repository: str, style: str) -> int:
    """Print the versions of the policy that is trusted, or of what is found, newest first."""
    trust = read_trust(repo, repository)
    found = {signed.policy.digest: signed for signed in trust.versions} or dict(trust.found)
    rows = sorted(found.values(), key=lambda signed: -signed.policy.version)
    if style == "json":
        listed = [_plain(signed.policy) | {"signed_by": _signers(repo, signed, found)} for signed in rows]
        out_json({"schema": "strata/trust-log/v1", "state": trust.state, "versions": listed,
                  "complaints": _complaints(trust)})  # fmt: skip
        return exit_code(trust.findings)
    if rows:
        out(table([_row(repo, signed, found) for signed in rows], ("VERSION", "ISSUED", "DIGEST", "SIGNED BY")))
    _tell_findings(trust)
    return exit_code(trust.findings)


def _tell_policy(policy: Policy) -> None:
    out(f"\nroots: {policy.root_threshold} of {', '.join(policy.roots)} change the policy")
    rows = [(name, key, _span(person)) for name, person in policy.principals.items() for key in _keys(person)]
    out("\n" + table(rows, ("WHO", "KEY", "VALID")))
    if policy.rules:
        head = ("RULE", "MODELS", "FROM → TO", "WHO", "BUT NOT THE", "ASKS FOR")
        out("\n" + table([_rule(policy, number) for number in range(len(policy.rules))], head))
    else:
        out("\nno rules: nobody may promote anything")
    for name, gate in policy.gates.items():
        out(f"gate {name}: {gate.text}")
    if policy.formats is not None:
        out(f"formats: {', '.join(policy.formats)}")
    if policy.max_age_days is not None:
        out(f"freshness: a statement of the last {policy.max_age_days} days (git strata push --freshness DAYS)")
    if policy.log:
        out("log: every change of the ledger is entered in refs/strata/log (git log refs/strata/log)")


def _rule(policy: Policy, number: int) -> tuple[str, ...]:
    rule = policy.rules[number]
    who = f"{rule.threshold} of {', '.join(rule.signers)}"
    barred = ", ".join(word.replace("_", " ") for word in rule.distinct_from)
    return str(rule.number), rule.models, f"{rule.origin} → {rule.target}", who, barred, ", ".join(rule.requires)


def _keys(person: Principal) -> Sequence[str]:
    gone = [f"{key} (retired {_day(at)})" for key, at in person.retired.items()]
    return [*person.keys, *gone] or ["(no key)"]


def _span(person: Principal) -> str:
    told = [("from", person.valid_from), ("until", person.valid_until), ("revoked", person.revoked_at)]
    words = [f"{word} {_day(moment)}" for word, moment in told if moment is not None]
    return ", ".join([*words, *([person.revoked_reason] if person.revoked_reason else [])]) or "always"


def _row(repo: Repository, signed: Signed, versions: dict[str, Signed]) -> tuple[str, ...]:
    policy = signed.policy
    return (
        str(policy.version),
        _day(policy.issued),
        policy.digest,
        ", ".join(_signers(repo, signed, versions)) or "nobody",
    )


def _signers(repo: Repository, signed: Signed, versions: dict[str, Signed]) -> list[str]:
    before = versions.get(signed.policy.previous or "")
    rings = [signed, *([before] if before else [])]
    names = {name for ring in rings for name in people(ring.policy, root_vouches(signed, ring, repo.environ))}
    return sorted(names)


def _tell_findings(trust: Trust) -> None:
    for finding in trust.findings:
        note(f"{finding.severity} {finding.rule} {finding.message}")
        note(f"  {finding.fix}")


def _complaints(trust: Trust) -> list[dict[str, object]]:
    return [{"rule": f.rule, "severity": f.severity, "message": f.message, "fix": f.fix} for f in trust.findings]


def _plain_edit(edited: Edited) -> dict[str, object]:
    lacking = [{"rule": short.rule_id, "message": short.message} for short in edited.lacking]
    return _plain(edited.policy) | {"signed_by": list(edited.signed_by), "lacking": lacking}


def _plain(policy: Policy) -> dict[str, object]:
    return {
        "version": policy.version,
        "digest": policy.digest,
        "previous": policy.previous,
        "issued": _moment(policy.issued),
        "roots": {"threshold": policy.root_threshold, "principals": list(policy.roots)},
        "principals": {
            name: {"keys": list(person.keys), "retired_keys": list(person.retired), "valid": _span(person)}
            for name, person in policy.principals.items()
        },
        "rules": [
            {"models": rule.models, "from": rule.origin, "to": rule.target, "signers": list(rule.signers),
             "threshold": rule.threshold, "distinct_from": list(rule.distinct_from), "requires": list(rule.requires)}
            for rule in policy.rules
        ],
        "gates": {name: gate.text for name, gate in policy.gates.items()},
        "freshness": {"max_age_days": policy.max_age_days} if policy.max_age_days is not None else None,
        "log": policy.log,
    }  # fmt: skip


def _day(moment: int | None) -> str:
    return _moment(moment)[:10] if moment is not None else ""


def _moment(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
