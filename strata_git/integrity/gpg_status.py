"""From gpg's status lines about one signature packet to a verdict. Pure.

Good is what has exactly the flags GOODSIG and VALIDSIG, class 00 and a strong hash and key. Everything else is named
for its worst: gpg calls signatures by revoked and expired keys, SHA-1 and text signatures good in its exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from strata_git.errors import printable
from strata_git.integrity.signer import SignatureVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strata_git.integrity.armor import Packet
    from strata_git.integrity.signer import Status

STRONG_HASHES = frozenset([8, 9, 10])
"""SHA-256, SHA-384, SHA-512 (RFC 4880 §9.4)."""

_FLAGS = frozenset([b"GOODSIG", b"BADSIG", b"ERRSIG", b"EXPSIG", b"EXPKEYSIG", b"REVKEYSIG"])
_RSA, _DSA = frozenset([1, 2, 3]), 17
_RSA_BITS = 3072 - 64  # a value by a 3072-bit key is shorter than that once in 2^64 signatures
_VALID_WORDS = 11
_NO_PUBLIC_KEY, _BAD_DIGEST = b"9", b"5"


def judge(status: Sequence[Sequence[bytes]], packet: Packet) -> SignatureVerdict:
    """The verdict on `packet`, alone of which gpg said `status` (lines split into words)."""
    flags = [line for line in status if line[0] in _FLAGS]
    valid = [line for line in status if line[0] == b"VALIDSIG"]
    groups = sum(line[0] == b"NEWSIG" for line in status)
    key_id, user = _who(flags, packet)
    if len(flags) != 1 or groups != 1 or len(valid) > 1:
        bad = any(line[0] == b"BADSIG" for line in flags)
        return SignatureVerdict("", "", "bad" if bad else "malformed", user, 0, key_id)
    if not valid or len(valid[0]) < _VALID_WORDS:
        fingerprint = packet.issuer if len(packet.issuer) >= 40 else ""
        return SignatureVerdict(fingerprint, "", _unverified(flags[0], packet), user, 0, key_id)
    words = [word.decode("ascii", "replace") for word in valid[0]]
    created = int(words[3]) if words[3].isdigit() else 0
    return SignatureVerdict(words[1], words[10], _verified(flags[0], words, packet), user, created, key_id)


def _who(flags: Sequence[Sequence[bytes]], packet: Packet) -> tuple[str, str]:
    """Key id and user id; gpg percent-escapes what could break a line, so it is decoded only after the split."""
    words = flags[0] if flags else []
    key_id = words[1].decode("ascii", "replace") if len(words) > 1 else packet.issuer[-16:]
    named = bool(words) and words[0] != b"ERRSIG"
    user = unquote_to_bytes(b" ".join(words[2:])).decode("utf-8", "replace") if named else ""
    return printable(key_id)[-16:], printable(user)


def _unverified(flag: Sequence[bytes], packet: Packet) -> Status:
    """The signature was not checked, or the check failed: ERRSIG is keyid, algorithm, hash, class, time, reason."""
    if flag[0] == b"BADSIG":
        return "bad"
    if flag[0] != b"ERRSIG":
        return "malformed"
    reason = flag[6] if len(flag) > 6 else b""
    if reason == _BAD_DIGEST or packet.hash not in STRONG_HASHES:
        return "weak-hash"
    return "unknown-key" if reason == _NO_PUBLIC_KEY else "malformed"


def _verified(flag: Sequence[bytes], words: Sequence[str], packet: Packet) -> Status:
    """The signature fits. VALIDSIG words: 7 key algorithm, 8 hash, 9 class."""
    kinds: dict[bytes, Status] = {
        b"GOODSIG": "good",
        b"EXPSIG": "expired-signature",
        b"EXPKEYSIG": "expired-key",
        b"REVKEYSIG": "revoked",
    }
    status = kinds.get(flag[0], "bad" if flag[0] == b"BADSIG" else "malformed")
    if status in {"bad", "malformed", "revoked"}:
        return status
    if words[9] != "00":
        return "text-mode" if words[9] == "01" else "malformed"
    return "weak-hash" if _weak(words[7], words[8], packet) else status


def _weak(algorithm: str, hash_: str, packet: Packet) -> bool:
    if not (algorithm.isdigit() and hash_.isdigit()) or int(hash_) not in STRONG_HASHES:
        return True
    return int(algorithm) == _DSA or (int(algorithm) in _RSA and packet.strength <= _RSA_BITS)
