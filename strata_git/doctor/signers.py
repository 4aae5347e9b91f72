"""Whose signatures on artifacts are known: the people of the trust policy, by the user's keyring everybody else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from strata_git.config import load_settings
from strata_git.contracts.layout import SETTINGS
from strata_git.errors import StrataError
from strata_git.integrity.keyring import keyring_state
from strata_git.integrity.oms_people import judge_by_people
from strata_git.integrity.policy_keys import PolicyKeys
from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.signing import artifact_gpg, ssh_files
from strata_git.ledger.trust import read_trust
from strata_git.repo.command import Repository

if TYPE_CHECKING:
    from strata_git.integrity.oms import Bundle
    from strata_git.integrity.oms_keys import ModelVerdict, PublicKey


class Signers:
    """Judges signatures over artifacts; nothing is read before it is asked.

    A key of the policy in force, or of an earlier version, makes the signer enrolled. `repository` is the UUID that the
    policy has to be for (None: that of strata.yaml), `program` the user's gpg.
    """

    def __init__(self, repo: Repository, repository: str | None = None, *, program: str | None = None) -> None:
        self._repo = repo
        self._repository = repository
        self._gpg = artifact_gpg(repo, program)

    @cached_property
    def state(self) -> str:
        """Changes with the keyring and with the policy."""
        files = [path for path in ssh_files(self._repo) if path]
        return ":".join([keyring_state(self._repo.environ, files), *(digest[-12:] for digest, _ in self._rings)])

    def verdicts(self, sums: bytes, signature: bytes) -> list[SignatureVerdict] | None:
        """One verdict for each signature over the bytes of CHECKSUMS.txt; None where gpg is not installed."""
        try:
            told = list(self._gpg.verify_detached(sums, signature))
            for _, ring in self._rings:
                told = _better(told, ring.verify_detached(sums, signature, namespace="strata-checksums"))
        except StrataError:
            return None
        return told

    def model_verdict(self, bundle: Bundle, keys: Iterable[PublicKey] = (), *, now: int) -> ModelVerdict:
        """The verdict on a model.sig at the moment `now` (Unix time), by the policy's keys and by `keys` besides.

        Raises MissingExtra where a key is to be tried and the extra `oms` is not installed.
        """
        people = [(ring.policy, ring.model_keys) for _, ring in self._rings]
        return judge_by_people(bundle, people, keys, now=now)

    @cached_property
    def _rings(self) -> list[tuple[str, PolicyKeys]]:
        """The keys of every version that is trusted, the newest first."""
        try:
            identity = _identity(self._repo) if self._repository is None else self._repository
            trust = read_trust(self._repo, identity)
        except StrataError:
            return []  # a pin that cannot be read is told where trust is judged
        versions = trust.versions if trust.current is not None else ()
        return [(each.policy.digest, each.keyring(self._repo.environ)) for each in reversed(versions)]


def _identity(repo: Repository) -> str:
    """The UUID in strata.yaml of HEAD; `""` where there is none."""
    row = dict(repo.objects.lookup([f"HEAD:{SETTINGS}"]))[f"HEAD:{SETTINGS}"]
    return load_settings(row[2]).repository if row is not None and row[1] == "blob" else ""


def _better(told: list[SignatureVerdict], by_policy: Sequence[SignatureVerdict]) -> list[SignatureVerdict]:
    """What the policy's keys say of a signature, where they know the key; the rest as it was told before."""
    if len(told) != len(by_policy):
        return told
    return [new if new.enrolled and not old.enrolled else old for old, new in zip(told, by_policy, strict=True)]
