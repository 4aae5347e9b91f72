"""The repositories that somebody asks together with this one: their names and places, in the git directory.

The list is the user's own and lies beside the repository, never in it: a tracked list would let whoever writes a file
choose whom everybody's machine talks to.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from strata_git.contracts.layout import NAME
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file

SCHEMA = "strata/federation/v1"
PROTOCOLS = ("file", "https", "ssh")
HERE = "here"
"""The name of the repository in which all of this is asked."""
_LIST = "members.json"
_PLACES = "A path, https://..., ssh://..., user@host:path"
_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9._-]+:(?!:)[^:].*")


@dataclass(frozen=True, slots=True)
class Member:
    """One of the repositories. `fetched` is when it was last asked (ISO 8601, `""`: never), `source` what was brought:
    `objects`, or `published` (its own index alone)."""

    name: str
    url: str
    fetched: str = ""
    source: str = ""

    @property
    def place(self) -> str:
        """The URL without a password, to be shown."""
        parts = urlsplit(self.url) if "://" in self.url else None
        if parts is None or parts.password is None:
            return self.url
        return self.url.replace(f":{parts.password}@", ":...@", 1)


def read_members(repo: Repository) -> dict[str, Member]:
    """All that were added, by name. Raises StrataError where the list cannot be read."""
    place = _folder(repo) / _LIST
    try:
        said = json.loads(place.read_bytes())
        rows = [Member(**row) for row in said["members"]]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StrataError(
            f"{printable(str(place))} cannot be read: {type(error).__name__}.",
            hint="Take it away, and add the repositories again: git strata federate add URL",
        ) from None
    return {row.name: _checked(row) for row in rows}


def write_members(repo: Repository, members: Mapping[str, Member]) -> None:
    """Keep the list, readable by its owner alone: a URL may hold a password."""
    folder = _folder(repo)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [asdict(member) for _, member in sorted(members.items())]
    write_file(folder / _LIST, json.dumps({"schema": SCHEMA, "members": rows}, indent=2).encode() + b"\n", 0o600)


def add_member(repo: Repository, place: str, name: str | None, *, cwd: Path) -> Member:
    """Put a repository on the list. Raises StrataError for a place that is none, and for a name that is taken."""
    url = url_said(place, cwd)
    chosen = name or _name_of(url)
    known = read_members(repo)
    if not NAME.fullmatch(chosen) or chosen == HERE:
        raise StrataError(
            f"'{printable(chosen)}' cannot be a member's name: lower-case letters and digits, joined by single - or _.",
            hint="git strata federate add URL --name NAME",
        )
    if chosen in known:
        raise StrataError(
            f"There is a member '{chosen}' already: {printable(known[chosen].place)}.",
            hint=f"git strata federate remove {chosen}    or choose another name with --name",
        )
    member = Member(chosen, url)
    write_members(repo, {**known, chosen: member})
    return member


def update_member(repo: Repository, member: Member, **changes: str) -> None:
    """Note what became of a member."""
    write_members(repo, {**read_members(repo), member.name: replace(member, **changes)})


def remove_member(repo: Repository, name: str) -> Member:
    """Take a repository off the list, with all that was fetched of it. Raises StrataError when there is none."""
    import shutil

    known = read_members(repo)
    member = require_member(known, name)
    write_members(repo, {key: each for key, each in known.items() if key != name})
    shutil.rmtree(directory_of(repo, member), ignore_errors=True)
    return member


def require_member(known: Mapping[str, Member], name: str) -> Member:
    """The member of that name; StrataError with the names there are."""
    if name in known:
        return known[name]
    there = ", ".join(sorted(known)) or "there are none: git strata federate add URL"
    raise StrataError(f"There is no member '{printable(name)}'.", hint=f"Members: {there}")


def directory_of(repo: Repository, member: Member) -> Path:
    """The bare repository that holds what was fetched of a member."""
    return _folder(repo) / f"{member.name}.git"


def url_said(place: str, cwd: Path) -> str:
    """What git is to be given for a place that somebody typed: a URL as it is, a directory as its full path.

    Raises StrataError for anything else, and for protocols that are not allowed.
    """
    shown = printable(place)
    if not place or shown != place or place.startswith("-") or "::" in place:
        raise StrataError(f"'{shown}' is no place of a repository.", hint=_PLACES)
    if "://" in place:
        scheme = place.partition("://")[0].lower()
        if scheme not in PROTOCOLS:
            raise StrataError(f"{shown}: the protocol '{scheme}' is not used here.", hint="Use https, ssh or file.")
        return place
    directory = Path(os.path.abspath(cwd / place))
    if directory.is_dir():
        return str(directory)
    if _SCP.fullmatch(place):
        return place
    raise StrataError(f"{shown} is not there.", hint=_PLACES)


def _name_of(url: str) -> str:
    last = url.rstrip("/").removesuffix("/.git").removesuffix(".git").rpartition("/")[2].rpartition(":")[2]
    return re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-")


def _checked(member: Member) -> Member:
    if not NAME.fullmatch(member.name) or not all(isinstance(value, str) for value in asdict(member).values()):
        raise StrataError("The list of members names one that cannot be.", hint="git strata federate list")
    return member


def _folder(repo: Repository) -> Path:
    return repo.common_dir / "strata" / "federation"
