"""What is said beside strata.yaml: `STRATA_A__B__C` in the environment, `--set a.b=c` on the command line.

A value is read as YAML in one line; what is no YAML (`**/*.md`), and what the contract wants as text (`007`), is taken
as it stands. A variable that names no setting is told, and changes nothing: others may use such names, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from strata_git.contracts.pipeline import SECTIONS
from strata_git.errors import UsageError, printable
from strata_git.load import Path, Unloadable, load_yaml
from strata_git.pipeline.origin import Origin
from strata_git.pipeline.vocabulary import exists, keys_at, nearest

PREFIX = "STRATA_"
BETWEEN = "__"
SHORT = {"LOG_FORMAT": ("observability", "log_format"), "LOG_LEVEL": ("observability", "log_level")}
"""Variables with a name of their own, and the settings they mean."""
SWITCHES = frozenset({
    "ARTIFACT_DIR", "CALLER", "CHAIN", "COMMAND", "COMMENT_TOKEN", "DEBUG", "GPG_PASSPHRASE_FILE", "INPUTS", "KEYS",
    "OUTPUT", "PARAMS", "PROFILE", "RECORDS", "RUN_ID", "SEED", "STRICT", "TRUST_PIN", "WORKSPACE",
})  # fmt: skip
"""Variables that are no settings: others of ours read them."""
_ELSEWHERE = ("tracking", "documents", "runs")
"""Sections that other rooms read, and whose variables they may read."""
_JUDGED = ("schema", "repository", "lfs", "signing", "doctor", "secrets", "commits", "profiles")
"""What is read from the committed file alone, so that every clone judges alike."""


@dataclass(frozen=True, slots=True)
class Override:
    """One value said beside the file. `raw` is how it was written, `value` what that means as YAML."""

    path: tuple[str, ...]
    raw: str
    value: object
    origin: Origin


def from_environment(environ: Mapping[str, str], written: Mapping[str, object]) -> tuple[list[Override], list[str]]:
    """The settings in an environment, and warnings about variables that name none; `written`: what the file says."""
    found: dict[tuple[str, ...], Override] = {}
    warnings = []
    for variable in sorted(environ, key=lambda name: (name[len(PREFIX) :] not in SHORT, name)):
        rest = variable.removeprefix(PREFIX)
        if rest == variable or rest in SWITCHES or environ[variable] == "":
            continue
        told = _judged_or_foreign(variable, rest)
        if told is not None:
            warnings += [told] if told else []
            continue
        path = SHORT.get(rest) or _matched(rest.split(BETWEEN), written)
        if path is None:
            warnings.append(_unknown(variable, rest, written))
        else:
            raw = environ[variable]
            found[path] = Override(path, raw, _read(raw), Origin("environment", variable))
    return list(found.values()), warnings


def from_options(options: Iterable[str]) -> Iterator[Override]:
    """The settings in `--set a.b=c`. Raises UsageError for what is none, and for what is read from the file alone."""
    for text in options:
        name, mark, raw = text.partition("=")
        path = tuple(name.strip().split("."))
        if not mark or not all(path):
            raise UsageError(
                f"--set {printable(name)} is not NAME=VALUE.", hint="For example --set inference.default.model=echo"
            )
        if path[0] in (*_JUDGED, *_ELSEWHERE):
            raise UsageError(
                f"--set {printable(name)}: '{path[0]}' is read from strata.yaml alone.", hint="Change the file."
            )
        yield Override(path, raw.strip(), _read(raw.strip()), Origin("option", f"--set {name.strip()}"))


def _judged_or_foreign(variable: str, rest: str) -> str | None:
    """A warning about a variable that means no setting of ours to change ("": nothing to say); None for the others."""
    first = rest.partition(BETWEEN)[0].casefold()
    if first in _ELSEWHERE:
        return ""
    if first in _JUDGED and (BETWEEN in rest or first in ("repository", "lfs")):
        return f"environment {variable}: '{first}' is read from strata.yaml alone; the variable changes nothing"
    return None


def _matched(parts: Sequence[str], written: Mapping[str, object]) -> tuple[str, ...] | None:
    """The path that the parts of a variable's name mean: keys there are, whatever their case and hyphens."""
    path: tuple[str, ...] = ()
    value: object = written
    for part in parts:
        keys = keys_at(path)
        if keys is None or not part:
            return None
        there = [*keys, *(value if isinstance(value, Mapping) and not keys else ())]
        alike = [key for key in there if _folded(key) == _folded(part)]
        if not alike and keys:
            return None
        path = (*path, alike[0] if alike else part.casefold())
        value = value.get(path[-1]) if isinstance(value, Mapping) else None
    return path if exists(path) else None


def _unknown(variable: str, rest: str, written: Mapping[str, object]) -> str:
    """A warning with the name that was probably meant."""
    parts = rest.split(BETWEEN)
    said = f"environment {printable(variable)} names no setting, and changes nothing"
    for known in range(len(parts)):
        path: Path = _matched(parts[:known], written) or ()
        if known and not path:
            break
        if _matched(parts[: known + 1], written):
            continue
        words = [*(keys_at(path) or ()), *(SHORT if len(parts) == 1 else ())]
        if near := nearest(parts[known], words):
            meant = BETWEEN.join([*parts[:known], near.upper().replace("-", "_"), *parts[known + 1 :]])
            return f"{said}; did you mean {PREFIX}{printable(meant)}?"
        break
    return said if len(parts) > 1 else f"{said}; settings are named like {PREFIX}{SECTIONS[-1].upper()}__KEEP_DAYS"


def _folded(key: str) -> str:
    return key.casefold().replace("-", "_")


def _read(raw: str) -> object:
    try:
        return load_yaml(raw.encode(errors="surrogateescape")).value if raw else ""
    except Unloadable:
        return raw
