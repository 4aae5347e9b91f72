"""Tag objects and the record in their messages: one shape is read, all others are refused."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.ledger import record as record_module
from strata_git.ledger.record import (
    REASON_LIMIT,
    SCHEMA,
    TRAILER,
    Record,
    RecordError,
    TagError,
    check_fields,
    clean_reason,
    format_message,
    format_tag,
    parse_canonical,
    parse_message,
    parse_record,
    parse_tag,
)
from strata_git.load import canonical_json
from tests.ledger.book import Book, oid

ARMOR = b"-----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n"
COMMIT = oid("commit")


def record() -> Record:
    made = Book().add("v1", None, "experimental").record
    assert made is not None
    return made


def tag(**headers: str) -> bytes:
    lines = {"object": COMMIT, "type": "commit", "tag": "forest@v1.0.0", "tagger": "Ada <a@b> 5 +0000", **headers}
    return "".join(f"{key} {value}\n" for key, value in lines.items()).encode() + b"\nmessage\n"


# --- the message


@given(reason=st.text(max_size=60))
def test_messages_survive_a_round_trip(reason: str) -> None:
    try:
        kept = clean_reason(reason)
    except ValueError:
        return
    message = format_message("forest v1 is registered", reason, record())
    parsed = parse_message(message)
    assert parsed[1] == record()
    assert parsed[0] == kept


def test_records_survive_a_round_trip() -> None:
    full = replace(record(), approvals=(oid("a"), oid("b")), policy="sha256:" + "0" * 64, prev=oid("prev"), seq=7)
    assert parse_record(canonical_json(full.as_json()).decode()) == full


@pytest.mark.parametrize(
    "reason",
    ["a\x1b[31mb", "x\u202ey", "a\nStrata-Record: {}", "-----BEGIN PGP SIGNATURE-----", "strata-record", "x" * 4001],
)
def test_reasons_that_could_mislead_are_refused(reason: str) -> None:
    assert len(reason) <= REASON_LIMIT + 1
    with pytest.raises(ValueError, match="reason"):
        format_message("forest v1 is registered", reason, record())


def test_a_message_without_a_reason_has_none() -> None:
    assert parse_message(format_message("forest v1 is registered", "  \n ", record()))[0] == ""


@pytest.mark.parametrize(
    "broken",
    [
        lambda text: text.replace(TRAILER.encode(), b"Other: "),
        lambda text: text + text,
        lambda text: text.replace(b"Strata-Record: ", b"strata-record: "),
        lambda text: text.replace(b"Strata-Record: ", b"Strata-Record:"),
        lambda text: text + b"\n",
        lambda text: text + b"Signed-off-by: x\n",
        lambda text: text.removesuffix(b"\n"),
        lambda text: b"STRATA-RECORD: {}\n" + text,
        lambda text: b"\xff" + text,
        lambda text: b"",
    ],
)
def test_a_message_has_exactly_one_record_in_its_last_line(broken) -> None:  # type: ignore[no-untyped-def]
    good = format_message("forest v1 is registered", "because", record())
    parse_message(good)
    with pytest.raises(RecordError):
        parse_message(broken(good))


# --- the record


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "strata/event/v2"}, {"repo": "x"}, {"repo": None}, {"model": "Forest"}, {"model": "a/b"},
        {"version": "1"}, {"version": "v0"}, {"from": "prod"}, {"from": ""}, {"to": None}, {"to": "dev"},
        {"seq": -1}, {"seq": True}, {"seq": 1.5}, {"seq": "1"}, {"seq": 10**9}, {"prev": ""}, {"prev": "0" * 39},
        {"prev": "A" * 40}, {"commit": None}, {"commit": COMMIT + "\n"}, {"tree": 1}, {"digest": "0" * 64},
        {"policy": "x"}, {"approvals": None}, {"approvals": ["x"]}, {"approvals": ["0" * 40] * 65},
        {"judged_at": "HEAD"}, {"issued_at": "2026-02-02"}, {"issued_at": "2026-02-02T00:00:00+00:00"},
        {"extra": 1}, {"model": ["forest"]},
    ],
)  # fmt: skip
def test_every_key_is_checked(changes: dict[str, object]) -> None:
    with pytest.raises(RecordError):
        parse_record(canonical_json({**record().as_json(), **changes}).decode())


def slowly(text: str) -> Record | str:
    """What the whole reader says, without the short way."""
    try:
        value = parse_canonical(text, SCHEMA)
        check_fields(value, record_module._CHECKS, optional=record_module._OPTIONAL)
    except RecordError as error:
        return str(error)
    plain = {name: value[key] for key, name in record_module._FIELDS.items() if key != "approvals"}
    return Record(**plain, approvals=tuple(value["approvals"]), merges=tuple(value.get("merges", ())))


def read(text: str) -> Record | str:
    try:
        return parse_record(text)
    except RecordError as error:
        return str(error)


CHANGED = st.sampled_from([
    {}, {"seq": 0}, {"seq": 999_999_999}, {"seq": 10**9}, {"seq": -1}, {"seq": True}, {"seq": 1.0}, {"origin": None},
    {"origin": "staging"}, {"target": "prod"}, {"prev": None}, {"prev": "a" * 64}, {"prev": "A" * 40},
    {"policy": "sha256:" + "0" * 64}, {"policy": ""}, {"approvals": ("a" * 40,)}, {"merges": ("b" * 40,)},
    {"model": "a_b-c"}, {"model": "a--b"}, {"model": "\xe9"}, {"version": "v0"}, {"version": "v12"}, {"repo": "x"},
])  # fmt: skip


@given(st.lists(CHANGED, max_size=3), st.integers(0, 900), st.sampled_from(["", " ", "0", '"', "}", ",", "a", "\n"]))
def test_the_short_way_reads_what_the_whole_reader_reads(changes: list[dict[str, object]], at: int, put: str) -> None:
    changed = record()
    for each in changes:
        changed = replace(changed, **each)  # type: ignore[arg-type]
    text = canonical_json(changed.as_json()).decode()
    for told in (text, text[:at] + put + text[at:], text[:at] + put + text[at + 1 :]):
        assert read(told) == slowly(told)


def test_nearly_every_record_is_read_the_short_way() -> None:
    assert record_module._USUAL.fullmatch(canonical_json(record().as_json()).decode())


@pytest.mark.parametrize("key", sorted(record().as_json()))
def test_no_key_may_be_missing(key: str) -> None:
    plain = record().as_json()
    del plain[key]
    with pytest.raises(RecordError):
        parse_record(canonical_json(plain).decode())


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(record().as_json()),
        canonical_json(record().as_json()).decode().replace('"seq":0', '"seq":0,"seq":0'),
        canonical_json(record().as_json()).decode().replace('"seq":0', '"seq":0.0'),
        canonical_json(record().as_json()).decode().replace('"seq":0', '"seq":NaN'),
        canonical_json(record().as_json()).decode().replace('"seq":0', '"seq":' + "9" * 5000),
        "[]", "null", "", "{", "[" * 16000, '"' + "x" * 17000 + '"', '{"schema":"strata/event/v1"}', '"\\ud800"',
    ],
)  # fmt: skip
def test_only_canonical_json_is_a_record(text: str) -> None:
    with pytest.raises(RecordError):
        parse_record(text)


# --- the tag object


def test_a_tag_is_taken_apart() -> None:
    payload = format_tag(COMMIT, "forest@v1.0.0", "Ada Löve <a@b>", 1_770_000_000, b"why\n")
    parsed = parse_tag(payload + ARMOR)
    assert (parsed.payload, parsed.signature, parsed.message) == (payload, ARMOR, b"why\n")
    assert (parsed.target, parsed.tag, parsed.tagger, parsed.when) == (
        COMMIT, "forest@v1.0.0", "Ada Löve <a@b>", 1_770_000_000,
    )  # fmt: skip
    assert parse_tag(payload).signature == b""


def test_ssh_signatures_are_split_off_too() -> None:
    armor = ARMOR.replace(b"PGP", b"SSH")
    assert parse_tag(tag() + armor).signature == armor


@pytest.mark.parametrize(
    "data",
    [
        b"",
        tag(type="tree"),
        tag(type="tag"),
        tag(object="0" * 39),
        tag(object="G" * 40),
        tag(tagger="Ada <a@b> -5 +0000"),
        tag(tagger="Ada <a@b> 5"),
        tag(tagger="<a@b> 5 +0000"),
        tag(tagger="Ada <a@b> 05 +0000"),
        tag(extra="header"),
        tag().replace(b"type commit\n", b""),
        tag().replace(b"tag forest@v1.0.0\n", b"tag forest@v1.0.0\ntag forest@v2.0.0\n"),
        tag().replace(b"object ", b"object " + COMMIT.encode() + b"\nobject "),
        tag().replace(b"message", b"mess\0age"),
        tag().replace(b"forest", b"\xff"),
        tag() + ARMOR + ARMOR,
        tag() + b"-----BEGIN PGP SIGNATURE-----x\n" + ARMOR,
        tag(gpgsig="-----BEGIN PGP SIGNATURE-----"),
    ],
)
def test_other_shapes_are_refused(data: bytes) -> None:
    with pytest.raises(TagError):
        parse_tag(data)


@given(st.binary(max_size=200))
def test_junk_raises_nothing_else(data: bytes) -> None:
    for junk in (data, tag() + data):
        with contextlib.suppress(TagError):
            assert parse_tag(junk).payload + parse_tag(junk).signature == junk
