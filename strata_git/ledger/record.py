"""What an event says in its own words: the tag object and the record that ends its message (TFC-0009 §2). Pure.

The message is a sentence, the reason if one was given, and last one line `Strata-Record: {canonical JSON}`. Nothing is
read leniently: whatever could be read in two ways is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from strata_git.contracts.layout import NAME, STAGES, VERSION
from strata_git.errors import printable
from strata_git.load import canonical_json

SCHEMA = "strata/event/v1"
TRAILER = "Strata-Record: "
RECORD_LIMIT = 16 << 10
TAG_LIMIT = 256 << 10
"""Most bytes of a tag object that are read."""
REASON_LIMIT = 4000

Check = Callable[[object], bool]

OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_STAGE = re.compile("|".join(STAGES))
_ARMOR = re.compile(rb"^-----BEGIN ", re.MULTILINE)  # git takes any line that begins so for a signature
_HEADERS = re.compile(
    rb"object ([0-9a-f]{40}|[0-9a-f]{64})\n"
    rb"type ([a-z]+)\n"
    rb"tag ([^\n\0]+)\n"
    rb"tagger ([^<>\n\0]+ <[^<>\n\0]*>) (0|[1-9][0-9]{0,11}) [-+][0-9]{4}\n"
    rb"\n"
)


class RecordError(ValueError):
    """The message of a tag is not that of an event."""


class TagError(ValueError):
    """The bytes are not a tag object of the one shape we read."""


@dataclass(frozen=True, slots=True)
class Record:
    """The facts an event vouches for.

    `origin` (JSON: `from`) is None for a registration; both halves of one move carry the same `origin` and `target`.
    `prev` is the tag object of the model's event before. `tree` is the version's directory at `commit`, `digest` that
    of its CHECKSUMS.txt. `judged_at` is the commit whose signatures were read, `issued_at` ISO 8601 in UTC.
    `approvals` are tag objects that approve the move. `merges` are the other ends of a line that had forked, in a
    resolution alone, and stands in the JSON only there; `prev` is the end whose claims outweigh theirs.
    """

    repo: str
    model: str
    version: str
    origin: str | None
    target: str
    seq: int
    prev: str | None
    commit: str
    tree: str
    digest: str
    judged_at: str
    issued_at: str
    policy: str | None = None
    approvals: tuple[str, ...] = ()
    merges: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The record as the JSON object that stands in the tag."""
        plain: dict[str, object] = {key: getattr(self, name) for key, name in _FIELDS.items()}
        merged: dict[str, object] = {"merges": list(self.merges)} if self.merges else {}
        return {**plain, "schema": SCHEMA, "approvals": list(self.approvals), **merged}


_FIELDS = {
    "repo": "repo", "model": "model", "version": "version", "from": "origin", "to": "target", "seq": "seq",
    "prev": "prev", "commit": "commit", "tree": "tree", "digest": "digest", "policy": "policy",
    "approvals": "approvals", "judged_at": "judged_at", "issued_at": "issued_at",
}  # fmt: skip
"""Key in JSON -> attribute of `Record`."""


@dataclass(frozen=True, slots=True)
class TagObject:
    """An annotated tag of a commit, taken apart.

    `payload` is what the signature is over, `signature` its armor (`b""`: unsigned). `when` is Unix time.
    """

    target: str
    tag: str
    tagger: str
    when: int
    message: bytes
    payload: bytes
    signature: bytes


STRATA = "refs/strata/"
"""Below it stand tag objects that are no tags of git: approvals, receipts."""
_PLACE_ID = re.compile(r"[0-9a-f]{16}")


def header(ref: str) -> str:
    """The name inside the tag object of the reference `ref` below `STRATA`."""
    return ref.removeprefix(STRATA)


def place_of(prefix: str, parts: Sequence[str], told: object, signer: str) -> str:
    """Where below `prefix` a tag object belongs that says `told`; `signer` is whatever tells two apart that say the
    same at once."""
    data = canonical_json(told) + b"\n" + signer.encode()
    return f"{prefix}{'/'.join(parts)}/{hashlib.sha256(data).hexdigest()[:16]}"


