"""SIGNATURE.asc as text and packets: armored blocks, what each holds, adding one, missing ones. Pure.

The file is blocks of ASCII armor and nothing else: no byte before, between or after them. A block of OpenPGP
(RFC 4880 §6) holds signature packets only; one of SSH is a single signature. Each is handed to the verifier alone, so
no signature can hide the next.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass

from strata_git.integrity import ssh_armor

SIZE_LIMIT = 1 << 20
BLOCK_LIMIT = 64
"""Blocks a file may have; as many signatures."""

_BLOCK = re.compile(
    rb"-----BEGIN PGP SIGNATURE-----\n"
    rb"(?:(?:Version|Comment): [\x20-\x7e]{0,200}\n){0,8}\n"
    rb"((?:[A-Za-z0-9+/=]{1,76}\n)+?)"
    rb"(?:=([A-Za-z0-9+/]{4})\n)?"
    rb"-----END PGP SIGNATURE-----\n"
)
_OPENPGP_SIGNATURE = 2
_EXPIRES = 3
"""The subpacket that says for how many seconds a signature holds (RFC 4880 §5.2.3.10)."""
_CRC_START, _CRC_POLYNOMIAL = 0xB704CE, 0x864CFB


class ArmorError(ValueError):
    """Bytes that are not a plain sequence of armored detached signatures."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One signature packet: `data` with its own header; the rest as the packet claims it, unverified.

    `issuer` is the fingerprint (or only the 16-digit key id), upper-case hex, `""` where the packet is silent.
    `strength` is the bits of an RSA value (a key's bits but for a few), 0 for other algorithms. Of an SSH signature
    only `data`, without armor, and `issuer`, `SHA256:...`, are known. `ends` says that the signature itself expires.
    """

    data: bytes
    signature_class: int
    algorithm: int
    hash: int
    issuer: str
    strength: int
    ends: bool = False


def split_blocks(armored: bytes) -> list[bytes]:
    """The armored blocks of which `armored` consists, each ending with LF; ArmorError where there is more or less."""
    if len(armored) > SIZE_LIMIT:
        raise ArmorError(f"{len(armored)} bytes of signatures; at most {SIZE_LIMIT} are read")
    blocks: list[bytes] = []
    position = 0
    while position < len(armored):
        match = _BLOCK.match(armored, position) or ssh_armor.ARMOR.match(armored, position)
        if match is None:
            raise ArmorError(f"something other than an armored signature after {len(blocks)} block(s)")
        blocks.append(match.group())
        position = match.end()
        if len(blocks) > BLOCK_LIMIT:
            raise ArmorError(f"more than {BLOCK_LIMIT} signature blocks")
    if not blocks:
        raise ArmorError("no signature at all")
    return blocks


def packets(block: bytes) -> list[Packet]:
    """The signature packets in one armored block, in order; ArmorError when anything else is in it."""
    if is_ssh(block):
        return [_ssh_packet(block)]
    match = _BLOCK.fullmatch(block)
    if match is None:
        raise ArmorError("not one armored signature block")
    try:
        data = b64decode(match[1].replace(b"\n", b""), validate=True)
        crc = match[2] and b64decode(match[2])
    except ValueError as error:
        raise ArmorError(f"the armor is not base64: {error}") from None
    if crc is not None and crc != _crc24(data).to_bytes(3, "big"):
        raise ArmorError("the armor's checksum is wrong")
    found: list[Packet] = []
    position = 0
    while position < len(data):
        start, end = _packet_bounds(data, position)
        found.append(_packet(data[position:end], data[start:end]))
        position = end
        if len(found) > BLOCK_LIMIT:
            raise ArmorError(f"more than {BLOCK_LIMIT} signatures in one block")
    return found


def append_block(existing: bytes | None, block: bytes) -> bytes:
    """`existing` with one more signer's `block`, all ordered by issuer; the blocks themselves stay as they are.

    Raises ArmorError when `block` is not exactly one signature, or its key has signed before.
    """
    if len(new := packets(block)) != 1:
        raise ArmorError("a block to be added holds exactly one signature")
    blocks = split_blocks(existing) if existing else []
    issuer = new[0].issuer
    for old in blocks:
        if issuer and any(_same_key(issuer, packet.issuer) for packet in packets(old)):
            raise ArmorError(f"the key {issuer} has signed this already")
    ordered = sorted([*blocks, block], key=lambda each: packets(each)[0].issuer)
    return b"".join(split_blocks(b"".join(ordered)))


def missing_blocks(old: bytes | None, new: bytes | None) -> list[bytes]:
    """Blocks of `old` of which `new` lacks a signature; empty when `new` only added. Compared by packet, not by armor.

    Raises ArmorError when `new` cannot be read; an unreadable `old` protects nothing and gives an empty answer.
    """
    try:
        before = {block: packets(block) for block in split_blocks(old)} if old else {}
    except ArmorError:
        return []
    after = {packet.data for block in (split_blocks(new) if new else []) for packet in packets(block)}
    return [block for block, held in before.items() if any(packet.data not in after for packet in held)]


def is_ssh(block: bytes) -> bool:
    """Whether a block is an SSH signature."""
    return block.startswith(ssh_armor.BEGIN)


def _ssh_packet(block: bytes) -> Packet:
    try:
        public_key, _ = ssh_armor.read_signature(block)
        return Packet(ssh_armor.signature_bytes(block), 0, 0, 0, ssh_armor.fingerprint_of(public_key), 0)
    except ValueError as error:
        raise ArmorError(str(error)) from None


def _same_key(one: str, other: str) -> bool:
    """Whether two issuers can be one key, either told by fingerprint or by key id."""
    return bool(other) and (one.endswith(other) or other.endswith(one))


def _packet_bounds(data: bytes, position: int) -> tuple[int, int]:
    """Start of the body and end of the packet at `position` (RFC 4880 §4.2); partial and open lengths are refused."""
    head = data[position]
    try:
        if head & 0xC0 == 0xC0:
            tag, first = head & 0x3F, data[position + 1]
            start, length = _new_length(data, position + 1, first)
        elif head & 0x80:
            tag, width = head >> 2 & 0x0F, (1, 2, 4, 0)[head & 3]
            start = position + 1 + width
            length = int.from_bytes(data[position + 1 : start], "big") if width else -1
        else:
            raise ArmorError("not an OpenPGP packet")
    except IndexError:
        raise ArmorError("a packet is cut short") from None
    if tag != _OPENPGP_SIGNATURE:
        raise ArmorError(f"a packet that is no signature (tag {tag})")
    if length < 0 or start + length > len(data):
        raise ArmorError("a packet is cut short or of unknown length")
    return start, start + length


def _new_length(data: bytes, position: int, first: int) -> tuple[int, int]:
    if first < 192:
        return position + 1, first
    if first < 224:
        return position + 2, (first - 192 << 8) + data[position + 1] + 192
    if first == 255:
        return position + 5, int.from_bytes(data[position + 1 : position + 5], "big")
    return position + 1, -1


def _packet(whole: bytes, body: bytes) -> Packet:
    if len(body) < 10 or body[0] != 4:
        raise ArmorError("a signature packet that is not of version 4")
    hashed_end = 6 + int.from_bytes(body[4:6], "big")
    unhashed_end = hashed_end + 2 + int.from_bytes(body[hashed_end : hashed_end + 2], "big")
    if len(body) < unhashed_end + 4:
        raise ArmorError("a signature packet is cut short")
    hashed, unhashed = _subpackets(body[6:hashed_end]), _subpackets(body[hashed_end + 2 : unhashed_end])
    issuer = _issuer(hashed) or _issuer(unhashed)
    number = int.from_bytes(body[unhashed_end + 2 : unhashed_end + 4], "big")
    strength = number if body[2] in {1, 3} else 0
    return Packet(whole, body[1], body[2], body[3], issuer, strength, any(hashed.get(_EXPIRES, b"")))


def _issuer(found: dict[int, bytes]) -> str:
    """Fingerprint (subpacket 33), else key id (16)."""
    if len(found.get(33, b"")) > 20:
        return found[33][1:].hex().upper()
    return found[16].hex().upper() if len(found.get(16, b"")) == 8 else ""


def _subpackets(area: bytes) -> dict[int, bytes]:
    """Type -> bytes of one area of subpackets (RFC 4880 §5.2.3.1); the last of each type."""
    found: dict[int, bytes] = {}
    position = 0
    while position < len(area):
        try:
            start, length = _new_length(area, position, area[position])
        except IndexError:
            raise ArmorError("a subpacket is cut short") from None
        if length < 1 or start + length > len(area):
            raise ArmorError("a subpacket is cut short")
        found[area[start] & 0x7F] = area[start + 1 : start + length]
        position = start + length
    return found


def _crc24(data: bytes) -> int:
    crc = _CRC_START
    for byte in data:
        crc = (crc << 8 & 0xFFFFFF) ^ _CRC_TABLE[crc >> 16 ^ byte]
    return crc


def _crc_row(row: int) -> int:
    row <<= 16
    for _ in range(8):
        row = row << 1 ^ (_CRC_POLYNOMIAL if row & 0x800000 else 0)
    return row & 0xFFFFFF


_CRC_TABLE = [_crc_row(row) for row in range(256)]
