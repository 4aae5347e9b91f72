"""Which keys the pipelines' sections of strata.yaml know, by path: for names in the environment, and for typos."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue

from strata_git.contracts.pipeline import Pipelines


def keys_at(path: Sequence[str | int], value: object = None) -> tuple[str, ...] | None:
    """The keys that may stand below `path`; () where any may, None where nothing may stand below it.

    `value`: the sections as far as they are written; they tell which kind of connector, key or sink is meant.
    """
    places = _places(path, value)
    if not places:
        return None
    if any(place in (Any, JsonValue) or get_origin(place) in (dict, Mapping) for place in places):
        return ()
    names = [name for place in places if _is_model(place) for name in _fields(place)]
    return tuple(dict.fromkeys(names)) or None


def exists(path: Sequence[str | int], value: object = None) -> bool:
    """Whether a setting of that path may be written."""
    return bool(_places(path, value))


def nearest(word: str, words: Sequence[str]) -> str:
    """The one that was probably meant, "" when none is near."""
    folded = {one.casefold().replace("-", "_"): one for one in words}
    found = get_close_matches(word.casefold().replace("-", "_"), folded, n=1, cutoff=0.55)
    return folded[found[0]] if found else ""


def _places(path: Sequence[str | int], value: object) -> list[Any]:
    """The types that may stand at `path`."""
    places: list[Any] = [Pipelines]
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
