"""A receipt: somebody's signed word that a run was made again, and what came of it (TFC-0009 section 10). Pure.

What is signed is an in-toto Statement v1 whose subject is the run by the digest of its record, so a receipt is good for
that content alone, whatever else goes by the run's name. It names the repository too: receipts do not travel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strata_git.contracts.layout import RUN_ID
from strata_git.integrity.signer import SignatureVerdict, foremost, is_signed
from strata_git.ledger.record import (
    DIGEST,
    MOMENT,
    OID,
    RECORD_LIMIT,
    UUID,
    RecordError,
    TagObject,
    check_fields,
    like,
    misplaced_object,
    parse_canonical,
    place_of,
    split_message,
)  # fmt: skip
from strata_git.ledger.statement import STATEMENT

SCHEMA = "strata/receipt/v1"
PREDICATE = "git-strata:reproduction/v1"
RECEIPTS = "refs/strata/receipts/"
"""`RECEIPTS + <run>/<id>` holds the tag object of a receipt."""
IDENTICAL, WITHIN, DIFFERS = "identical", "within tolerance", "differs"
OWN, GIVEN = "declared", "given"
"""Whose tolerances decided: those that the run declared, or others."""
_WORD = re.compile(r"[^\0-\x1f\x7f]{1,200}")
_LISTS = ("metrics", "artifacts", "inputs", "code", "environment")


@dataclass(frozen=True, slots=True)
class ReceiptRecord:
    """The facts a receipt vouches for.

    `digest` is that of the run's CHECKSUMS.txt, `commit` the code it was made from again. `tolerances` says whose
    decided (`declared` or `given`). `differing` lists, for metrics, artifacts, inputs, code and environment, what was
    not the same, each a mapping of texts; `counted` how many were the same and how many differ. `issued_at` is ISO 8601
    in UTC, `tool` the program.
    """

    repo: str
    run: str
    digest: str
    commit: str
    verdict: str
    tolerances: str
    issued_at: str
    tool: str
    counted: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    differing: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The whole Statement as it stands in the tag."""
        predicate = {
            "schema": SCHEMA, "repo": self.repo, "commit": self.commit, "verdict": self.verdict,
            "tolerances": self.tolerances, "issuedAt": self.issued_at, "tool": self.tool,
            "counted": {name: dict(self.counted.get(name, _NONE)) for name in _LISTS},
            "differing": {name: [dict(row) for row in self.differing.get(name, ())] for name in _LISTS},
        }  # fmt: skip
        subject = {"name": f"runs/{self.run}", "digest": {"sha256": self.digest.removeprefix("sha256:")}}
        return {"_type": STATEMENT, "subject": [subject], "predicateType": PREDICATE, "predicate": predicate}


_NONE = {"same": 0, "differing": 0}


@dataclass(frozen=True, slots=True)
class Receipt:
    """A reference under `RECEIPTS`, and what its tag object says.

    `flaw` says why it is no receipt (`""`: it is one); `record` is then None. `when` is the tagger's date, Unix time.
    """

    ref: str
    oid: str
    flaw: str = ""
    when: int = 0
    record: ReceiptRecord | None = None
    signatures: tuple[SignatureVerdict, ...] = ()

    @property
    def signed(self) -> bool:
        """Whether a signature vouches for it."""
        return is_signed(self.signatures)

    @property
    def signer(self) -> str:
        """Who signed, for people."""
        return foremost(self.signatures).who if self.signatures else "nobody"


def read_receipt(ref: str, oid: str, tag: TagObject, verdicts: Sequence[SignatureVerdict] = ()) -> Receipt:
    """A receipt from its tag object, and whether it stands where it belongs."""
    try:
        record = parse_receipt(split_message(tag.message)[1])
    except RecordError as error:
        return Receipt(ref, oid, str(error), tag.when, signatures=tuple(verdicts))
    wrong = misplaced(ref, tag.tag, tag.target, record)
    return Receipt(ref, oid, wrong, tag.when, None if wrong else record, tuple(verdicts))


def parse_receipt(text: str) -> ReceiptRecord:
    """Read the canonical JSON of a receipt's Statement. Raises RecordError."""
    statement = _statement(text)
    subject, predicate = statement["subject"], statement["predicate"]
    check_fields(predicate, _CHECKS)
    run = subject[0]["name"].removeprefix("runs/")
    record = ReceiptRecord(
        predicate["repo"], run, f"sha256:{subject[0]['digest']['sha256']}", predicate["commit"], predicate["verdict"],
        predicate["tolerances"], predicate["issuedAt"], predicate["tool"], predicate["counted"], predicate["differing"],
    )  # fmt: skip
    if record.as_json() != statement:
        raise RecordError("the statement is not the one its facts make")
    if told := _contradiction(record):
        raise RecordError(told)
    return record


