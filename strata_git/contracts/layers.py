"""Layers of settings over each other: a file, the environment, the command line. Plain data in, plain data out.

Each value has a number that tells where it stands: a line, for whoever judges the file; the place in a list of
origins, for whoever resolves it. What is wrong is told with the place where it was said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from strata_git.contracts.base import Complaint
from strata_git.contracts.origin import DEFAULT, Kind, Origin
from strata_git.contracts.vocabulary import Vocabulary, nearest
from strata_git.errors import StrataError, UsageError, printable
from strata_git.load import Document, Path, Unloadable, load_yaml

Lay = Callable[[Document, Document], Document]
Broken = Callable[[Document], Iterator[Complaint]]


@dataclass(frozen=True, slots=True)
class Override:
    """One value said beside the file. `raw` is how it was written, `value` what that means as YAML."""

    path: tuple[str, ...]
    raw: str
    value: object
    origin: Origin


@dataclass(frozen=True, slots=True)
class Misplaced:
    """One thing that is wrong: where it was said, what, and what was probably meant ("": nobody knows)."""

    origin: Origin
    key: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        said = f"{self.origin}: {self.message}"
        return f"{said} (did you mean '{self.suggestion}'?)" if self.suggestion else said


class ConfigurationError(StrataError):
    """The settings cannot be used. `complaints` are all that is wrong."""

    def __init__(self, complaints: Sequence[Misplaced], *, hint: str = "") -> None:
        lines = [printable(str(complaint)) for complaint in complaints]
        if len(lines) == 1:
            super().__init__(lines[0], hint=hint)
        else:
            super().__init__(f"{len(lines)} settings are wrong:", hint="\n".join(lines))
        self.complaints = tuple(complaints)


def as_yaml(raw: str) -> object:
    """A value said beside the file: one line of YAML, or, where it is none, the text itself."""
    try:
        return load_yaml(raw.encode(errors="surrogateescape")).value if raw else ""
    except Unloadable:
        return raw


def option(text: str, *, example: str) -> Override:
    """The setting in `--set a.b=c`. Raises UsageError for what is none."""
    name, mark, raw = text.partition("=")
    path = tuple(name.strip().split("."))
    if not mark or not all(path):
        raise UsageError(f"--set {printable(name)} is not NAME=VALUE.", hint=f"For example --set {example}")
    return Override(path, raw.strip(), as_yaml(raw.strip()), Origin("option", f"--set {name.strip()}"))


def never(_path: Path, _lower: Mapping[str, Any], _upper: Mapping[str, Any]) -> bool:
    """No mapping takes the place of the one below it: all are joined."""
    return False


def laid_over(
    lower: Document, upper: Document, is_another: Callable[[Path, Mapping[str, Any], Mapping[str, Any]], bool] = never
) -> Document:
    """`upper` over `lower`: mappings are joined key by key unless `is_another` says so, anything else is replaced."""
    lines = dict(lower.lines)

    def joined(path: Path, below: Any, value: Any) -> Any:
        if isinstance(below, dict) and isinstance(value, dict) and not is_another(path, below, value):
            made = dict(below)
            for key, part in value.items():
                made[key] = joined((*path, key), below.get(key), part)
            lines.setdefault(path, upper.lines.get(path, 0))
            return made
        for known in [known for known in lines if known[: len(path)] == path]:
            del lines[known]
        lines.update({known: line for known, line in upper.lines.items() if known[: len(path)] == path})
        return value

    value = joined((), lower.value, upper.value)
    return Document(value, lines)


def layer(document: Document, kind: Kind, name: str, origins: list[Origin], *, file: str = DEFAULT.file) -> Document:
    """The document with places in `origins` for its lines, which are added there."""
    places: dict[Path, int] = {}
    lines = document.lines or dict.fromkeys([(), *inner(document.value)], 0)
    for path, line in lines.items():
        origins.append(Origin(kind, name, line, file))
        places[path] = len(origins) - 1
    return Document(document.value, places)


def settled(
    layered: Document, said: Sequence[Override], origins: list[Origin], broken: Broken, lay: Lay = laid_over
) -> Document:
    """`said` over the layers. What the contract does not take as YAML, but as the text it was written as, is text."""
    whole = _with(layered, said, origins, lay)
    refused = {complaint.key for complaint in broken(whole)}
    bare = [
        replace(one, value=one.raw) if ".".join(one.path) in refused and one.value != one.raw else one for one in said
    ]
    if bare == list(said):
        return whole
    other = _with(layered, bare, origins, lay)
    still = {complaint.key for complaint in broken(other)}
    chosen = [old if ".".join(old.path) in still else new for old, new in zip(said, bare, strict=True)]
    return _with(layered, chosen, origins, lay)


def suggestion(complaint: Complaint, value: Any, vocabulary: Vocabulary) -> str:
    """What was probably meant by a key or a word that does not exist; `value` is the whole document."""
    path = tuple(complaint.key.split("."))
    if complaint.message.endswith("is not a key of this contract"):
        return nearest(path[-1], vocabulary.keys_at(path[:-1], value) or ())
    written = value
    for part in path:
        written = written.get(part) if isinstance(written, dict) else None
    told = re.findall(r"'([^']+)'", complaint.message.partition("must be")[2])
    if isinstance(written, dict):  # a union is told by one of its keys
        written = next((written[key] for key in ("type", "from") if key in written), None)
    near = nearest(written, told) if isinstance(written, str) else ""
    return near if near != written else ""


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """The values in nested mappings that are none themselves, with their paths; lists and empty mappings are whole."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif path:
        yield path, value


def nested(rows: Mapping[Any, object]) -> dict[str, object]:
    """Values by path as mappings in mappings: the inverse of `leaves`."""
    made: dict[str, Any] = {}
    for path, value in rows.items():
        place = made
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = value
    return made


def dotted(path: Path) -> str:
    """`("api", "port")` as `api.port`."""
    return ".".join(map(str, path))


def inner(value: object, path: Path = ()) -> Iterator[Path]:
    """The paths of all keys in nested mappings."""
    for key, part in value.items() if isinstance(value, Mapping) else ():
        yield (*path, key)
        yield from inner(part, (*path, key))


def origin_at(path: Path, whole: Document, origins: Sequence[Origin]) -> Origin:
    """Where a value comes from: the place of the whole path, or of the list or text that it was written as."""
    return origins[whole.lines[path]] if path in whole.lines else DEFAULT


def _with(layered: Document, said: Iterable[Override], origins: list[Origin], lay: Lay) -> Document:
    for one in said:
        origins.append(one.origin)
        value: object = one.value
        for part in reversed(one.path):
            value = {part: value}
        mark = len(origins) - 1
        lines: dict[Path, int] = {one.path[:length]: mark for length in range(1, len(one.path) + 1)}
        lines |= {(*one.path, *path): mark for path in inner(one.value)}
        layered = lay(layered, Document(value, lines))
    return layered
