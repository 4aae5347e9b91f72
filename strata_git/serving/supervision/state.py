"""What a running service says of itself in a file, for commands beside it: who it is, where it listens, what it serves.

The file is replaced as a whole. It is a statement of a process that may have died since: it counts only while that very
process lives, which is known by its id and the moment it was born.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from strata_git.contracts.layout import NAME
from strata_git.errors import StrataError
from strata_git.repo.files import write_file
from strata_git.serving.supervision.places import SERVICES, services_directory

SCHEMA = "strata/service-state/v1"
FILE = "state.json"
LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class State:
    """One service.

    `pid` and `born` name the process, `since` is when it started (ISO, UTC), `url` and `grpc` (`""`: none) where it
    answers. `ready` whether it does, `reason` why not, or what of the last change could not be done. `provenance` is
    that of the version that answers, `event` the tag object that put it there, `steps` the gate's verdicts: name,
    verdict, message. `children` are the ids of its processes. `drain_ms` is how long it takes to end at most.
    """

    name: str
    pid: int
    born: str
    since: str
    mode: str
    url: str
    grpc: str = ""
    ready: bool = False
    reason: str = ""
    model: str = ""
    event: str = ""
    drain_ms: int = 10_000
    provenance: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[tuple[str, str, str], ...] = ()
    children: tuple[int, ...] = ()


def write_state(directory: Path, state: State) -> None:
    """Replace the service's state. Raises StrataError where the disk refuses."""
    text = json.dumps({"schema": SCHEMA, **asdict(state)}, indent=1, sort_keys=True)
    write_file(directory / FILE, text.encode() + b"\n", 0o600, durable=False)


class StateKept:
    """The state of one run in its directory, replaced where it has changed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._written: State | None = None

    def keep(self, state: State) -> None:
        """Write it down; a full disk does not end a service."""
        if state != self._written:
            self._written = state
            with contextlib.suppress(StrataError):
                write_state(self._directory, state)


def read_state(root: Path, name: str) -> State | None:
    """The state of a service whose process lives; None where there is none, or what is there is stale or no state."""
    if not NAME.fullmatch(name):
        return None
    place = services_directory(root) / name
    if any(one.is_symlink() for one in (place, *place.parents[: len(SERVICES.split("/"))])):
        return None
    found = _read(place / FILE)
    return found if found is not None and found.name == name and is_alive(found) else None


def list_states(root: Path) -> tuple[State, ...]:
    """All services that live in this work tree, by name."""
    try:
        names = sorted(os.listdir(services_directory(root)))
    except OSError:
        return ()
    return tuple(state for name in names if (state := read_state(root, name)) is not None)


def remove_state(directory: Path) -> None:
    """The service has ended."""
    (directory / FILE).unlink(missing_ok=True)


def is_alive(state: State) -> bool:
    """Whether the very process lives that wrote the state."""
    return state.pid > 1 and bool(state.born) and born(state.pid) == state.born


def born(pid: int) -> str:
    """What tells a process from others that had its id before: its start as the system counts, since which start of
    the system; `""`: there is none. Nobody who writes a state elsewhere can know it."""
    try:
        words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _born_elsewhere(pid)
    return "" if words[0] in (b"Z", b"X") else f"{_boot()}{words[19].decode()}"  # proc(5): 3 is the state, 22 the start


def _boot() -> str:
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} "
    except OSError:
        return ""


def _born_elsewhere(pid: int) -> str:
    """The same on systems without /proc."""
    from strata_git.repo.process import run

    asked = run(["ps", "-o", "lstart=", "-p", str(pid)], directory=Path("/"), env={"PATH": os.defpath, "LC_ALL": "C"})
    return asked.out.decode(errors="replace").strip()


def _read(path: Path) -> State | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as stream:
            value = json.loads(stream.read(LIMIT))
    except (OSError, ValueError, RecursionError):
        return None
    return _parsed(value)


def _parsed(value: object) -> State | None:
    """The state that a JSON value says, when each part has its type."""
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        return None
    said = {one.name: value[one.name] for one in fields(State) if one.name in value}
    texts = ("name", "born", "since", "mode", "url", "grpc", "reason", "model", "event")
    steps, children = said.get("steps", []), said.get("children", [])
    sound = (
        all(isinstance(said.get(name, ""), str) for name in texts)
        and all(type(said.get(name, 0)) is int for name in ("pid", "drain_ms"))
        and isinstance(said.get("ready", False), bool)
        and isinstance(said.get("provenance", {}), dict)
        and isinstance(steps, list)
        and all(isinstance(one, list) and len(one) == 3 and all(isinstance(word, str) for word in one) for one in steps)
        and isinstance(children, list)
        and all(type(one) is int for one in children)
    )
    if not sound:
        return None
    try:
        return State(**{**said, "steps": tuple(map(tuple, steps)), "children": tuple(children)})
    except TypeError:  # something that has no default is not said
        return None
