"""Bytes from outside -> plain data, or one located sentence why not. The only loader of YAML and JSON in the house.

Both formats give the same values: mappings with string keys, lists, strings, whole numbers, finite floats, booleans
and null. Whatever makes two readers disagree, or one of them fall over, is refused before a value is built: size,
depth, aliases, tags, several documents, duplicate keys, other encodings. YAML is built from its event stream in one
pass without recursion, so libyaml's recursive composer never sees the text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from strata_git import canonical
from strata_git.errors import printable
from strata_git.plain_yaml import read_plain

if TYPE_CHECKING:
    import yaml

Path = tuple[str | int, ...]
canonical_json = canonical.canonical_json

NODES = 200_000
"""Most values one YAML document may hold; so many fit into memory together with their lines."""
MARKS = 1_000_000
"""Most commas and opening brackets one JSON text may hold: a rough but instant bound on its values."""
DIGITS = 1000
"""Longest number (and longest written key), in characters."""
WRITE_DEPTH = 64
"""Deepest nesting `dump_yaml` writes: what `load_yaml` reads."""
_PLAIN_DEPTH = 16
"""Texts of the plainest form nest less deep than this, and are read without a parser."""
LOCATED = 64 << 10
"""Largest JSON text, in bytes, whose lines are worked out."""

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_FORBIDDEN = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\r(?!\n)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_PLAIN = re.compile(r"[^\W\d](?:[\w .,;/@+='()%-]|:(?=[^\s]))*(?<! )")
_WORDS = frozenset({"yes", "no", "on", "off", "true", "false", "null"})
_ESCAPED = re.compile("[\r\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class Unloadable(Exception):
    """The bytes are not a document we read. `line` is 1-based, 0 where it is not known."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and the 1-based line on which each key or item stands, by its path from the root."""

    value: object
    lines: Mapping[Path, int] = field(default_factory=dict)


def load_yaml(data: bytes, *, limit: int = 1 << 20, depth: int = 64) -> Document:
    """Read one YAML document of at most `limit` bytes, nested at most `depth` deep (TFC-0006 5).

    Only `true`, `false`, `null`, decimal numbers and their spellings in the YAML 1.2 core schema are typed; dates,
    `no`, `010`, `1:30` stay text. Raises Unloadable.
    """
    text = _decode(data, limit)
    if depth > _PLAIN_DEPTH and (plain := read_plain(text, _plain)) is not None:
        return Document(*plain)
    return _parsed(text, depth)


def _parsed(text: str, depth: int) -> Document:
    import yaml

    bad = _FORBIDDEN.search(text)
    if bad:
        name = "a tab" if bad[0] == "\t" else f"U+{ord(bad[0]):04X}"
        line = text.count("\n", 0, bad.start()) + 1
        raise Unloadable(f"{name} may only stand in quotes, as an escape", line)
    builder = _Builder(depth)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        raise Unloadable(f"not YAML: {_one_line(str(problem))}", line) from None
    return Document(builder.value, builder.lines)


def load_json(data: bytes, *, limit: int = 16 << 20, depth: int = 64) -> Document:
    """Read one JSON text (RFC 8259) of at most `limit` bytes, nested at most `depth` deep. Raises Unloadable.

    Lines are given for texts up to `LOCATED` bytes.
    """
    text = _decode(data, limit)
    _guard_brackets(data, depth)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_number,
            parse_float=_number,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        raise Unloadable(f"not JSON: {_one_line(error.msg)}", error.lineno) from None
    except RecursionError:
        raise Unloadable("nested too deep") from None
    if "\\u" in text:
        _text(json.dumps(value, ensure_ascii=False))
    return Document(value, _json_lines(data))


def dump_yaml(value: object) -> bytes:
    """`value` as YAML in block style, keys in their order, so that every YAML reader, old or new, agrees on it.

    Text that some reader takes for something else is quoted; several lines of text become a literal block. What
    `load_yaml` would refuse raises ValueError (NaN, half a surrogate pair, too deep) or TypeError.
    """
    return ("\n".join(_block(value)) + "\n").encode()


def dump_json(value: object) -> bytes:
    """`value` as JSON for people: two spaces, keys in their order, a line feed at the end. ValueError for NaN."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _decode(data: bytes, limit: int) -> str:
    if len(data) > limit:
        raise Unloadable(f"{len(data)} bytes, more than the {limit} allowed")
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Unloadable("begins with a byte order mark; write plain UTF-8", 1)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Unloadable("not UTF-8", data.count(b"\n", 0, error.start) + 1) from None
    if "\0" in text:
        raise Unloadable("contains a NUL character", text.count("\n", 0, text.index("\0")) + 1)
    return text


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _number(text: str, line: int = 0) -> int | float:
    if len(text) > DIGITS:
        raise Unloadable(f"a number of {len(text)} characters", line)
    if _INTEGER.fullmatch(text):
        return int(text)
    value = float(text)
    if not math.isfinite(value):
        raise Unloadable(f"number out of range: {text[:40]}", line)
    return value


def _text(value: str, line: int = 0) -> str:
    if _SURROGATE.search(value):
        raise Unloadable("half of a surrogate pair in a string", line)
    return value


def _events(text: str) -> Iterator[yaml.Event]:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    finally:
        loader.dispose()


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being filled."""

    value: dict[str, object] | list[object]
    path: Path
    key: str | None = None


