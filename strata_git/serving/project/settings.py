"""The settings of a service, resolved: service.yaml < `STRATA_SERVICE__A__B` in the environment < `--set a.b=c`.

All that is wrong is told at once, each with its key, the place where it was said, and the key that was probably meant.
A variable speaks to the one service that is being opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strata_git.checks.services import is_loopback
from strata_git.contracts import layers
from strata_git.contracts.base import Complaint, ContractError, parse
from strata_git.contracts.layers import ConfigurationError, Misplaced, Override
from strata_git.contracts.origin import Origin
from strata_git.contracts.service import Service
from strata_git.contracts.vocabulary import Vocabulary
from strata_git.errors import UsageError, printable
from strata_git.load import Document, Unloadable, load_yaml

PREFIX = "STRATA_SERVICE__"
BETWEEN = "__"
FIXED = ("schema", "name", "lang", "interface")
"""What a service is; it is said in its file and nowhere else."""
VOCABULARY = Vocabulary(Service)
_HINT = "What there is to set: docs/services.md"


@dataclass(frozen=True, slots=True)
class Configured:
    """A service's settings, and by dotted key where each value comes from.

    `values` is the whole as plain data with nothing left to defaults, `warnings` what was said and changes nothing.
    """

    service: Service
    values: Mapping[str, object]
    origin: Mapping[str, Origin]
    warnings: tuple[str, ...] = ()


def resolve(
    data: bytes, *, file: str, name: str, environ: Mapping[str, str] | None = None, overrides: Sequence[str] = ()
) -> Configured:
    """The settings from the bytes of service.yaml; `file` is its path as it is told, `name` the directory's name.

    Raises ConfigurationError, which names all that is wrong, and UsageError for an override that cannot be meant.
    """
    try:
        document = load_yaml(data)
    except Unloadable as error:
        raise ConfigurationError([Misplaced(Origin("file", line=error.line, file=file), "", error.message)]) from None
    origins = [Origin("file", file=file)]
    written = layers.layer(document, "file", "", origins, file=file)
    told: Any = document.value if isinstance(document.value, dict) else {}
    variables, warnings = _from_environment(environ or {}, told)
    said = [*variables, *(_from_option(text) for text in overrides)]
    whole = layers.settled(written, said, origins, _broken) if isinstance(document.value, dict) else written
    wrong = [_misplaced(complaint, whole, origins) for complaint in _broken(whole)]
    if wrong:
        raise ConfigurationError(wrong, hint=_HINT)
    service = parse(Service, whole)
    wrong = [
        Misplaced(layers.origin_at(path, whole, origins), ".".join(path), f"{'.'.join(path)}: {message}")
        for path, message in _refused(service, name)
    ]
    if wrong:
        raise ConfigurationError(wrong, hint=_HINT)
    values = service.model_dump(mode="json", by_alias=True)
    origin = {layers.dotted(path): layers.origin_at(path, whole, origins) for path, _ in layers.leaves(values)}
    return Configured(service, values, origin, tuple(warnings))


def _from_environment(environ: Mapping[str, str], written: Mapping[str, object]) -> tuple[list[Override], list[str]]:
    found, warnings = [], []
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or environ[variable] == "":
            continue
        parts = variable.removeprefix(PREFIX).split(BETWEEN)
        path = VOCABULARY.matched(parts, written)
        if path is None or path[0] in FIXED:
            warnings.append(_unknown(variable, parts, path, written))
        else:
            raw = environ[variable]
            found.append(Override(path, raw, layers.as_yaml(raw), Origin("environment", variable)))
    return found, warnings


def _unknown(variable: str, parts: Sequence[str], path: tuple[str, ...] | None, written: Mapping[str, object]) -> str:
    if path is not None:
        return f"environment {printable(variable)}: '{path[0]}' is read from the file alone; it changes nothing"
    place, near = VOCABULARY.meant(parts, written)
    said = f"environment {printable(variable)} names no setting, and changes nothing"
    if not near:
        return said
    meant = BETWEEN.join([*parts[:place], near.upper(), *parts[place + 1 :]])
    return f"{said}; did you mean {PREFIX}{printable(meant)}?"


def _from_option(text: str) -> Override:
    said = layers.option(text, example="api.port=9000")
    if said.path[0] in FIXED:
        raise UsageError(f"--set {said.path[0]}: it is read from the file alone.", hint="Change service.yaml.")
    return said


def _broken(whole: Document) -> Iterator[Complaint]:
    try:
        parse(Service, whole)
    except ContractError as error:
        yield from error.complaints


def _misplaced(complaint: Complaint, whole: Document, origins: Sequence[Origin]) -> Misplaced:
    meant = layers.suggestion(complaint, whole.value, VOCABULARY)
    return Misplaced(origins[complaint.line], complaint.key, complaint.message, meant)


def _refused(service: Service, name: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """What the contract alone cannot see."""
    if service.name != name:
        yield ("name",), f"is '{service.name}', the directory is '{printable(name)}' (STR-V002)"
    if not is_loopback(service.api.host) and not service.api.auth.required:
        told = f"'{service.api.host}' can be reached from other machines, and nobody is asked for a key or token"
        yield ("api", "host"), f"{told}; say api.auth, or listen on 127.0.0.1 (STR-V005)"
