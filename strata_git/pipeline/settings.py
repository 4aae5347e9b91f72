"""The settings of pipelines, resolved: strata.yaml < profile < environment < `--set` (TFC-0011 section 5).

All that is wrong is told at once, each with its key, the place where it was said, and the key that was probably meant.
The file itself is judged by `config` and `contracts.profiles`, as every other door judges it; see
docs/decisions/0025-settings-are-layers-of-plain-data.md for why no library puts the layers together.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from strata_git import config
from strata_git.contracts import layers, profiles
from strata_git.contracts.base import Complaint, parse
from strata_git.contracts.layers import ConfigurationError, Misplaced, Override, leaves
from strata_git.contracts.layout import SETTINGS
from strata_git.contracts.origin import DEFAULT, Origin
from strata_git.contracts.pipeline import Pipelines
from strata_git.errors import StrataError, UsageError, printable
from strata_git.load import Document, load_yaml
from strata_git.pipeline.overrides import from_environment, from_options
from strata_git.pipeline.vocabulary import VOCABULARY, nearest

__all__ = ["ConfigurationError", "Configured", "leaves", "load", "resolve"]

PROFILE = "STRATA_PROFILE"
_HINT = "What there is to set: docs/settings.md, and git strata explain STR-N003"
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Configured:
    """The whole of the settings, and by dotted key where each value comes from.

    `settings` is what the judging floors read (from the file alone), `values` all of both as plain data with nothing
    left to defaults, `warnings` what was said and changes nothing.
    """

    pipelines: Pipelines
    origin: Mapping[str, Origin]
    settings: config.Settings
    values: Mapping[str, object]
    profile: str
    warnings: tuple[str, ...] = ()


def load(
    root: FilePath, environ: Mapping[str, str], overrides: Sequence[str] = (), profile: str | None = None
) -> Configured:
    """The settings of the workspace at `root`; `overrides` are texts `a.b=c`, `profile` goes before STRATA_PROFILE.

    Raises ConfigurationError, which names all that is wrong, and UsageError for an override or a profile that cannot be
    meant.
    """
    return resolve(_bytes(root / SETTINGS), environ, overrides, profile)


def resolve(
    data: bytes | None, environ: Mapping[str, str], overrides: Sequence[str] = (), profile: str | None = None
) -> Configured:
    """The same, from the bytes of strata.yaml (None: there is none)."""
    document, settings = _judged(data)
    chosen = _chosen(document, environ, profile)
    origins: list[Origin] = [DEFAULT]
    layered = layers.layer(profiles.sections_of(document), "file", "", origins)
    layered = profiles.laid_over(
        layered, layers.layer(Document(dict(profiles.SHIPPED.get(chosen, {}))), "profile", chosen, origins)
    )
    layered = profiles.laid_over(
        layered, layers.layer(profiles.profile_of(document, chosen), "profile", chosen, origins)
    )
    written: Any = layered.value
    variables, warnings = from_environment(environ, written)
    said = [*sorted(variables, key=_tells), *sorted(from_options(overrides), key=_tells)]
    whole = layers.settled(layered, said, origins, profiles.broken, profiles.laid_over)
    wrong = [_misplaced(complaint, whole, origins) for complaint in profiles.broken(whole)]
    if wrong:
        raise ConfigurationError(wrong, hint=_HINT)
    pipelines = parse(Pipelines, whole)
    rows = config.by_key(settings)  # the rooms below keep lists as tuples
    judged = layers.nested({path: list(value) if isinstance(value, tuple) else value for path, value in rows.items()})
    lines = document.lines
    found = {
        layers.dotted(path): Origin("file", line=lines[path]) if path in lines else DEFAULT
        for path, _ in leaves(judged)
    }
    values = pipelines.model_dump(mode="json", by_alias=True)
    found |= {layers.dotted(path): layers.origin_at(path, whole, origins) for path, _ in leaves(values)}
    return Configured(pipelines, found, settings, {**judged, **values}, chosen, tuple(warnings))


def _bytes(path: FilePath) -> bytes | None:
    """The file's content; None where there is none. A link is none: it may lead anywhere."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StrataError(
            f"{SETTINGS} cannot be read: {error.strerror}.", hint="It must be a file of its own."
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise StrataError(f"{SETTINGS} is no file.")
        with open(handle, "rb", closefd=False) as stream:
            return stream.read(_LIMIT + 1)
    finally:
        os.close(handle)


def _judged(data: bytes | None) -> tuple[Document, config.Settings]:
    """The file as everybody judges it. Raises ConfigurationError with all that is wrong in it."""
    wrong: list[Misplaced] = []
    settings, document = config.Settings(), Document({})
    try:
        settings = config.load_settings(data)
    except config.SettingsError as error:
        wrong += [_unsettled(complaint) for complaint in error.complaints]
        if any(not complaint.path for complaint in error.complaints):
            raise ConfigurationError(wrong, hint=_HINT) from None  # not to be read at all
    if data is not None:
        document = load_yaml(data)
        wrong += [_in_file(complaint, document) for complaint in profiles.complaints(document)]
    if wrong:
        raise ConfigurationError(sorted(wrong, key=lambda one: one.origin.line), hint=_HINT)
    return document, settings


def _unsettled(complaint: config.SettingsComplaint) -> Misplaced:
    *above, last = complaint.path or ("",)
    words = [path[len(above)] for path in config.by_key(config.Settings()) if path[: len(above)] == tuple(above)]
    words += [*Pipelines.model_fields, profiles.PROFILES] if not above else []
    near = nearest(last, words) if "unknown" in complaint.message else ""
    place = Origin("file", line=complaint.line)
    return Misplaced(place, ".".join(complaint.path), complaint.message, "" if near == last else near)


def _in_file(complaint: Complaint, document: Document) -> Misplaced:
    origin = Origin("file", line=complaint.line)
    return Misplaced(origin, complaint.key, complaint.message, _meant(complaint, document.value))


def _misplaced(complaint: Complaint, whole: Document, origins: Sequence[Origin]) -> Misplaced:
    return Misplaced(origins[complaint.line], complaint.key, complaint.message, _meant(complaint, whole.value))


def _meant(complaint: Complaint, value: Any) -> str:
    """What was probably meant by a key, a word or a name that does not exist."""
    path = tuple(complaint.key.split("."))
    if path[0] == profiles.PROFILES:
        return nearest(path[-1], tuple(Pipelines.model_fields)) if len(path) == 3 else ""
    if "has no '" in complaint.message and not complaint.message.endswith("is not a key of this contract"):
        declared = value.get("keys") if isinstance(value, dict) else None
        return nearest(complaint.message.split("'")[1], tuple(declared or ()))
    return layers.suggestion(complaint, value, VOCABULARY)


def _chosen(document: Document, environ: Mapping[str, str], profile: str | None) -> str:
    name = profile or environ.get(PROFILE) or profiles.DEFAULT
    known = sorted({*profiles.SHIPPED, *profiles.profiles_in(document)})
    if name not in known:
        near = nearest(name, known)
        told = f"--profile {printable(name)}" if profile else f"environment {PROFILE}={printable(name)}"
        hint = (f"Did you mean '{near}'? " if near else "") + f"There are: {', '.join(map(printable, known))}"
        raise UsageError(f"{told}: there is no such profile.", hint=hint)
    return name


def _tells(override: Override) -> bool:
    """Sorts what says of which type an entry is before the rest of it: that may be made anew thereby."""
    path = override.path
    return not (len(path) == 3 and profiles.TELLING.get(path[0]) == path[2])
