"""From all versions of a policy that a history holds, and a pin, to the one line of them that counts. Pure.

Behind the pinned version the line is bound by hashes (`previous`); beyond it every step needs the signatures of enough
roots of both sides. What is in force is the last version of the line (TFC-0009 6.6 to 6.9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from strata_git.integrity.policy import AHEAD, Policy, Shortfall, Vouch, enough_roots, follows

Vouches = Callable[[Policy, Policy | None], Sequence[Vouch]]
"""Good signatures over the bytes of a version, by keys of its own or of the version before it (None: own ones only)."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Versions from the oldest here to the one in force; `told` says why there is none, or why it ends early."""

    versions: tuple[Policy, ...] = ()
    told: tuple[Shortfall, ...] = ()

    @property
    def current(self) -> Policy | None:
        """The version in force."""
        return self.versions[-1] if self.versions else None


def walk(
    versions: Mapping[str, Policy],
    vouches: Vouches,
    *,
    digest: str = "",
    keys: Sequence[str] = (),
    repository: str = "",
) -> Chain:
    """The line that a pin leads to: `digest` of one version, or `keys` that all have to have signed the first one.

    `versions` are by digest, `repository` is the UUID they must be for (`""`: any).
    """
    start = _pinned(versions, vouches, digest, keys)
    if isinstance(start, Shortfall):
        return Chain(told=(start,))
    if repository and start.repository != repository:
        told = f"the pinned policy is for the repository {start.repository}, and this one is {repository}"
        return Chain(told=(Shortfall("STR-P035", told),))
    if short := enough_roots(start, vouches(start, None), since=start.issued - AHEAD):
        return Chain(told=(short,))
    line = [start]
    while (before := versions.get(line[0].previous or "")) is not None:
        line.insert(0, before)
    while True:
        following = successors(line[-1], versions, vouches)
        if len(following) > 1:
            names = " and ".join(sorted(policy.digest for policy in following))
            rivals = f"two versions {following[0].version} were signed by the roots: {names}"
            return Chain(tuple(line), (Shortfall("STR-P031", rivals),))
        if not following:
            return Chain(tuple(line))
        line += following


def successors(policy: Policy, versions: Mapping[str, Policy], vouches: Vouches) -> list[Policy]:
    """The versions that validly follow `policy`; more than one only where its roots signed two."""
    rivals = (each for each in versions.values() if each.previous == policy.digest)
    return [each for each in rivals if not follows(policy, each, vouches(each, policy))]


def _pinned(versions: Mapping[str, Policy], vouches: Vouches, digest: str, keys: Sequence[str]) -> Policy | Shortfall:
    if digest:
        found = versions.get(digest)
        return found or Shortfall("STR-P035", f"the pinned policy {digest} is nowhere in the history here")
    firsts = [policy for policy in versions.values() if policy.previous is None]
    signed = [policy for policy in firsts if set(keys) <= {vouch.key for vouch in vouches(policy, None)}]
    if len(signed) == 1:
        return signed[0]
    what = "two first versions are" if signed else "no first version of the policy is"
    return Shortfall("STR-P035", f"{what} signed by all of the pinned keys {', '.join(keys)}")
