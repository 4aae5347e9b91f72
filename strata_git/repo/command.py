"""The hardened git runner: the one place from which git is started."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.repo.cache_place import own_cache
from strata_git.repo.discovery import discover
from strata_git.repo.environment import OVERRIDES, acting_environment, reading_environment
from strata_git.repo.objects import ObjectReader
from strata_git.repo.process import Result, run, started

_PREFIX = [part for setting in OVERRIDES for part in ("-c", setting)]
_LACKING = (b"from promisor remote", b"unable to read tree", b"not a tree object", b"bad object", b"missing")


class Repository:
    """A git repository, asked through the git executable.

    `worktree` is None in a bare repository. `git_dir` belongs to this work tree, `common_dir` to all of them.
    `environ` is the snapshot the caller took; this class reads no other.
    """

    def __init__(
        self,
        *,
        worktree: Path | None,
        git_dir: Path,
        common_dir: Path,
        object_format: str,
        environ: Mapping[str, str],
        in_hook: bool = False,
        safe: tuple[str, ...] = (),
    ) -> None:
        self.worktree = worktree
        self.git_dir = git_dir
        self.common_dir = common_dir
        self.object_format = object_format
        self.environ = environ
        self.in_hook = in_hook
        self._safe = safe
        self._read_env = reading_environment(environ, in_hook=in_hook)
        self._act_env = acting_environment(environ, in_hook=in_hook)
        self._reader: ObjectReader | None = None

    @classmethod
    def discover(cls, start: Path, environ: Mapping[str, str], *, in_hook: bool = False) -> Repository:
        """The repository around `start`.

        Raises StrataError when there is none, when it belongs to somebody else, or when git itself is missing.
        """
        return cls(environ=environ, in_hook=in_hook, **discover(start, environ, in_hook=in_hook))

    # -- running git -------------------------------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        """Where git is run: the work tree, or the git directory of a bare repository."""
        return self.worktree or self.git_dir

    def try_git(self, *args: str, input: bytes | None = None, env: Mapping[str, str] | None = None) -> Result:  # noqa: A002
        """Run a plumbing command in the hardened environment; any exit code is an answer."""
        safe = [part for value in self._safe for part in ("-c", f"safe.directory={value}")]
        return run(
            ["git", *_PREFIX, *safe, *args],
            directory=self.directory,
            env={**self._read_env, **env} if env else self._read_env,
            input=input,
        )

    def git(
        self,
        *args: str,
        input: bytes | None = None,  # noqa: A002
        ok: Collection[int] = (0,),
        env: Mapping[str, str] | None = None,
    ) -> bytes:
        """Standard output of a plumbing command; StrataError when its exit code is not among `ok`."""
        result = self.try_git(*args, input=input, env=env)
        if result.code not in ok:
            raise self._failure(args[0], result)
        return result.out

    def try_user_git(self, *args: str, input: bytes | None = None, env: Mapping[str, str] | None = None) -> Result:  # noqa: A002
        """Run a command that acts for the user, with the user's own configuration and hooks in force."""
        return run(
            ["git", *args],
            directory=self.directory,
            env={**self._act_env, **env} if env else self._act_env,
            input=input,
        )

    def start_git(self, *args: str, env: Mapping[str, str] | None = None) -> Callable[[], bytes]:
        """Start a plumbing command and go on; what is returned waits, and is then as `git`."""
        safe = [part for value in self._safe for part in ("-c", f"safe.directory={value}")]
        wait = started(
            ["git", *_PREFIX, *safe, *args],
            directory=self.directory,
            env={**self._read_env, **env} if env else self._read_env,
        )

        def finished() -> bytes:
            result = wait()
            if result.code != 0:
                raise self._failure(args[0], result)
            return result.out

        return finished

    def user_git(self, *args: str, input: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:  # noqa: A002
        """Standard output of a command that acts for the user; StrataError with git's own reason when it fails."""
        result = self.try_user_git(*args, input=input, env=env)
        if result.code != 0:
            raise StrataError(f"git {args[0]} failed: {result.reason}")
        return result.out

    # -- small questions -----------------------------------------------------------------------------------------

    def require_worktree(self) -> Path:
        """The work tree; StrataError in a bare repository."""
        if self.worktree is None:
            raise StrataError(
                f"{printable(str(self.git_dir))} is a bare repository: there is no work tree to write into.",
                hint="Run this in a clone: git clone REPOSITORY",
            )
        return self.worktree

    def resolve(self, revision: str) -> str | None:
        """The full object id of the commit that `revision` names (tags peeled), or None."""
        if not revision or "\n" in revision or "\0" in revision:
            return None
        result = self.try_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return result.out.decode().strip() if result.code == 0 else None

    def head(self) -> str | None:
        """The commit HEAD stands on; None when there is no commit yet."""
        name = "HEAD^{commit}"  # asked of the object reader: it runs anyway, and a commit's hook asks often
        row = dict(self.objects.lookup([name]))[name]
        return row[0] if row else None

    def user_config(self, key: str) -> str | None:
        """A setting as the user sees it (repository, global and system files)."""
        result = self.try_user_git("config", "--get", key)
        return os.fsdecode(result.out).rstrip("\n") if result.code == 0 else None

    def own_config(self, key: str) -> str | None:
        """A setting from the user's own files only, never from the repository's: for programs and keys."""
        for scope in ("--global", "--system"):
            result = self.try_user_git("config", scope, "--get", key)
            if result.code == 0:
                return os.fsdecode(result.out).rstrip("\n")
        return None

    @property
    def null_oid(self) -> str:
        """The all-zero object id of this repository's object format."""
        return "0" * (64 if self.object_format == "sha256" else 40)

    @cached_property
    def empty_tree(self) -> str:
        """The object id of the empty tree."""
        return self.git("hash-object", "-t", "tree", "--stdin", input=b"").decode().strip()

    @cached_property
    def cache_dir(self) -> Path:
        """Disposable state, shared by all work trees; empty where it came along with a copied git directory."""
        return own_cache(self.common_dir / "strata" / "cache")

    # -- objects -------------------------------------------------------------------------------------------------

    @property
    def objects(self) -> ObjectReader:
        """The long-lived `cat-file --batch` of this repository."""
        if self._reader is None or self._reader.closed:
            safe = [part for value in self._safe for part in ("-c", f"safe.directory={value}")]
            self._reader = ObjectReader(["git", *_PREFIX, *safe], directory=self.directory, env=self._read_env)
        return self._reader

    def write_object(self, kind: str, data: bytes) -> str:
        """Store an object (`blob`, `tag`, ...) as it is and return its id."""
        out = self.git("hash-object", "-w", "-t", kind, "--no-filters", "--stdin", input=data)
        oid = out.decode().strip()
        if self._reader is not None:
            self._reader.learn(oid)
        return oid

    def _failure(self, command: str, result: Result) -> StrataError:
        """Why a reading command failed; git's words for what a partial clone lacks tell nobody what to do."""
        lacks = any(words in result.err for words in _LACKING)
        if lacks and next((self.common_dir / "objects" / "pack").glob("*.promisor"), None):
            return StrataError(
                f"git {command} needs history that this partial clone does not have, and nothing is fetched unasked.",
                hint="Fetch it: git fetch --refetch --filter=blob:none, or all: git fetch --refetch --no-filter",
            )
        return StrataError(f"git {command} failed: {result.reason}")

    def close(self) -> None:
        """End the object reader, if there is one."""
        if self._reader is not None:
            self._reader.close()
