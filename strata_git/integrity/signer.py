"""What is said about a signature, and what a signer or a verifier has to be able to do.

GPG and SSH are two answers to these protocols; tests bring their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Status = Literal[
    "good",
    "bad",
    "expired-key",
    "expired-signature",
    "revoked",
    "unknown-key",
    "weak-hash",
    "text-mode",
    "malformed",
]

_SPOILING = frozenset({"bad", "malformed"})
_SENTENCES: dict[str, str] = {
    "good": "valid",
    "bad": "the signature does not fit the content",
    "expired-key": "the key has expired",
    "expired-signature": "the signature has expired",
    "revoked": "the key was revoked",
    "unknown-key": "the key is unknown here",
    "weak-hash": "made with a hash or key too weak to count",
    "text-mode": "a text signature, which does not cover line ends",
    "malformed": "not a detached binary signature",
}


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """One signature, judged.

    `fingerprint` is the (sub)key's that signed, `primary` its owner's: 40 hex or more for GPG, `SHA256:...` for SSH,
    `""` where unknown. `user` is safe to print, and only what the key says of itself. `created` is Unix time, 0 where
    unknown. `enrolled` is for a trust policy to set.
    """

    fingerprint: str
    primary: str
    status: Status
    user: str = ""
    created: int = 0
    key_id: str = ""
    enrolled: bool = False

    @property
    def good(self) -> bool:
        """Whether the signature is valid; whose it is, is another question."""
        return self.status == "good"

    @property
    def who(self) -> str:
        """Whose it is, for people: the key's user id, else its fingerprint."""
        return self.user or self.primary or self.fingerprint or self.key_id or "an unnamed key"

    @property
    def sentence(self) -> str:
        """The status for people: `valid, signer not enrolled`, `the key was revoked`."""
        if self.good and not self.enrolled:
            return "valid, signer not enrolled"
        return _SENTENCES[self.status]


def is_signed(verdicts: Iterable[SignatureVerdict]) -> bool:
    """At least one good signature, and none that is bad or cannot be read (TFC-0004).

    Signatures by unknown, expired or revoked keys do not count; they spoil nothing either.
    """
    statuses = {verdict.status for verdict in verdicts}
    return "good" in statuses and statuses.isdisjoint(_SPOILING)


def foremost(verdicts: Sequence[SignatureVerdict]) -> SignatureVerdict:
    """Whose name stands for all of `verdicts` (at least one): the first good one, else the first.

    What an unknown key signed beside it, before or after, hides nobody.
    """
    return next((verdict for verdict in verdicts if verdict.good), verdicts[0])


def spoiler(verdicts: Sequence[SignatureVerdict]) -> SignatureVerdict:
    """Why `verdicts` (at least one) do not vouch: the first bad or unreadable one, else the first."""
    return next((verdict for verdict in verdicts if verdict.status in _SPOILING), verdicts[0])


class Signer(Protocol):
    """Signs bytes with one key."""

    def sign(self, data: bytes) -> bytes:
        """An armored detached signature over `data`; raises StrataError when the key cannot be used."""


class Verifier(Protocol):
    """Judges the signatures over bytes."""

    def verify_detached(self, data: bytes, signature: bytes) -> Sequence[SignatureVerdict]:
        """One verdict for each signature in `signature`; never empty."""
