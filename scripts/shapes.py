"""Write strata_git/contracts/shapes.py: what `contracts/shape.fits` knows of the pydantic models on the commit path."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, BeforeValidator, RootModel, Strict
from pydantic.fields import FieldInfo

from strata_git.checks.documents import CONTRACTS
from strata_git.contracts import words
from strata_git.contracts.base import Checked, OrBare
from strata_git.contracts.layout import ROOT_OF
from strata_git.contracts.shape import Shape

TARGET = Path(__file__).resolve().parent.parent / "strata_git/contracts/shapes.py"
HEAD = '''"""The shapes of documents that surely keep their contracts; made by scripts/shapes.py."""

from __future__ import annotations

from strata_git.contracts.shape import Shape

'''
NEVER: Shape = ("never",)


def shape_of(annotation: Any, metadata: Sequence[Any] = ()) -> Shape:
    """The shape of a type with its checks; `("never",)` where something is in it that only pydantic can judge."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return shape_of(inner, [*more, *metadata])
    flat = [part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else [each])]
    limits, checks = _limits(flat), [each for each in flat if isinstance(each, (Checked, BeforeValidator))]
    known = (annotated_types.Ge, annotated_types.Le, annotated_types.MinLen, Strict, Checked, BeforeValidator, OrBare)
    if limits is None or any(not isinstance(each, known) for each in flat):
        return NEVER
    if checks:
        return _checked(annotation, checks, limits)
    return _plain(annotation, limits)


def _limits(metadata: Sequence[Any]) -> dict[str, Any] | None:
    """Least and most of a number, least length; None where a limit is said twice."""
    told: dict[str, Any] = {}
    for each in metadata:
        for kind, attribute in (
            (annotated_types.Ge, "ge"),
            (annotated_types.Le, "le"),
            (annotated_types.MinLen, "min_length"),
        ):
            if isinstance(each, kind):
                if attribute in told:
                    return None
                told[attribute] = getattr(each, attribute)
    return told


def _checked(annotation: Any, checks: Sequence[Any], limits: dict[str, Any]) -> Shape:
    if len(checks) != 1:
        return NEVER
    check = checks[0].func
    if check is words.number:
        return ("number", limits.get("ge"), limits.get("le"))
    if annotation is str and not limits:
        if named := [word for word, known in words.CHECKS.items() if known is check]:
            return ("text", named[0])
        for kinds in ((), *((kind,) for kind in ROOT_OF), ("dataset", "run", "model", "prompt")):
            if words.reference(*kinds) is check:
                return ("reference", kinds)
    return NEVER


def _plain(annotation: Any, limits: dict[str, Any]) -> Shape:
    origin, inside = get_origin(annotation), get_args(annotation)
    if annotation is int:
        return ("whole", limits.get("ge"), limits.get("le"))
    if annotation is bool:
        return ("flag",)
    if origin is Literal and all(isinstance(each, str) for each in inside):
        return ("one of", inside)
    if origin in (Union, UnionType) and NoneType in inside and len(inside) == 2 and not limits.get("min_length"):
        (other,) = (each for each in inside if each is not NoneType)
        return ("null or", shape_of(other, [annotated_types.Ge(limits["ge"])] if "ge" in limits else []))
    if origin is tuple and len(inside) == 2 and inside[1] is Ellipsis:
        return ("list", shape_of(inside[0]), limits.get("min_length", 0))
    if origin is dict:
        return ("keys", shape_of(inside[0]), shape_of(inside[1]), limits.get("min_length", 0))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return shape_of_model(annotation)
    return ("any",) if getattr(annotation, "__name__", "") == "JsonValue" else NEVER


def shape_of_model(model: type[BaseModel]) -> Shape:
    """The shape of a whole model; one that has validators of its own is left to pydantic."""
    decorators = model.__pydantic_decorators__
    if decorators.model_validators or decorators.field_validators or decorators.root_validators:
        return NEVER
    if issubclass(model, RootModel):
        return shape_of(model.model_fields["root"].annotation, model.model_fields["root"].metadata)
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    known = {name: shape_of(field.annotation, field.metadata) for name, field in fields.items()}
    required = tuple(name for name, field in fields.items() if field.is_required())
    if any(known[name] == NEVER for name in required):
        return NEVER
    return ("record", known, required, model.model_config.get("extra") == "allow")


def rendered() -> str:
    """The module's text, in the project's format."""
    table = {}
    for contract, where in CONTRACTS.items():
        module, _, name = where.partition(":")
        shape = shape_of_model(getattr(import_module(module), name))
        if shape != NEVER:
            table[contract] = shape
    said = '"""By kind of artifact and name of the file; what is not here is left to pydantic."""'
    body = f"{HEAD}SHAPES: dict[tuple[str, str], Shape] = {table!r}\n{said}\n"
    formatter = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TARGET), "-"]
    return subprocess.run(formatter, input=body, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    TARGET.write_text(rendered())