def misplaced_object(
    ref: str, tag: str, target: str, *, prefix: str, parts: Sequence[str], commit: str, what: str
) -> str:
    """Why the name `ref`, the header `tag` and the record of a tag object do not belong together; `""` where they do.

    `parts` and `commit` are what its record says, `target` what the object is a tag of, `what` it should be one of.
    """
    *found, number = ref.removeprefix(prefix).split("/")
    if len(found) != len(parts) or not _PLACE_ID.fullmatch(number):
        return f"its name is not that of {what}"
    if tag != header(ref):
        return f"the tag object under this name is that of {tag}"
    if found != list(parts):
        return "name and record differ"
    return "" if target == commit else "it is a tag of another commit than it names"


def parse_tag(data: bytes) -> TagObject:
    """Take a tag object apart. Raises TagError unless it has exactly git's four headers and names a commit."""
    match = _HEADERS.match(data)
    if match is None:
        raise TagError("its headers are not exactly object, type, tag and tagger")
    if match[2] != b"commit":
        raise TagError(f"it is a tag of a {match[2].decode()}, not of a commit")
    if b"\0" in data:
        raise TagError("it contains a NUL")
    armor = [found.start() for found in _ARMOR.finditer(data, match.end())]
    if len(armor) > 1:
        raise TagError("it has more than one signature")
    cut = armor[0] if armor else len(data)
    try:
        tag, tagger = match[3].decode(), match[4].decode()
    except UnicodeDecodeError:
        raise TagError("its headers are not UTF-8") from None
    return TagObject(
        match[1].decode(), tag, tagger, int(match[5]), data[match.end() : cut], data[:cut], data[cut:]
    )  # fmt: skip


def format_tag(target: str, tag: str, tagger: str, when: int, message: bytes) -> bytes:
    """The payload of a tag object (`tagger` is `name <mail>`, `when` Unix time), to which a signature is appended."""
    return f"object {target}\ntype commit\ntag {tag}\ntagger {tagger} {when} +0000\n\n".encode() + message


class Recorded(Protocol):
    """What ends the message of a tag of ours: the record of an event, of an approval, of a statement of freshness."""

    def as_json(self) -> dict[str, object]:
        """The JSON object that stands in the tag."""


def format_message(sentence: str, reason: str, record: Recorded) -> bytes:
    """The message of an event. Raises ValueError when `reason` cannot be part of it."""
    parts = [sentence, *([clean_reason(reason)] if reason.strip() else [])]
    return (
        "".join(f"{part}\n\n" for part in parts).encode() + TRAILER.encode() + canonical_json(record.as_json()) + b"\n"
    )


def clean_reason(reason: str) -> str:
    """`reason` without blanks around it; ValueError when it holds control characters, a trailer or armor."""
    text = "\n".join(line.rstrip() for line in reason.strip().split("\n"))
    if len(text) > REASON_LIMIT:
        raise ValueError(f"the reason has {len(text)} characters; at most {REASON_LIMIT} are kept")
    if printable(text.replace("\n", "")) != text.replace("\n", ""):
        raise ValueError("the reason holds characters that cannot be shown")
    if any(line.lower().startswith(("strata-record", "-----begin")) for line in text.split("\n")):
        raise ValueError("the reason must not look like a record or a signature")
    return text


def parse_message(message: bytes) -> tuple[str, Record]:
    """The reason (`""`: none) and the record in an event's message. Raises RecordError."""
    reason, text = split_message(message)
    return reason, parse_record(text)


def split_message(message: bytes) -> tuple[str, str]:
    """The reason (`""`: none) and the text of the record that ends a message. Raises RecordError."""
    try:
        text = message.decode()
    except UnicodeDecodeError:
        raise RecordError("the message is not UTF-8") from None
    lines = text.split("\n")
    marked = [at for at, line in enumerate(lines) if line.lower().startswith("strata-record")]
    if len(marked) != 1:
        raise RecordError(f"{len(marked) or 'no'} Strata-Record line(s) where one is expected")
    if marked[0] != len(lines) - 2 or lines[-1] or not lines[-2].startswith(TRAILER):
        raise RecordError("the Strata-Record line is not the last one")
    paragraphs = "\n".join(lines[:-2]).strip("\n").split("\n\n", 1)
    reason = paragraphs[1].strip("\n") if len(paragraphs) > 1 else ""
    return reason, lines[-2].removeprefix(TRAILER)


