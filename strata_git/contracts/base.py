"""What all contracts share: strict models, the words they are made of, and errors told as located complaints.

A contract is a pydantic model of what a file must say. `parse` is the one way in: a loaded document becomes a frozen
instance, or a `ContractError` whose complaints name the line, the key and what is wrong, in plain words.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Strict, ValidationError

from strata_git.contracts import layout
from strata_git.errors import printable

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema, ErrorDetails

    from strata_git.load import Document, Path

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

COMPLAINTS = 50
"""At most so many complaints about one document; who has more mends these first."""

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    """One thing that is wrong. `line` is 1-based (0: unknown), `key` dotted, `message` a whole one-line sentence."""

    line: int
    key: str
    message: str


class ContractError(Exception):
    """A document breaks its contract; `complaints` are in the order of their lines."""

    def __init__(self, complaints: tuple[Complaint, ...]) -> None:
        super().__init__("; ".join(complaint.message for complaint in complaints))
        self.complaints = complaints


class Contract(BaseModel):
    """Base of all contracts: unknown keys are refused, nothing is converted, instances don't change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def parse(model: type[M], document: Document) -> M:
    """The instance of `model` that `document` describes. Raises ContractError."""
    if not isinstance(document.value, dict):
        raise ContractError((Complaint(document.lines.get((), 0), "", "must be a mapping of keys to values"),))
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        details = error.errors(include_url=False)
    complaints = {_complaint(detail, document) for detail in details}
    raise ContractError(tuple(sorted(complaints)[:COMPLAINTS]))


def _complaint(detail: ErrorDetails, document: Document) -> Complaint:
    """One pydantic error in our words, at the nearest line that is known."""
    path = _path(detail["loc"], document.value)
    named = (*path, detail["loc"][-1]) if detail["type"] == "missing" else path
    key = printable(".".join(str(part) for part in named))
    said = _words(detail)
    return Complaint(_line(path, document), key, f"{key}: {said}" if key else said)


def _path(loc: tuple[int | str, ...], value: object) -> Path:
    """`loc` without the labels that pydantic puts between keys (names of unions' members, `[key]`)."""
    path: list[str | int] = []
    for part in loc:
        inside: Any = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inside, dict) and part in inside:
            value = inside[part]
            path.append(part)
    return tuple(path)


def _line(path: Path, document: Document) -> int:
    for length in range(len(path), -1, -1):
        if path[:length] in document.lines:
            return document.lines[path[:length]]
    return 0


_KINDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a key of this contract",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}


def _words(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _KINDS:
        return _KINDS[kind]
    if kind == "string_type":
        bare = isinstance(detail["input"], (int, float))
        return "must be text; put it in quotes" if bare else "must be text"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"must be at {'least' if 'ge' in context else 'most'} {context.get('ge', context.get('le'))}"
    if kind == "too_short":
        return "must not be empty"
    return printable(" ".join(detail["msg"].split()))


# The words contracts are made of. Validators raise ValueError with the rest of a sentence about the key.


@dataclass(frozen=True, slots=True)
class Checked(AfterValidator):
    """A check of ours, and what a JSON Schema can say of it: never more, so that a schema refuses nothing valid."""

    pattern: str = ""
    description: str = ""
    longest: int = 0

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the bare type, with the pattern, the length and the words of this check."""
        said = {"pattern": self.pattern, "maxLength": self.longest, "description": self.description}
        return handler(schema) | {keyword: value for keyword, value in said.items() if value}


def whole(*patterns: str) -> str:
    """A pattern that one of `patterns` matches from end to end; JSON Schema's own are not anchored."""
    return f"^(?:{'|'.join(patterns)})$"


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _label(value: str) -> str:
    if not value.strip() or printable(value) != value or len(value) > 200:
        raise ValueError("must be one line of 1 to 200 printable characters")
    return value


def _matching(pattern: re.Pattern[str], what: str) -> Checked:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"must be {what}")
        return value

    return Checked(check, whole(pattern.pattern), what)


def _moment(value: str) -> str:
    try:
        datetime.fromisoformat(value if _MOMENT.fullmatch(value) else "")
    except ValueError:
        raise ValueError("must be a time in UTC such as 2026-11-21T09:30:00Z") from None
    return value


def _day(value: str) -> str:
    if not _DAY.fullmatch(value):
        return _moment(value)
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("is no day of the calendar") from None
    return value


def _path_inside(value: str) -> str:
    """A relative path in normal form: no empty, `.` or `..` part, no backslash, nothing unprintable."""
    parts = value.split("/")
    if value.startswith("/") or ".." in parts:
        raise ValueError("must be a path inside the directory of this file")
    if "" in parts or "." in parts or "\\" in value or printable(value) != value:
        raise ValueError("must be a plain path such as data/train.csv")
    return value


