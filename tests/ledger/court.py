"""A lab under a trust policy, written and signed by stock tools; whoever opens the repository has it pinned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strata_git.ledger.trust import Trust, read_trust
from tests.ledger.lab import Lab
from tests.support.artifacts import REPOSITORY
from tests.support.builder import RepositoryBuilder
from tests.support.keys import Keys

TRUST = ".strata/trust"
ISSUED = "2026-01-31T00:00:00Z"
"""A day and a half before `lab.NOW`; roots sign later, when the test runs."""
STEPS = (("experimental", "staging"), ("staging", "production"))


def rule(origin: str, target: str, *signers: str, **more: object) -> dict[str, object]:
    """A rule for all models."""
    return {"models": "*", "from": origin, "to": target, "signers": list(signers), **more}


def ladder(*signers: str, **more: object) -> list[dict[str, object]]:
    """Both steps up for the same people."""
    return [rule(*step, *signers, **more) for step in STEPS]


@dataclass(frozen=True, slots=True)
class Court(Lab):
    """A `Lab` whose policy versions are made by `enact`; `digests` are theirs, in order."""

    digests: list[str] = field(default_factory=list)

    def text(
        self, *people: str, roots: Sequence[str] = ("alice",), threshold: int = 1,
        rules: Sequence[Mapping[str, object]] | None = None, version: int = 0, previous: str | None = "",
        **more: object,
    ) -> bytes:  # fmt: skip
        """The bytes of the next version of a policy; JSON is YAML too."""
        number = version or len(self.digests) + 1
        before = (self.digests[-1] if self.digests else None) if previous == "" else previous
        known: dict[str, Any] = {who: {"keys": [f"gpg:{self.keys.fingerprint(who)}"]} for who in {*people, *roots}}
        value = {
            "schema": "strata/policy/v1", "repository": REPOSITORY, "version": number, "previous": before,
            "issued": ISSUED, "roots": {"threshold": threshold, "principals": list(roots)}, "principals": known,
            "rules": list(ladder(*(people or roots)) if rules is None else rules), **more,
        }  # fmt: skip
        for name, person in dict(more.get("principals", {})).items():  # type: ignore[call-overload]
            value["principals"] = known | {name: known.get(name, {}) | person}
            known = value["principals"]
        return (json.dumps(value, indent=1) + "\n").encode()

    def place(self, data: bytes, *signers: str) -> RepositoryBuilder:
        """Put a policy, its keys, and signatures by stock gpg into the work tree."""
        people = json.loads(data)["principals"]
        keys = {f"{TRUST}/keys/{who}.asc": self.keys.public(who) for who in people if self._has(who)}
        blocks = {f"{TRUST}/policy.yaml.asc": self.keys.sign(data, *signers)} if signers else {}
        if not signers and (self.repo.path / TRUST / "policy.yaml.asc").exists():
            self.repo.delete(f"{TRUST}/policy.yaml.asc")
        return self.repo.write({f"{TRUST}/policy.yaml": data, **keys, **blocks})

    def enact(self, *people: str, signers: Sequence[str] = ("alice",), pin: bool = True, **about: Any) -> str:
        """Commit the next version, signed by `signers`; the first one is pinned for everybody who comes now."""
        data = self.text(*people, **about)
        self.place(data, *signers)
        self.repo.commit(f"Policy {len(self.digests) + 1}")
        self.digests.append("sha256:" + hashlib.sha256(data).hexdigest())
        if pin and len(self.digests) == 1:
            self.repo.environ["STRATA_TRUST_PIN"] = self.digests[0]
        return self.digests[-1]

    def trust(self) -> Trust:
        repo = self.repo.repository()
        try:
            return read_trust(repo, REPOSITORY)
        finally:
            repo.close()

    def stages(self) -> dict[str, str]:
        return {name: placed.stage for name, placed in self.state().versions.items()}

    def rules_told(self) -> set[str]:
        return {rule for rule, _ in self.told()}

    def _has(self, who: str) -> bool:
        from tests.support.keys import RECIPES

        return who in RECIPES


def court_in(repo: RepositoryBuilder, keys: Keys) -> Court:
    """The court in an empty repository, with `forest` v1 and v2 and no policy yet."""
    from tests.ledger.lab import lab_in

    lab_in(repo, keys)
    return Court(repo, keys)
