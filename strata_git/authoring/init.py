"""Making a workspace, or adopting a repository as one (TFC-0001). Nothing that exists is overwritten."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from strata_git import __version__
from strata_git.authoring.merge import configure_driver
from strata_git.authoring.templates import WORKSPACE, Template
from strata_git.config import SCHEMA, load_settings
from strata_git.contracts.layout import SETTINGS, artifact_of
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.environment import acting_environment
from strata_git.repo.files import unwritable, write_file
from strata_git.repo.process import Result, run
from strata_git.resources import folder

DIRECTORIES = (
    "datasets", "runs", "models", "experiments", "prompts", "chains", "plugins", "services", "tools", "tfc",
)  # fmt: skip
KEEP = ".gitkeep"
WHOLE = Template(WORKSPACE)
NOTES = "refs/notes/strata"
_TEMPLATES = {
    "gitignore": ".gitignore",
    "env.example": ".env.example",
    "README.md": "README.md",
    "github/strata.yml": ".github/workflows/strata.yml",
    "tools/doctor.py": "tools/doctor.py",
    "tools/index.py": "tools/index.py",
    "tools/run.py": "tools/run.py",
    "tools/load-env.sh": "tools/load-env.sh",
    "tools/load-env.ps1": "tools/load-env.ps1",
}
"""Where each file of templates/workspace goes. They have no leading dots, lest they govern our own repository."""
PINNED = ".strata/requirements.txt"
_PINNED_FOR = (
    "# The checker by which CI judges what is built on this commit; raise it in a change of its own (docs/ci.md).\n"
)
_NEEDED = (".gitignore",)
"""What even a minimal workspace has, beside settings and attributes."""
_EDITED_BY = b"# yaml-language-server: $schema=tfc/schemas/settings.schema.json\n"
"""Tells editors what strata.yaml may say."""
_LINES_MATTER = (".gitattributes", ".gitignore")


@dataclass(frozen=True, slots=True)
class Initialised:
    """What was done: repository paths written and kept, local settings made, and lines that kept files lack."""

    repository: Repository
    created: bool
    written: tuple[str, ...]
    kept: tuple[str, ...]
    settings: tuple[str, ...]
    lacking: Mapping[str, tuple[str, ...]]
    lfs: bool


def init(
    directory: Path,
    environ: Mapping[str, str],
    *,
    example: bool = False,
    lfs: bool = True,
    uuid: str = "",
    template: Template = WHOLE,
) -> Initialised:
    """Make `directory` a workspace; calling it again completes what is missing and changes nothing else.

    `template` says what it begins with, `example` adds example experiments to that. `uuid` is the repository's identity
    when it has none yet (a fresh one by default). Raises StrataError, before
    anything is written, when git or git-lfs is missing, `directory` lies inside another repository, is bare, or has a
    file or link where a directory belongs.
    """
    existing = _existing(directory, environ)
    lfs = _wants_lfs(existing, directory, lfs if template.lfs is None else lfs and template.lfs)
    if lfs:
        _require_lfs(directory, environ)
    planned = _planned(directory, template, example=example, lfs=lfs, uuid=uuid or str(uuid4()))
    _judge_places(directory, planned)
    repo = existing or _create(directory, environ)
    root = repo.require_worktree()
    written, kept = _write(root, planned, template.executable)
    settings = [*(_install_lfs(repo) if lfs else []), *_configure_notes(repo), *configure_driver(repo)]
    lacking = {name: missing for name in _LINES_MATTER if (missing := _lacking(root / name, planned[name]))}
    return Initialised(repo, existing is None, tuple(written), tuple(kept), tuple(settings), lacking, lfs)


def _existing(directory: Path, environ: Mapping[str, str]) -> Repository | None:
    """The repository whose top is `directory`; None when there is none around it."""
    if os.path.lexists(directory) and not directory.is_dir():
        raise StrataError(f"{printable(str(directory))} is not a directory.")
    start = directory
    while not start.is_dir():
        start = start.parent
    try:
        repo = Repository.discover(start, environ)
    except StrataError as error:
        if "is not in a git repository" in error.message:
            return None
        raise
    root = repo.require_worktree()
    if os.path.realpath(root) == os.path.realpath(directory):
        return repo
    raise StrataError(
        f"{printable(str(directory))} lies inside the repository {printable(str(root))}.",
        hint=f"Adopt that one: git strata init {printable(str(root))}\n"
        f"or make one of its own first: git init {printable(str(directory))}",
    )


def _wants_lfs(existing: Repository | None, directory: Path, asked: bool) -> bool:
    """What an existing strata.yaml says; else what was asked."""
    path = directory / SETTINGS
    if existing is None or path.is_symlink() or not path.is_file():
        return asked
    return load_settings(path.read_bytes()).lfs


def _require_lfs(directory: Path, environ: Mapping[str, str]) -> None:
    start = directory
    while not start.is_dir():
        start = start.parent
    if run(["git", "lfs", "version"], directory=start, env=acting_environment(environ, in_hook=False)).code != 0:
        raise StrataError(
            "Git LFS is not installed (the program git-lfs was not found).",
            hint="Install it: apt-get install git-lfs, dnf install git-lfs or brew install git-lfs\n"
            "or go without it, keeping all payload in Git itself: git strata init --no-lfs",
        )


def _planned(directory: Path, template: Template, *, example: bool, lfs: bool, uuid: str) -> dict[str, bytes]:
    """Path -> bytes of all that a workspace begins with; what the template brings goes before what all have."""
    from strata_git.load import dump_yaml

    source = folder("templates") / "workspace"
    names = {name: target for name, target in _TEMPLATES.items() if not template.bare or target in _NEEDED}
    planned = {target: (source / name).read_bytes() for name, target in names.items()}
    planned[".gitattributes"] = (source / ("gitattributes-lfs" if lfs else "gitattributes")).read_bytes()
    identity = dump_yaml({"schema": SCHEMA, "repository": uuid, "lfs": lfs})
    planned[SETTINGS] = (b"" if template.bare else _EDITED_BY) + identity + template.settings
    load_settings(planned[SETTINGS])  # what a template says beside it is refused here, not at the first commit
    if example:
        examples = sorted((source / "experiments").glob("*.yaml"))
        planned |= {f"experiments/{path.name}": path.read_bytes() for path in examples}
    if template.bare:
        return planned
    for pattern in ("*.md", "schemas/*.json"):
        texts = sorted(folder("tfc").glob(pattern))
        planned |= {f"tfc/{path.relative_to(folder('tfc')).as_posix()}": path.read_bytes() for path in texts}
    planned[PINNED] = f"{_PINNED_FOR}git-strata=={__version__}\n".encode()
    planned = _overlaid(planned, template, directory)
    for name in DIRECTORIES:
        filled = any(path.startswith(f"{name}/") for path in planned)
        if not filled and _is_empty(directory / name):
            planned[f"{name}/{KEEP}"] = b""
    return planned


def _overlaid(planned: Mapping[str, bytes], template: Template, directory: Path) -> dict[str, bytes]:
    """The template's files in place of ours, but that Git's own files hold the lines of both and contracts are ours.

    An artifact that is there already is left alone as a whole: a file more would make another one of it.
    """
    brought = {path: data for path, data in template.files.items() if not path.startswith("tfc/")}
    there = {
        artifact for path in brought if (artifact := artifact_of(path)) and not _is_empty(directory / artifact.path)
    }
    brought = {path: data for path, data in brought.items() if artifact_of(path) not in there}
    for name in _LINES_MATTER:
        if name in brought:
            brought[name] = planned[name].rstrip(b"\n") + b"\n\n" + brought[name]
    return {**planned, **brought}


def _is_empty(directory: Path) -> bool:
    return not directory.is_dir() or not any(directory.iterdir())


def _judge_places(directory: Path, planned: Mapping[str, bytes]) -> None:
    """Refuse a file or link in a directory's place, and anything but a file in a file's, before writing begins."""
    folders = {*DIRECTORIES, *(str(parent) for path in planned for parent in list(Path(path).parents)[:-1])}
    for name in sorted(folders):
        path = directory / name
        if path.is_symlink() or (os.path.lexists(path) and not path.is_dir()):
            raise StrataError(
                f"{printable(str(path))} must be a directory, and is not one.",
                hint="Move it away, then run this again.",
            )
    for name in planned:
        path = directory / name
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            raise StrataError(
                f"{printable(str(path))} must be a plain file, and is not one.",
                hint="Move it away, then run this again.",
            )


def _create(directory: Path, environ: Mapping[str, str]) -> Repository:
    made = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(directory, error) from None
    env = acting_environment(environ, in_hook=False)
    done: Result = run(["git", "init", "--quiet", "--initial-branch=main"], directory=directory, env=env)
    if done.code != 0:
        if made:
            directory.rmdir()
        raise StrataError(f"git init failed: {done.reason}")
    return Repository.discover(directory, environ)


def _write(root: Path, planned: Mapping[str, bytes], executable: Collection[str]) -> tuple[list[str], list[str]]:
    written, kept = [], []
    for name, data in planned.items():
        path = root / name
        if os.path.lexists(path):
            kept.append(name)
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(path.parent, error) from None
        write_file(path, data, 0o755 if name in executable else 0o644)
        written.append(name)
    return sorted(written), sorted(kept)


def _lacking(path: Path, wanted: bytes) -> tuple[str, ...]:
    """The lines of ours that a kept file lacks (comments apart, blanks folded)."""
    present = {" ".join(line.split()) for line in path.read_text(errors="replace").splitlines()}
    ours = (line for line in wanted.decode().splitlines() if line and not line.startswith("#"))
    return tuple(line for line in ours if line not in present)


def _install_lfs(repo: Repository) -> list[str]:
    """Git LFS's filters in the local configuration, and its hooks where no other hook or hooks directory is in use."""
    before = repo.try_git("config", "--local", "--get", "filter.lfs.process").out
    if repo.user_config("core.hooksPath") is None and repo.try_user_git("lfs", "install", "--local").code == 0:
        return [] if before else ["git lfs install --local"]
    repo.user_git("lfs", "install", "--local", "--skip-repo")
    return [] if before else ["git lfs install --local --skip-repo (hooks that were here stay as they are)"]


def _configure_notes(repo: Repository) -> list[str]:
    """Local settings by which event notes are fetched, shown, and kept when a commit is rewritten."""
    remotes = os.fsdecode(repo.git("remote")).splitlines()
    # a pattern, because fetching fails where a literal reference does not exist on the remote yet
    wanted = [(f"remote.{name}.fetch", f"+{NOTES}*:refs/notes/remotes/{name}/strata*") for name in remotes]
    # approvals have no such line: a fetch that prunes would take away those that are not published yet
    wanted += [("notes.displayRef", NOTES), ("notes.rewriteRef", NOTES)]
    made = []
    for key, value in wanted:
        present = repo.try_git("config", "--local", "--get-all", key)
        if value not in os.fsdecode(present.out).splitlines():
            repo.git("config", "--local", "--add", key, value)
            made.append(f"git config --add {key} '{value}'")
    return made
