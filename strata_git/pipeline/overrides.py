"""What is said beside strata.yaml: `STRATA_A__B__C` in the environment, `--set a.b=c` on the command line.

A value is read as YAML in one line; what is no YAML (`**/*.md`), and what the contract wants as text (`007`), is taken
as it stands. A variable that names no setting is told, and changes nothing: others may use such names, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from strata_git.contracts.layers import Override, as_yaml, option
from strata_git.contracts.origin import Origin
from strata_git.contracts.pipeline import SECTIONS
from strata_git.errors import UsageError, printable
from strata_git.pipeline.vocabulary import VOCABULARY, nearest

PREFIX = "STRATA_"
BETWEEN = "__"
SHORT = {"LOG_FORMAT": ("observability", "log_format"), "LOG_LEVEL": ("observability", "log_level")}
"""Variables with a name of their own, and the settings they mean."""
SWITCHES = frozenset({
    "API_KEY", "ARTIFACT_DIR", "BUNDLE", "CALLER", "CHAIN", "COMMAND", "COMMENT_TOKEN", "DEBUG",
    "GPG_PASSPHRASE_FILE", "INPUTS", "KEYS", "MODEL", "OUTPUT", "PARAMS", "PROFILE", "RECORDS", "RUN_ID", "SEED",
    "STRICT", "TRUST_PIN", "WORKSPACE",
})  # fmt: skip
"""Variables that are no settings: others of ours read them."""
_ELSEWHERE = ("tracking", "documents", "runs")
"""Sections that other rooms read, and whose variables they may read."""
_JUDGED = ("schema", "repository", "lfs", "signing", "doctor", "secrets", "commits", "profiles")
"""What is read from the committed file alone, so that every clone judges alike."""


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
        path = SHORT.get(rest) or VOCABULARY.matched(rest.split(BETWEEN), written)
        if path is None:
            warnings.append(_unknown(variable, rest, written))
        else:
            raw = environ[variable]
            found[path] = Override(path, raw, as_yaml(raw), Origin("environment", variable))
    return list(found.values()), warnings


def from_options(options: Iterable[str]) -> Iterator[Override]:
    """The settings in `--set a.b=c`. Raises UsageError for what is none, and for what is read from the file alone."""
    for text in options:
        said = option(text, example="inference.default.model=echo")
        if said.path[0] in (*_JUDGED, *_ELSEWHERE):
            raise UsageError(
                f"{printable(said.origin.name)}: '{said.path[0]}' is read from strata.yaml alone.",
                hint="Change the file.",
            )
        yield said


def _judged_or_foreign(variable: str, rest: str) -> str | None:
    """A warning about a variable that means no setting of ours to change ("": nothing to say); None for the others."""
    first = rest.partition(BETWEEN)[0].casefold()
    if first in _ELSEWHERE or first == "service":  # those of a service: serving/project
        return ""
    if first in _JUDGED and (BETWEEN in rest or first in ("repository", "lfs")):
        return f"environment {variable}: '{first}' is read from strata.yaml alone; the variable changes nothing"
    return None


def _unknown(variable: str, rest: str, written: Mapping[str, object]) -> str:
    """A warning with the name that was probably meant."""
    parts = rest.split(BETWEEN)
    said = f"environment {printable(variable)} names no setting, and changes nothing"
    place, near = VOCABULARY.meant(parts, written)
    if len(parts) == 1:
        near = nearest(rest, [*(VOCABULARY.keys_at(()) or ()), *SHORT])
    if near:
        meant = BETWEEN.join([*parts[:place], near.upper().replace("-", "_"), *parts[place + 1 :]])
        return f"{said}; did you mean {PREFIX}{printable(meant)}?"
    return said if len(parts) > 1 else f"{said}; settings are named like {PREFIX}{SECTIONS[-1].upper()}__KEEP_DAYS"
