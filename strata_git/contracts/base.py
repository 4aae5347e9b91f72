"""What all contracts share: strict models, the words they are made of, and errors told as located complaints.

A contract is a pydantic model of what a file must say. `parse` is the one way in: a loaded document becomes a frozen
instance, or a `ContractError` whose complaints name the line, the key and what is wrong, in plain words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Strict, ValidationError

from strata_git.contracts import layout, words
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
    said = _words(detail)
    if detail["type"] == "value_error":
        path, said = _addressed(path, said, document)
        named = path
    key = printable(".".join(str(part) for part in named))
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


def _addressed(path: Path, said: str, document: Document) -> tuple[Path, str]:
    """A check of a whole mapping names the key it means (`steps.0.input: ...`): the complaint stands there then."""
    inner, colon, rest = said.partition(": ")
    parts = inner.split(".") if colon else []
    for keys in range(len(parts), 0, -1):  # keys may hold dots themselves: the last one takes what is left
        named = (*parts[: keys - 1], ".".join(parts[keys - 1 :]))
        below = tuple(int(part) if part.isdecimal() else part for part in named)
        if (*path, *below) in document.lines:
            return (*path, *below), rest
    return path, said


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
    if kind == "union_tag_invalid":
        return f"{_spoken(context)} must be one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"{_spoken(context)} is missing"
    if kind == "too_short":
        return "must not be empty"
    return printable(" ".join(detail["msg"].split()))


def _spoken(context: Mapping[str, Any]) -> str:
    """The key that tells the members of a union apart, as it is written in the document."""
    return str(context["discriminator"]).rpartition(" | ")[2]


# The words contracts are made of (`contracts/words.py`), as pydantic takes them.


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


def _matching(word: str) -> Checked:
    return Checked(words.CHECKS[word], whole(words.PATTERNS[word].pattern), words.WHAT[word])


def reference_patterns(*kinds: str) -> tuple[str, ...]:
    """What full references to artifacts of `kinds` look like; the kind may be left out where there is only one."""
    name, version, run = layout.NAME.pattern, layout.VERSION.pattern, layout.RUN_ID.pattern
    forms = [run] if "run" in kinds else []
    for kind in kinds:
        versioned = {"run": run, "service": name}.get(kind, f"{name}[@#/]{version}")
        forms.append(f"{layout.ROOT_OF[kind]}/{versioned}/*")
    return (*forms, *((f"{name}[@#]{version}",) if len(kinds) == 1 else ()))


def reference(*kinds: str) -> Checked:
    """Checks a full reference to an exact version of one of `kinds` (any, when none is given)."""
    what = f"a full reference to a {' or '.join(kinds)}" if kinds else "a full reference, such as datasets/iris@v1"
    return Checked(words.reference(*kinds), whole(*reference_patterns(*(kinds or layout.ROOT_OF))), what)


_PART = r"(?!\.\.?(?:/|$))[^/\\]+"
_INSIDE = f"{_PART}(?:/{_PART})*"

Text = Annotated[str, Checked(words.text, r"\S")]
"""Any text but none at all."""
Label = Annotated[str, Checked(words.label, r"\S", "one printable line", 200)]
"""One printable line."""
Name = Annotated[str, _matching("name")]
Version = Annotated[str, _matching("version")]
RunId = Annotated[str, _matching("run id")]
ContentHash = Annotated[str, _matching("content hash")]
Sha256 = Annotated[str, _matching("sha256")]
ObjectId = Annotated[str, _matching("object id")]
Moment = Annotated[
    str, Checked(words.moment, whole(words.MOMENT.pattern), "a time in UTC such as 2026-11-21T09:30:00Z")
]
"""A time in UTC: `2026-11-21T09:30:00Z`, with or without a fraction."""
Day = Annotated[
    str,
    Checked(words.day, whole(words.DAY.pattern, words.MOMENT.pattern), "a day such as 2026-11-21, or a time in UTC"),
]
"""A day (`2026-11-21`), or a `Moment`."""
InsidePath = Annotated[str, Checked(words.path_inside, whole(_INSIDE), "a path below this file's directory")]
"""A file or directory below the one the document is in."""
SplitPath = Annotated[
    str, Checked(words.path_or_all, whole(r"\.", _INSIDE), "a path below this file's directory, or .")
]
"""The same, or `.` for all of it."""
Number = Annotated[int | float, BeforeValidator(words.number)]
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
