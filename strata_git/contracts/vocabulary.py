"""Which keys a contract knows, by path: for names in the environment, and for typos."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The keys of one contract."""

    model: type[BaseModel]

    def keys_at(self, path: Sequence[str | int], value: object = None) -> tuple[str, ...] | None:
        """The keys that may stand below `path`; () where any may, None where nothing may stand below it.

        `value`: the document as far as it is written; it tells which member of a union is meant.
        """
        places = _places(self.model, path, value)
        if not places:
            return None
        if any(place in (Any, JsonValue) or get_origin(place) in (dict, Mapping) for place in places):
            return ()
        names = [name for place in places if _is_model(place) for name in _fields(place)]
        return tuple(dict.fromkeys(names)) or None

    def exists(self, path: Sequence[str | int], value: object = None) -> bool:
        """Whether a setting of that path may be written."""
        return bool(_places(self.model, path, value))

    def matched(self, parts: Sequence[str], written: Mapping[str, object]) -> tuple[str, ...] | None:
        """The path that the parts of a variable's name mean: keys there are, whatever their case and hyphens."""
        path: tuple[str, ...] = ()
        value: object = written
        for part in parts:
            keys = self.keys_at(path)
            if keys is None or not part:
                return None
            there = [*keys, *(value if isinstance(value, Mapping) and not keys else ())]
            alike = [key for key in there if _folded(key) == _folded(part)]
            if not alike and keys:
                return None
            path = (*path, alike[0] if alike else part.casefold())
            value = value.get(path[-1]) if isinstance(value, Mapping) else None
        return path if self.exists(path) else None

    def meant(self, parts: Sequence[str], written: Mapping[str, object]) -> tuple[int, str]:
        """Which of the parts that mean no setting is the first wrong one, and the key that is near it ("": none)."""
        for known in range(len(parts)):
            path = self.matched(parts[:known], written) or ()
            if known and not path:
                break
            if not self.matched(parts[: known + 1], written):
                return known, nearest(parts[known], self.keys_at(path) or ())
        return len(parts), ""


def nearest(word: str, words: Sequence[str]) -> str:
    """The one that was probably meant, "" when none is near."""
    folded = {_folded(one): one for one in words}
    found = get_close_matches(_folded(word), folded, n=1, cutoff=0.55)
    return folded[found[0]] if found else ""


def _folded(key: str) -> str:
    return key.casefold().replace("-", "_")


def _places(model: type[BaseModel], path: Sequence[str | int], value: object) -> list[Any]:
    """The types that may stand at `path`."""
    places: list[Any] = [model]
    for part in path:
        places = [below for place in _narrowed(places, value) for below in _below(place, part)]
        value = value.get(part) if isinstance(value, dict) else None
    return _narrowed(places, value)


def _below(place: Any, part: str | int) -> Iterator[Any]:
    if place in (Any, JsonValue):
        yield place
    elif _is_model(place) and part in (fields := _fields(place)):
        yield from _members(fields[str(part)])
    elif get_origin(place) in (dict, Mapping):
        yield from _members(get_args(place)[1])
    elif isinstance(part, int) and get_origin(place) in (tuple, list):
        yield from _members(get_args(place)[0])


def _members(annotation: Any) -> Iterator[Any]:
    """What a type may be, without what is said about it beside."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _narrowed(places: list[Any], value: object) -> list[Any]:
    """Of the members of a union those that the entry itself chooses, by its `type` or `from`; else all."""
    chosen = [place for place in places if isinstance(value, dict) and _is_model(place) and _is_chosen(place, value)]
    return chosen if chosen and len(places) > 1 else places


def _is_chosen(model: type[BaseModel], value: Mapping[str, object]) -> bool:
    for name in ("type", "from"):
        annotation = _fields(model).get(name)
        if get_origin(annotation) is Literal:
            return value.get(name) in get_args(annotation)
    return False


def _is_model(place: Any) -> bool:
    return isinstance(place, type) and issubclass(place, BaseModel)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}