def _path_or_all(value: str) -> str:
    return value if value == "." else _path_inside(value)


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("must be a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise ValueError("must be a finite number")
    return value


def reference_patterns(*kinds: str) -> tuple[str, ...]:
    """What full references to artifacts of `kinds` look like; the kind may be left out where there is only one."""
    name, version, run = layout.NAME.pattern, layout.VERSION.pattern, layout.RUN_ID.pattern
    forms = [run] if "run" in kinds else []
    for kind in kinds:
        root, tail = layout.ROOT_OF[kind], f"[@#/]{version}"
        forms.append(f"{root}/{name}(?:{tail})?/*" if kind in ("run", "service") else f"{root}/{name}{tail}/*")
    return (*forms, *((f"{name}[@#]{version}",) if len(kinds) == 1 else ()))


def reference(*kinds: str) -> Checked:
    """Checks a full reference to an exact version of one of `kinds` (any, when none is given)."""

    def check(value: str) -> str:
        kind = kinds[0] if len(kinds) == 1 else None
        try:
            parsed = layout.parse_reference(value, kind=kind)
        except ValueError as error:
            raise ValueError(f"is no reference: {error}") from None
        if parsed.kind is None or (kinds and parsed.kind not in kinds):
            raise ValueError(f"must refer to a {' or '.join(kinds) or 'kind (datasets/, models/, ...)'}")
        if parsed.version is None and parsed.kind not in ("run", "service"):
            raise ValueError("must name a version, such as @v1")
        return value

    what = f"a full reference to a {' or '.join(kinds)}" if kinds else "a full reference, such as datasets/iris@v1"
    return Checked(check, whole(*reference_patterns(*(kinds or layout.ROOT_OF))), what)


_PART = r"(?!\.\.?(?:/|$))[^/\\]+"
_INSIDE = f"{_PART}(?:/{_PART})*"

Text = Annotated[str, Checked(_text, r"\S")]
"""Any text but none at all."""
Label = Annotated[str, Checked(_label, r"\S", "one printable line", 200)]
"""One printable line."""
Name = Annotated[str, _matching(layout.NAME, "lower-case letters and digits, joined by single - or _")]
Version = Annotated[str, _matching(layout.VERSION, "a version such as v1")]
RunId = Annotated[str, _matching(layout.RUN_ID, "a run such as run-2026-11-21-001")]
ContentHash = Annotated[str, _matching(re.compile(f"sha256:{_SHA256.pattern}"), "sha256: and 64 hex digits")]
Sha256 = Annotated[str, _matching(_SHA256, "64 lower-case hex digits")]
ObjectId = Annotated[str, _matching(_OID, "a full Git object id")]
Moment = Annotated[str, Checked(_moment, whole(_MOMENT.pattern), "a time in UTC such as 2026-11-21T09:30:00Z")]
"""A time in UTC: `2026-11-21T09:30:00Z`, with or without a fraction."""
Day = Annotated[str, Checked(_day, whole(_DAY.pattern, _MOMENT.pattern), "a day such as 2026-11-21, or a time in UTC")]
"""A day (`2026-11-21`), or a `Moment`."""
InsidePath = Annotated[str, Checked(_path_inside, whole(_INSIDE), "a path below this file's directory")]
"""A file or directory below the one the document is in."""
SplitPath = Annotated[str, Checked(_path_or_all, whole(r"\.", _INSIDE), "a path below this file's directory, or .")]
"""The same, or `.` for all of it."""
Number = Annotated[int | float, BeforeValidator(_number)]
"""A finite number; true and false are none."""
Many = Annotated[tuple[T, ...], Strict(False)]
"""A list, kept as a tuple."""


@dataclass(frozen=True, slots=True)
class OrBare:
    """Says in a JSON Schema that a bare string will do too, which a validator before this one spells out."""

    pattern: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Either."""
        return {"anyOf": [{"type": "string", "pattern": self.pattern}, handler(schema)]}


class Cited(Contract):
    """One artifact as another names it: the reference, and what it was when it was used."""

    ref: Annotated[str, reference()]
    digest: ContentHash | None = None
    content_hash: ContentHash | None = None


class CitedDataset(Cited):
    """A dataset version that was used; its content is always bound."""

    ref: Annotated[str, reference("dataset")]
    content_hash: ContentHash


class Record(Contract):
    """What every versioned artifact says of itself in metadata.yaml (TFC-0001 section 4)."""

    name: Name
    version: Version
    created: Moment
    description: Text
    licence: Label
    content_hash: ContentHash


class Column(Contract):
    """A named value of a table, or of what goes into or comes out of a model."""

    name: Label
    type: Label
    shape: Many[int | None] | None = None
