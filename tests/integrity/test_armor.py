"""SIGNATURE.asc as text: strict blocks, their packets, adding one, missing ones."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.integrity import armor
from strata_git.integrity.armor import ArmorError, append_block, missing_blocks, packets, split_blocks
from tests.support.keys import Keys

ALICE, BOB = "AA" * 20, "BB" * 20


def subpacket(kind: int, value: bytes) -> bytes:
    length = len(value) + 1
    head = bytes([length]) if length < 192 else bytes([(length - 192 >> 8) + 192, length - 192 & 255])
    return head + bytes([kind]) + value


def body(issuer: str = ALICE, *, algorithm: int = 22, bits: int = 255, hashed: bytes = b"", salt: bytes = b"") -> bytes:
    area = hashed or subpacket(33, b"\x04" + bytes.fromhex(issuer))
    unhashed = subpacket(16, bytes.fromhex(issuer)[-8:])
    head = bytes([4, 0, algorithm, 10]) + len(area).to_bytes(2, "big") + area
    return head + len(unhashed).to_bytes(2, "big") + unhashed + b"LL" + bits.to_bytes(2, "big") + b"\1" * 32 + salt


def old_format(data: bytes) -> bytes:
    return b"\x88" + bytes([len(data)]) + data


def block(data: bytes, *, headers: str = "", crc: str = "") -> bytes:
    text = base64.encodebytes(data).decode()
    end = "-----END PGP SIGNATURE-----\n"
    return f"-----BEGIN PGP SIGNATURE-----\n{headers}\n{text}{crc}{end}".encode()


def signed(issuer: str, salt: bytes = b"") -> bytes:
    return block(old_format(body(issuer, salt=salt)))


def test_a_signature_that_ends_says_so(keys: Keys) -> None:
    def made(*options: str) -> bytes:
        words = (*options, "--local-user", keys.alice, "--armor", "--detach-sign")
        return keys.gpg(*words, stdin=b"text").out.encode()

    assert [packet.ends for packet in packets(made())] == [False]
    assert [packet.ends for packet in packets(made("--default-sig-expire", "1d"))] == [True]


def test_blocks_are_kept_to_the_byte() -> None:
    one, two = signed(ALICE), block(old_format(body(BOB)), headers="Version: x\nComment: y\n")
    assert split_blocks(one + two) == [one, two]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"x" + signed(ALICE),
        signed(ALICE) + b"\n",
        signed(ALICE) + b"\n" + signed(BOB),
        signed(ALICE)[:-1],
        signed(ALICE).replace(b"\n", b"\r\n"),
        signed(ALICE).replace(b"PGP SIGNATURE", b"PGP MESSAGE"),
        block(old_format(body()), headers="Hash: SHA1\n"),
        block(old_format(body()), headers="Comment: \x1b[2J\n"),
        signed(ALICE) * 65,
        b"x" * ((1 << 20) + 1),
    ],
    ids=range(12),
)
def test_nothing_may_stand_outside_a_block(text: bytes) -> None:
    with pytest.raises(ArmorError):
        split_blocks(text)


LENGTHS: dict[str, Callable[[bytes], bytes]] = {
    "old, one byte": old_format,
    "old, two bytes": lambda data: b"\x89" + len(data).to_bytes(2, "big") + data,
    "old, four bytes": lambda data: b"\x8a" + len(data).to_bytes(4, "big") + data,
    "new, one byte": lambda data: b"\xc2" + bytes([len(data)]) + data,
    "new, five bytes": lambda data: b"\xc2\xff" + len(data).to_bytes(4, "big") + data,
}


@pytest.mark.parametrize("form", LENGTHS)
def test_every_form_of_length(form: str) -> None:
    data = LENGTHS[form](body())
    (packet,) = packets(block(data))
    assert (packet.data, packet.issuer, packet.hash, packet.signature_class) == (data, ALICE, 10, 0)


def test_a_length_of_two_bytes_in_the_new_form() -> None:
    inside = body(salt=b"s" * 300)
    data = b"\xc2" + bytes([(len(inside) - 192 >> 8) + 192, len(inside) - 192 & 255]) + inside
    assert [packet.data for packet in packets(block(data))] == [data]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x88",
        b"\xc2",
        b"\xc2\xc0",
        b"\x88\x05\x04",
        old_format(body())[:-1],
        b"\x8b" + body(),
        b"\xc2\xe1" + body(),
        b"\xcb\x01\x00",
        b"\xa8\x01\x00",
        old_format(b"\x03" + body()[1:]),
        old_format(b"\x04\x00\x16\x0a"),
        old_format(body()[:20]),
        old_format(body(hashed=b"\xff\x00")),
        old_format(body(hashed=b"\xc0")),
        old_format(body(hashed=b"\x00")),
        old_format(body(hashed=b"\x20\x21")),
        old_format(body()) + b"\xcb\x01\x00",
        old_format(body()) * 65,
    ],
    ids=range(20),
)
def test_a_block_holds_signature_packets_only(data: bytes) -> None:
    with pytest.raises(ArmorError):
        packets(block(data) if data else block(b"x").replace(b"eA==", b"===="))


def test_armor_that_lies_is_refused() -> None:
    crc = base64.b64encode(armor._crc24(old_format(body())).to_bytes(3, "big")).decode()
    good = block(old_format(body()), crc=f"={crc}\n")
    assert packets(good)
    for bad in (good.replace(b"\n=", b"\n=A", 1), block(old_format(body()), crc="=AAAA\n"), signed(ALICE) * 2):
        with pytest.raises(ArmorError):
            packets(bad)


def test_crc24_is_that_of_the_standard() -> None:
    assert armor._crc24(b"") == 0xB704CE
    assert armor._crc24(b"123456789") == 0x21CF02


def test_strength_is_told_for_rsa_alone() -> None:
    assert packets(block(old_format(body(algorithm=1, bits=2047))))[0].strength == 2047
    assert packets(block(old_format(body(algorithm=22, bits=255))))[0].strength == 0


def test_issuer_falls_back_to_the_key_id_and_then_to_nothing() -> None:
    silent = subpacket(2, b"\0\0\0\1")
    whole = body(hashed=silent)
    assert packets(block(old_format(whole)))[0].issuer == ALICE[-16:]
    odd = subpacket(16, b"\1\2") + subpacket(33, b"\4\1")
    mute = body(hashed=odd).replace(subpacket(16, bytes.fromhex(ALICE)[-8:]), subpacket(2, b"\0" * 8))
    assert packets(block(old_format(mute)))[0].issuer == ""


@given(st.binary(max_size=120))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        found = packets(block(data) if data else b"")
    except ArmorError:
        return
    assert b"".join(packet.data for packet in found) == data


def test_signers_are_ordered_whatever_came_first() -> None:
    one, two = signed(ALICE), signed(BOB)
    assert append_block(None, one) == append_block(b"", one) == one
    assert append_block(one, two) == append_block(two, one) == one + two


def test_a_key_signs_once() -> None:
    by_key_id = block(old_format(body(ALICE, hashed=subpacket(2, b"\0\0\0\1"))))
    for again in (signed(ALICE), signed(ALICE, b"other"), by_key_id):
        with pytest.raises(ArmorError, match="signed this already"):
            append_block(signed(ALICE), again)
    with pytest.raises(ArmorError, match="signed this already"):
        append_block(by_key_id, signed(ALICE))


def test_only_one_whole_signature_is_added_to_a_sound_file() -> None:
    two = block(old_format(body(ALICE)) + old_format(body(BOB)))
    with pytest.raises(ArmorError, match="exactly one"):
        append_block(None, two)
    with pytest.raises(ArmorError):
        append_block(b"junk", signed(ALICE))
    with pytest.raises(ArmorError):
        append_block(None, b"junk")
    with pytest.raises(ArmorError, match="more than 64"):
        append_block(b"".join(signed(f"{n:040x}") for n in range(1, 65)), signed(ALICE))


def test_adding_and_reordering_misses_nothing() -> None:
    one, two = signed(ALICE), signed(BOB)
    assert missing_blocks(one, one + two) == missing_blocks(one + two, two + one) == []
    assert missing_blocks(None, one) == missing_blocks(b"", None) == []
    joined = block(old_format(body(BOB)) + old_format(body(ALICE)), headers="Comment: again\n")
    assert missing_blocks(one + two, joined) == []


def test_taking_one_signature_out_of_a_block_is_seen() -> None:
    joined = block(old_format(body(BOB)) + old_format(body(ALICE)))
    assert missing_blocks(joined, signed(ALICE)) == missing_blocks(joined, signed(BOB)) == [joined]


def test_removing_and_changing_is_seen() -> None:
    one, two = signed(ALICE), signed(BOB)
    assert missing_blocks(one + two, two) == [one]
    assert missing_blocks(one, None) == missing_blocks(one, b"") == [one]
    assert missing_blocks(one, signed(ALICE, b"other")) == [one]
    assert missing_blocks(b"junk", one) == []
    with pytest.raises(ArmorError):
        missing_blocks(one, b"junk")