class _Builder:
    """Builds the value from events, keeping what is open on a list instead of the call stack."""

    def __init__(self, depth: int) -> None:
        self.value: object = None
        self.lines: dict[Path, int] = {}
        self._depth = depth
        self._open: list[_Open] = []
        self._nodes = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Digest one event; raises Unloadable for what we don't read."""
        import yaml

        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._start(event, {} if isinstance(event, yaml.MappingStartEvent) else [])
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._open.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise Unloadable("aliases (*name) are not allowed", _line(event))
        elif isinstance(event, yaml.DocumentStartEvent):
            self._document(event)

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        line = _line(event)
        self._documents += 1
        if self._documents > 1:
            raise Unloadable("more than one document", line)
        if event.version or event.tags:
            raise Unloadable("directives (%YAML, %TAG) are not allowed", line)

    def _node(self, event: yaml.NodeEvent) -> int:
        line = _line(event)
        if event.anchor is not None:
            raise Unloadable("anchors (&name) are not allowed", line)
        if getattr(event, "tag", None) is not None:
            raise Unloadable("tags (!name) are not allowed", line)
        self._nodes += 1
        if self._nodes > NODES:
            raise Unloadable(f"more than {NODES} values", line)
        return line

    def _start(self, event: yaml.NodeEvent, value: dict[str, object] | list[object]) -> None:
        line = self._node(event)
        if len(self._open) >= self._depth:
            raise Unloadable(f"nested deeper than {self._depth}", line)
        top = self._open[-1] if self._open else None
        if top and isinstance(top.value, dict) and top.key is None:
            raise Unloadable("a mapping key must be text", line)
        self._open.append(_Open(value, self._place(value, line)))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        line = self._node(event)
        plain = event.style is None or event.style == ""
        value = _plain(event.value, line) if plain else _text(event.value, line)
        top = self._open[-1] if self._open else None
        if top and isinstance(top.value, dict) and top.key is None:
            self._key(top, top.value, value, line, plain)
        else:
            self._place(value, line)

    def _key(self, top: _Open, mapping: dict[str, object], key: object, line: int, plain: bool) -> None:
        if not isinstance(key, str):
            raise Unloadable("a mapping key must be text; put it in quotes", line)
        if plain and key == "<<":
            raise Unloadable("merge keys (<<) are not allowed", line)
        if key in mapping:
            raise Unloadable(f"key '{printable(key[:80])}' appears twice", line)
        top.key = key
        self.lines[(*top.path, key)] = line

    def _place(self, value: object, line: int) -> Path:
        if not self._open:
            self.value = value
            self.lines[()] = line
            return ()
        top = self._open[-1]
        if isinstance(top.value, list):
            path: Path = (*top.path, len(top.value))
            top.value.append(value)
            self.lines[path] = line
        else:
            assert top.key is not None  # noqa: S101 - the parser sends a key first
            path = (*top.path, top.key)
            top.value[top.key] = value
            top.key = None
        return path


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _plain(text: str, line: int) -> object:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _FLOAT.fullmatch(text):
        return _number(text, line)
    return _text(text, line)


def _guard_brackets(data: bytes, depth: int) -> None:
    """Refuse what nests too deep or holds too many values, before a parser recurses into it."""
    opening = data.count(b"[") + data.count(b"{")
    if opening + data.count(b",") > MARKS:
        raise Unloadable(f"more than {MARKS} values")
    if opening <= depth:
        return
    level = 0
    for byte in _JSON_STRING.sub(b"", data).translate(None, _NOT_BRACKETS):
        level += 1 if byte in b"[{" else -1
        if level > depth:
            raise Unloadable(f"nested deeper than {depth}")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value: dict[str, object] = {}
    for key, item in pairs:
        if key in value:
            raise Unloadable(f"key '{printable(key[:80])}' appears twice")
        value[key] = item
    return value


def _constant(text: str) -> NoReturn:
    raise Unloadable(f"{text} is not a JSON number")


def _json_lines(data: bytes) -> Mapping[Path, int]:
    """JSON is nearly YAML: its lines are those of the YAML reader, or none where that one balks."""
    if len(data) > LOCATED:
        return {}
    try:
        return load_yaml(data).lines
    except Unloadable:
        return {}


def _block(value: object, level: int = 0) -> list[str]:
    """The lines of `value`, the first to be put behind its key, the others indented already if it is text."""
    if level > WRITE_DEPTH:
        raise ValueError(f"nested deeper than {WRITE_DEPTH}")
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            head, nested = _key_text(key) + ":", _block(item, level + 1)
            if isinstance(item, (Mapping, list, tuple)) and item:
                lines += [head, *("  " + line if line else "" for line in nested)]
            else:
                lines += [f"{head} {nested[0]}", *nested[1:]]
        return lines or ["{}"]
    if isinstance(value, (list, tuple)):
        for item in value:
            first, *rest = _block(item, level + 1)
            lines += ["- " + first, *("  " + line if line else "" for line in rest)]
        return lines or ["[]"]
    return _literal(value) if isinstance(value, str) else [_scalar_text(value)]


def _key_text(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key must be text, not {type(key).__name__}")
    text = _string_text(key)
    if len(text) > DIGITS:
        raise ValueError(f"a key of {len(text)} characters")
    return text


def _scalar_text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__} cannot be written as YAML")
    if not math.isfinite(value) if isinstance(value, float) else abs(value) >= 10**DIGITS:
        raise ValueError("number out of range")
    text = repr(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _literal(value: str) -> list[str]:
    lines = value.removesuffix("\n").split("\n")
    readable = len(lines) > 1 and not value[0].isspace() and not _ESCAPED.search(value)
    if not readable or not lines[-1] or any(line != line.rstrip() for line in lines):
        return [_string_text(value)]
    return ["|" if value.endswith("\n") else "|-", *("  " + line if line else "" for line in lines)]


def _string_text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