def reference(record: ReceiptRecord, signer: str) -> str:
    """Where a receipt belongs; `signer` is whatever tells two of them apart that say the same at once."""
    return place_of(RECEIPTS, (record.run,), record.as_json(), signer)


def misplaced(ref: str, tag: str, target: str, record: ReceiptRecord) -> str:
    """Why reference name, tag header and record do not belong together; `""` where they do."""
    return misplaced_object(
        ref, tag, target, prefix=RECEIPTS, parts=(record.run,), commit=record.commit, what="a receipt"
    )


def unfit(receipt: Receipt, *, run: str, digest: str, repo: str, when: int) -> str:
    """Why a receipt does not show, at the moment `when` (Unix time), that the run of this digest was made again with
    the same result; `""` where it does. Its signature is judged elsewhere."""
    record = receipt.record
    if record is None:
        return receipt.flaw or "it cannot be read"
    if repo and record.repo != repo:
        return "it belongs to another repository"
    if record.run != run or record.digest != digest:
        return "it is for another run, or for other content under that name"
    if record.verdict == DIFFERS:
        return "it says that the run came out differently"
    if record.verdict == WITHIN and record.tolerances != OWN:
        return "it used tolerances that the run had not declared"
    return "it was signed later" if receipt.when > when else ""


def _statement(text: str) -> dict[str, Any]:
    """The parts that every Statement of ours has; RecordError for any other text."""
    if len(text) > RECORD_LIMIT or f'"schema":"{SCHEMA}"' not in text:
        raise RecordError("it is no receipt")
    # its schema stands in the predicate; what is canonical within what is canonical is so itself
    value: dict[str, Any] = parse_canonical(f'{{"schema":"{SCHEMA}","statement":{text}}}', SCHEMA)["statement"]
    right = isinstance(value, dict) and value.keys() == {"_type", "subject", "predicateType", "predicate"}
    if not right or value["_type"] != STATEMENT or value["predicateType"] != PREDICATE:
        raise RecordError("it is no in-toto Statement of a reproduction")
    subject = value["subject"]
    if not (isinstance(subject, list) and len(subject) == 1 and _is_subject(subject[0])):
        raise RecordError("its subject is not one run")
    if not isinstance(value["predicate"], dict) or value["predicate"].get("schema") != SCHEMA:
        raise RecordError("its predicate is not that of a reproduction")
    return value


def _is_subject(one: object) -> bool:
    if not isinstance(one, dict) or one.keys() != {"name", "digest"}:
        return False
    name, digest = one["name"], one["digest"]
    named = isinstance(name, str) and name.startswith("runs/") and RUN_ID.fullmatch(name.removeprefix("runs/"))
    return bool(named) and isinstance(digest, dict) and digest.keys() == {"sha256"} and _is_sha256(digest["sha256"])


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and DIGEST.fullmatch(f"sha256:{value}") is not None


def _contradiction(record: ReceiptRecord) -> str:
    """Where the verdict is not one that the rest allows."""
    many = {name: record.counted[name]["differing"] for name in _LISTS}
    if any(len(record.differing[name]) > many[name] for name in _LISTS):
        return "it lists more differences than it counts"
    if record.verdict == IDENTICAL and (many["metrics"] or many["artifacts"]):
        return "it says identical and counts differences"
    if record.verdict != DIFFERS and (many["inputs"] or many["code"]):
        return f"it says {record.verdict}, and the run was made from something else"
    return ""


def _are_counts(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {*_LISTS} and all(map(_is_count, value.values()))


def _is_count(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == _NONE.keys()
        and all(type(number) is int and 0 <= number < 10**9 for number in value.values())
    )


def _are_lists(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {*_LISTS} and all(map(_are_rows, value.values()))


def _are_rows(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, dict) and all(isinstance(text, str) for text in row.values()) for row in value
    )


_CHECKS = {
    "repo": like(UUID), "commit": like(OID), "verdict": like(re.compile(f"{IDENTICAL}|{WITHIN}|{DIFFERS}")),
    "tolerances": like(re.compile(f"{OWN}|{GIVEN}")), "issuedAt": like(MOMENT), "tool": like(_WORD),
    "counted": _are_counts, "differing": _are_lists,
}  # fmt: skip
