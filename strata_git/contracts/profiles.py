"""Layers of what strata.yaml says for pipelines (TFC-0011 section 5): the sections, a profile over them, and so on.

Plain data in, plain data out, each value with a number that tells where it stands: a line, for whoever judges the file;
the place in a list of origins, for whoever resolves it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from strata_git.contracts import layers, layout
from strata_git.contracts.base import COMPLAINTS, Complaint, ContractError, parse
from strata_git.contracts.pipeline import SECTIONS, Pipelines, undeclared
from strata_git.errors import printable
from strata_git.load import Document, Path

PROFILES = "profiles"
"""The section that holds them."""
DEFAULT = "local"
"""The profile in force where none is chosen."""
SHIPPED: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "local": {},
    "aws_lambda": {
        "observability": {"log_format": "json"},
        "execution": {"scratch": "/tmp/strata", "time_limit_s": 870, "jobs": 1},  # noqa: S108 - all that may be written
    },
    "aws_batch": {
        "observability": {"log_format": "json"},
        "execution": {"scratch": "/tmp/strata"},  # noqa: S108 - a container's own
    },
})  # fmt: skip
"""Profiles there are without anybody writing them; what strata.yaml says in one of that name goes over it."""

TELLING = {"keys": "from", "connectors": "type", "sinks": "type"}
"""The key that makes an entry of a section what it is: one that says another is a new entry, and takes nothing over."""


def laid_over(lower: Document, upper: Document) -> Document:
    """`upper` over `lower`: mappings are joined key by key, anything else is replaced."""
    return layers.laid_over(lower, upper, _is_another)


def sections_of(document: Document) -> Document:
    """The sections of a whole strata.yaml that pipelines read."""
    value = document.value if isinstance(document.value, dict) else {}
    lines = {path: line for path, line in document.lines.items() if not path or path[0] in SECTIONS}
    return Document({name: value[name] for name in SECTIONS if name in value}, lines)


def profile_of(document: Document, name: str) -> Document:
    """The sections of one of its profiles; empty ones where there is no such profile."""
    profiles = document.value.get(PROFILES) if isinstance(document.value, dict) else None
    value = profiles.get(name) if isinstance(profiles, dict) else None
    lines = {path[2:]: line for path, line in document.lines.items() if path[:2] == (PROFILES, name)}
    return sections_of(Document(value, lines))


def profiles_in(document: Document) -> tuple[str, ...]:
    """The names of its profiles."""
    profiles = document.value.get(PROFILES) if isinstance(document.value, dict) else None
    return tuple(profiles) if isinstance(profiles, dict) else ()


def complaints(document: Document) -> tuple[Complaint, ...]:
    """All that is wrong with what a strata.yaml says for pipelines, in its sections and in every profile over them."""
    found = list(broken(sections_of(document)))
    known = {complaint.message for complaint in found}
    for complaint in _profiles_broken(document):
        if complaint.message not in known:
            known.add(complaint.message)
            found.append(complaint)
    return tuple(sorted(found)[:COMPLAINTS])


def broken(sections: Document) -> Iterator[Complaint]:
    """All that is wrong with sections that were put together; `line` is the number of the nearest place."""
    said = set()
    try:
        parse(Pipelines, sections)
    except ContractError as error:
        for complaint in error.complaints:
            said.add(complaint.message)
            yield complaint
    if not isinstance(sections.value, dict):
        return
    for path, message in undeclared(sections.value):
        key = printable(".".join(path))
        if f"{key}: {message}" not in said:
            yield Complaint(_number(sections, path), key, f"{key}: {message}")


def _profiles_broken(document: Document) -> Iterator[Complaint]:
    value = document.value.get(PROFILES, {}) if isinstance(document.value, dict) else {}
    if not isinstance(value, dict):
        yield Complaint(document.lines.get((PROFILES,), 0), PROFILES, f"{PROFILES}: must be a mapping")
        return
    base = sections_of(document)
    for name, profile in value.items():
        key, line = printable(f"{PROFILES}.{name}"), document.lines.get((PROFILES, name), 0)
        if not layout.NAME.fullmatch(name):
            yield Complaint(line, key, f"{key}: a profile's name is lower-case letters and digits, joined by - or _")
        if not isinstance(profile, dict):
            yield Complaint(line, key, f"{key}: must be a mapping of sections")
            continue
        for section in profile:
            if section not in SECTIONS:
                at = document.lines.get((PROFILES, name, section), line)
                inner = f"{key}.{printable(section)}"
                yield Complaint(at, inner, f"{inner}: is no section; a profile has {', '.join(SECTIONS)}")
        yield from broken(laid_over(base, profile_of(document, name)))


def _is_another(path: Path, lower: Mapping[str, Any], upper: Mapping[str, Any]) -> bool:
    telling = TELLING.get(str(path[0]), "") if len(path) == 2 else ""
    return telling in upper and telling in lower and upper[telling] != lower[telling]


def _number(document: Document, path: Path) -> int:
    for length in range(len(path), -1, -1):
        if path[:length] in document.lines:
            return document.lines[path[:length]]
    return 0
