"""What a new workspace begins with: a template that comes with git-strata, or a folder of one's own.

A folder is somebody's files, perhaps fetched from somewhere: it is listed without following a link, and whatever could
leave the new workspace, stand for something else there, or lie under Git's own names is refused before any writing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from strata_git.checks.layout import judge_path
from strata_git.contracts.layout import SETTINGS
from strata_git.errors import StrataError, UsageError, printable
from strata_git.resources import folder

WORKSPACE, MINIMAL = "workspace", "minimal"
SHIPPED = {
    WORKSPACE: "folders, contracts, CI files and callers: what `git strata init` makes",
    MINIMAL: "settings and Git's own files, nothing else",
    "example": "a dataset, experiments, a plugin, a prompt and a chain, to try everything on",
    "pipeline": "a prompt, a chain, settings for buckets, and what AWS Lambda and AWS Batch need",
}
"""Names of the templates that come with git-strata, and what each is."""
FILES, BYTES = 10_000, 256 << 20
"""How many files a template may have, and bytes in all."""

_OURS = (".strata/local", ".strata/trust", ".env")
_KEPT = (".gitignore", ".gitattributes", ".gitkeep", ".github", ".gitlab-ci.yml", ".gitlab", ".gitea")
_SINGLE = ("schema", "repository", "lfs")


@dataclass(frozen=True, slots=True)
class Template:
    """`files` maps paths in the new workspace to bytes; `executable` are those with an x bit. `settings` is text for
    strata.yaml; `lfs` what the template says of Git LFS (None: nothing). `bare`: nothing comes beside it."""

    name: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    executable: frozenset[str] = frozenset()
    settings: bytes = b""
    lfs: bool | None = None
    bare: bool = False


def read_template(which: str, target: Path, directory: Path) -> Template:
    """The template called `which`, or the one in the folder of that name (relative to `directory`).

    `target` is where the workspace will be. Raises UsageError when there is neither, StrataError for a folder that
    holds what no workspace may.
    """
    if which in SHIPPED:
        source = folder("templates") / which
        return Template(which, bare=which == MINIMAL) if which in (WORKSPACE, MINIMAL) else _read(which, source)
    source = directory / which
    if not source.is_dir():
        known = "\n".join(f"  {name:10} {what}" for name, what in SHIPPED.items())
        raise UsageError(
            f"There is no template '{printable(which)}', and no folder of that name.",
            hint=f"Templates that come with git-strata:\n{known}",
        )
    here, there = os.path.realpath(target), os.path.realpath(source)
    if here == there or here.startswith(there + os.sep):
        raise UsageError("The new workspace would lie in the folder of its own template.")
    return _read(which, source)


def _read(name: str, source: Path) -> Template:
    files: dict[str, bytes] = {}
    executable = set()
    folded: dict[str, str] = {}
    total = 0
    for path, entry in _listed(source, ""):
        _require_sound(path, folded)
        total += entry.stat(follow_symlinks=False).st_size
        if len(files) == FILES or total > BYTES:
            raise _refused(path, f"is one too many: a template has at most {FILES} files and {BYTES >> 20} MiB")
        files[path] = _bytes(entry.path)
        if entry.stat(follow_symlinks=False).st_mode & stat.S_IXUSR:
            executable.add(path)
    text, lfs = _settings(files.pop(SETTINGS, b""))
    return Template(name, files, frozenset(executable), text, lfs)


def _listed(directory: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every file below, in order; links and special files are refused, a clone's own .git at the top is left out."""
    try:
        entries = sorted(os.scandir(directory), key=lambda one: os.fsencode(one.name))
    except OSError as error:
        raise StrataError(f"{printable(str(directory))} cannot be read: {error.strerror}.") from None
    for entry in entries:
        path = prefix + entry.name
        if path == ".git" or entry.name == "__pycache__":
            continue
        if entry.is_symlink():
            raise _refused(path, "is a symbolic link")
        if entry.is_dir(follow_symlinks=False):
            yield from _listed(Path(entry.path), f"{path}/")
        elif entry.is_file(follow_symlinks=False):
            yield path, entry
        else:
            raise _refused(path, "is neither a file nor a directory")


def _require_sound(path: str, folded: dict[str, str]) -> None:
    for finding in judge_path(path):
        if finding.severity == "error" and not (finding.rule == "STR-L018" and _is_kept(path)):
            raise _refused(path, finding.message)
    if any(path == ours or path.startswith(f"{ours}/") for ours in _OURS):
        raise _refused(path, "belongs to each clone, or to those who trust it")
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        whole = "/".join(parts[:depth])
        first = folded.setdefault(normalize("NFC", whole.casefold()), whole)
        if first != whole:
            raise _refused(path, f"'{first}' is the same name on some systems")


def _is_kept(path: str) -> bool:
    """Whether the only names of Git's in a path are those that a workspace has for its own."""
    odd = [part for part in path.split("/") if part.casefold().startswith(".git")]
    return all(part in _KEPT for part in odd)


def _bytes(path: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            return stream.read(BYTES + 1)
    except OSError as error:
        raise StrataError(f"{printable(path)} cannot be read: {error.strerror}.") from None


def _settings(data: bytes) -> tuple[bytes, bool | None]:
    """The template's strata.yaml without what is each repository's own, and what it says of Git LFS."""
    from strata_git.config import load_settings

    if not data.strip():
        return b"", None
    said = load_settings(data)
    lines = data.decode("utf-8", "replace").splitlines()
    kept = [line for line in lines if line.partition(":")[0] not in _SINGLE and "yaml-language-server" not in line]
    stated = any(line.startswith("lfs:") for line in lines)
    text = "\n".join(kept).strip("\n")
    return (f"\n{text}\n".encode() if text else b""), said.lfs if stated else None


def _refused(path: str, why: str) -> StrataError:
    return StrataError(f"The template cannot be used: {printable(path)} {printable(why)}.", hint="Nothing was written.")
