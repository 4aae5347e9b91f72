"""`strata.yaml`: the settings of a workspace (TFC-0001 §6).

Read by the judging floors as plain data, because a hook that has nothing new to judge must not load pydantic; the same
few rules are checked here by hand and every complaint names its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from strata_git.errors import StrataError, printable

SCHEMA = "strata/settings/v1"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

TRACKERS = ("mlflow", "files", "none")
"""Where runs may be shown beside their record."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a workspace asks of us.

    `repository` is the UUID that events carry; `lfs` whether payload must be stored by Git LFS; `signing_key` a key id,
    fingerprint or SSH public key path (`""`: git's own `user.signingkey`); `signing_required` whether promotion needs a
    signed artifact; `signing_on_commit` whether the commit hook signs what it seals. `doctor_select` and
    `doctor_ignore` are rule ids or beginnings of such (TFC-0006 §6); `secrets_allow` what looks like a secret and is
    none (TFC-0001 §7); `commits_trailers` whether commit messages name the artifacts they touch (TFC-0001 §10);
    `runs_plugins` are plugins that other packages bring (TFC-0002 §2), `runs_record_user` whether a record names the
    user (TFC-0003 §2); `tracking_to` is the tracker of runs, one of
    `TRACKERS` (`""`: MLflow where it is installed, TFC-0010 §5).
    """

    repository: str = ""
    lfs: bool = True
    signing_key: str = ""
    signing_required: bool = False
    signing_on_commit: bool = False
    doctor_select: tuple[str, ...] = ()
    doctor_ignore: tuple[str, ...] = ()
    secrets_allow: tuple[str, ...] = ()
    commits_trailers: bool = True
    runs_plugins: tuple[str, ...] = ()
    runs_record_user: bool = False
    tracking_to: str = ""


@dataclass(frozen=True, slots=True)
class SettingsComplaint:
    """What is wrong in strata.yaml, on which line (0: unknown), and at which key."""

    line: int
    message: str
    path: tuple[str, ...] = ()


class SettingsError(StrataError):
    """strata.yaml cannot be used. `complaint` is the first of all `complaints`."""

    def __init__(self, complaint: SettingsComplaint, *others: SettingsComplaint) -> None:
        place = f"strata.yaml:{complaint.line}" if complaint.line else "strata.yaml"
        super().__init__(
            f"{place}: {printable(complaint.message)}", hint="Mend the file; `git strata explain` tells how."
        )
        self.complaint = complaint
        self.complaints = (complaint, *others)


_KEYS: dict[tuple[str, ...], tuple[str, type]] = {
    ("repository",): ("repository", str),
    ("lfs",): ("lfs", bool),
    ("signing", "key"): ("signing_key", str),
    ("signing", "required"): ("signing_required", bool),
    ("signing", "on_commit"): ("signing_on_commit", bool),
    ("doctor", "select"): ("doctor_select", tuple),
    ("doctor", "ignore"): ("doctor_ignore", tuple),
    ("secrets", "allow"): ("secrets_allow", tuple),
    ("commits", "trailers"): ("commits_trailers", bool),
    ("runs", "plugins"): ("runs_plugins", tuple),
    ("runs", "record_user"): ("runs_record_user", bool),
    ("tracking", "to"): ("tracking_to", str),
}
_SECTIONS = ("signing", "doctor", "secrets", "commits", "runs", "tracking")
_LISTS = {
    "doctor": (re.compile(r"STR-[A-Z][0-9]{0,3}"), "a list of rules such as STR-D003 or STR-D"),
    "secrets": (re.compile(r"[^\n]{1,200}"), "a list of patterns or sha256:HEX, each of at most 200 characters"),
    "runs": (re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"), "a list of plugins' names"),
}
"""What the words of a section's lists look like; what they mean, a higher floor knows."""
_OPEN = (
    "schema", "documents", "keys", "connectors", "inference", "sinks", "processing", "observability",
    "execution", "retention", "profiles",
)  # fmt: skip
"""Sections that later floors read for themselves (pipelines: `contracts.pipeline`)."""


def load_settings(data: bytes | None) -> Settings:
    """The settings in the bytes of strata.yaml (None: no such file, so defaults). Raises SettingsError."""
    if data is None:
        return Settings()
    from strata_git.load import Unloadable, load_yaml

    try:
        document = load_yaml(data)
    except Unloadable as error:
        raise SettingsError(SettingsComplaint(error.line, error.message)) from None
    if not isinstance(document.value, Mapping):
        raise SettingsError(SettingsComplaint(1, "a mapping is expected"))
    if document.value.get("schema", SCHEMA) != SCHEMA:
        raise SettingsError(SettingsComplaint(document.lines.get(("schema",), 0), f"'schema' must be {SCHEMA}"))
    values: dict[str, object] = {}
    complaints: list[SettingsComplaint] = []
    for path, value in _flat(document.value):
        if path[0] in _OPEN:
            continue
        said, kept = _judged(path, value)
        if said:
            complaints.append(SettingsComplaint(document.lines.get(path, 0), said, path))
        else:
            values[_KEYS[path][0]] = kept
    if complaints:
        raise SettingsError(*sorted(complaints, key=lambda one: one.line))
    return Settings(**values)  # type: ignore[arg-type]


def _judged(path: tuple[str, ...], value: object) -> tuple[str, object]:
    """What is wrong with one setting ("": nothing), and its value as it is kept."""
    told = ".".join(path)
    if path not in _KEYS:
        return f"unknown setting '{told}'", None
    kind = _KEYS[path][1]
    value = _words(value, path[0]) if kind is tuple else value
    if not isinstance(value, kind):
        expected = _LISTS[path[0]][1] if kind is tuple else {str: "text", bool: "true or false"}[kind]
        return f"'{told}' must be {expected}", None
    if path == ("repository",) and value and not UUID.fullmatch(str(value)):
        return "'repository' must be a UUID in lower case", None
    if path == ("tracking", "to") and value not in TRACKERS:
        return f"'tracking.to' must be one of {', '.join(TRACKERS)}", None
    return "", value


def by_key(settings: Settings) -> dict[tuple[str, ...], object]:
    """Every setting by its path in strata.yaml."""
    return {path: getattr(settings, name) for path, (name, _) in _KEYS.items()}


def as_plain(settings: Settings) -> dict[str, object]:
    """The settings as JSON-able data, for the hooks' cache."""
    return asdict(settings)


def from_plain(data: Mapping[str, object]) -> Settings | None:
    """Settings from `as_plain`'s data; None when it is not of this version."""
    if set(data) != {field.name for field in fields(Settings)}:
        return None
    return Settings(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})  # type: ignore[arg-type]


def _words(value: object, section: str) -> object:
    """A list of the section's words as a tuple; anything else as it is."""
    word_of = _LISTS[section][0]
    whole = isinstance(value, list) and all(isinstance(word, str) and word_of.fullmatch(word) for word in value)
    return tuple(value) if whole and isinstance(value, list) else value


def _flat(value: Mapping[str, object]) -> list[tuple[tuple[str, ...], object]]:
    rows: list[tuple[tuple[str, ...], object]] = []
    for key, inner in value.items():
        if key in _SECTIONS and isinstance(inner, Mapping):
            rows.extend(((key, name), part) for name, part in inner.items())
        else:
            rows.append(((key,), inner))
    return rows
