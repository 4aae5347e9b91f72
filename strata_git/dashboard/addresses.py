"""Where each page lies below the site's root, and how one page points to another. Pure.

Nothing but lower-case letters, digits and `-_./@` ever becomes part of an address, whatever an artifact is called: a
name outside the grammar, or too long for a file name, is replaced by a hash of itself.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from strata_git.contracts.layout import ROOT_OF, Artifact

ROWS = 500
"""Most rows that one page lists."""
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,119}")


def artifact_page(artifact: Artifact) -> str:
    """`models/tumour/v2.html`, `runs/run-2026-11-21-001.html`, `services/scoring.html`."""
    if artifact.kind in ("run", "service"):
        return f"{ROOT_OF[artifact.kind]}/{_part(artifact.name)}.html"
    return f"{ROOT_OF[artifact.kind]}/{_part(artifact.name)}/{_part(artifact.version)}.html"


def family_page(kind: str, name: str) -> str:
    """The page of all versions of one name: `models/tumour/index.html`."""
    return f"{ROOT_OF[kind]}/{_part(name)}/index.html"


def member_page(member: str, artifact: Artifact | None = None) -> str:
    """What a repository of a federation is told on, or one artifact of it: `m/data/datasets/iris/v1.html`."""
    return f"m/{_part(member)}/{artifact_page(artifact) if artifact else 'index.html'}"


def listing_page(base: str, number: int = 1) -> str:
    """The `number`-th page of a list: `runs.html`, `runs-2.html`."""
    return f"{base}.html" if number == 1 else f"{base}-{number}.html"


def rule_page(rule: str, number: int = 1) -> str:
    """Findings of one rule: `findings/str-i001.html`."""
    return listing_page(f"findings/{_part(rule.lower())}", number)


def link(source: str, target: str) -> str:
    """A relative, percent-encoded reference from one page (or asset) to another; `#...` stays."""
    path, mark, fragment = target.partition("#")
    here, there = source.split("/")[:-1], path.split("/")
    shared = 0
    while shared < min(len(here), len(there) - 1) and here[shared] == there[shared]:
        shared += 1
    steps = "../" * (len(here) - shared) + "/".join(there[shared:])
    return quote(steps, safe="/._-") + (f"#{quote(fragment, safe='-_')}" if mark else "")


def pages_of(count: int) -> int:
    """How many pages a list of so many rows takes; at least one."""
    return max(1, -(-count // ROWS))


def _part(name: str) -> str:
    if _PLAIN.fullmatch(name) and name != "index":
        return name
    return f"x-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"