def parse_record(text: str) -> Record:
    """Read the canonical JSON of a record. Raises RecordError.

    Text that is not byte for byte what `canonical_json` writes is refused, and with it doubled keys, NaN and the like.
    """
    if len(text) <= RECORD_LIMIT and (match := _USUAL.fullmatch(text)):
        return _usual(match)
    value = parse_canonical(text, SCHEMA)
    check_fields(value, _CHECKS, optional=_OPTIONAL)
    plain = {name: value[key] for key, name in _FIELDS.items() if key != "approvals"}
    return Record(**plain, approvals=tuple(value["approvals"]), merges=tuple(value.get("merges", ())))


def parse_canonical(text: str, schema: str) -> dict[str, Any]:
    """A JSON object that is byte for byte canonical and of `schema`. Raises RecordError."""
    if len(text) > RECORD_LIMIT:
        raise RecordError(f"the record is longer than {RECORD_LIMIT} characters")
    try:
        value = json.loads(text)
        canonical = canonical_json(value).decode()
    except (ValueError, RecursionError):
        raise RecordError("the record is not JSON") from None
    if canonical != text:
        raise RecordError("the record is not canonical JSON")
    if not isinstance(value, dict) or value.get("schema") != schema:
        raise RecordError(f"the record is not of the schema {schema}")
    return value


def check_fields(
    value: Mapping[str, object], checks: Mapping[str, Check], *, optional: Mapping[str, Check] | None = None
) -> None:
    """RecordError unless `value` has exactly the keys of `checks` (and perhaps `optional` ones), each as it must be."""
    expected = {*checks, "schema"}
    present = value.keys() - (optional or {}).keys()
    if present != expected:
        odd = ", ".join(sorted(f"'{printable(key[:40])}'" for key in present ^ expected))
        raise RecordError(f"keys of the record are missing or unknown: {odd}")
    for key, is_right in {**checks, **(optional or {})}.items():
        if key in value and not is_right(value[key]):
            raise RecordError(f"'{key}' of the record is not what it must be")


def like(pattern: re.Pattern[str]) -> Check:
    """Whether a value is text of a form."""
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def or_none(check: Check) -> Check:
    """Whether a value is null or passes `check`."""
    return lambda value: value is None or check(value)


def _is_seq(value: object) -> bool:
    return type(value) is int and 0 <= value < 10**9


def _are_oids(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 64 and all(like(OID)(each) for each in value)


def _are_merged(value: object) -> bool:
    """A list that is there is not empty, ordered and without repetition: one form for one meaning."""
    return _are_oids(value) and bool(value) and value == sorted(set(cast("list[str]", value)))


_CHECKS: Mapping[str, Check] = {
    "repo": like(UUID),
    "model": like(NAME),
    "version": like(VERSION),
    "from": or_none(like(_STAGE)),
    "to": like(_STAGE),
    "seq": _is_seq,
    "prev": or_none(like(OID)),
    "commit": like(OID),
    "tree": like(OID),
    "digest": like(DIGEST),
    "policy": or_none(like(DIGEST)),
    "approvals": _are_oids,
    "judged_at": like(OID),
    "issued_at": like(MOMENT),
}
_OPTIONAL: Mapping[str, Check] = {"merges": _are_merged}


def _usual_record() -> re.Pattern[str]:
    """The canonical text of every record but those that name approvals or join lines.

    What it matches has all keys in their order and every value as `_CHECKS` wants it, and nothing in it needs escaping:
    it is read without asking for that again. Ledgers are long, and nearly all of their records are of this form.
    """
    quoted = {
        "commit": OID, "digest": DIGEST, "from": _STAGE, "issued_at": MOMENT, "judged_at": OID, "model": NAME,
        "policy": DIGEST, "prev": OID, "repo": UUID, "to": _STAGE, "tree": OID, "version": VERSION,
    }  # fmt: skip
    values = {key: f'"((?:{pattern.pattern}))"' for key, pattern in quoted.items()}
    values |= {key: f"(?:null|{values[key]})" for key in ("from", "policy", "prev")}
    values |= {"approvals": r"\[\]", "schema": f'"{SCHEMA}"', "seq": "(0|[1-9][0-9]{0,8})"}
    return re.compile(r"\{" + ",".join(f'"{key}":{values[key]}' for key in sorted(values)) + r"\}")


_USUAL = _usual_record()


def _usual(match: re.Match[str]) -> Record:
    commit, digest, origin, issued_at, judged_at, model, policy, prev, repo, seq, target, tree, version = match.groups()
    return Record(
        repo, model, version, origin, target, int(seq), prev, commit, tree, digest, judged_at, issued_at, policy
    )
