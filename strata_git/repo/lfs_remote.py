"""Which large files a remote holds: asked of its Git LFS server, and only when somebody says so.

A remote on this machine is looked into; any other is asked by the Git LFS batch API (operation `download`), which
tells what could be fetched and sends no content.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.environment import acting_environment
from strata_git.repo.lfs import Pointer
from strata_git.repo.process import run

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

AT_ONCE = 100
"""Objects asked for in one request, as git-lfs does."""
ANSWER_LIMIT = 32 << 20
TIMEOUT = 30.0

_JSON = "application/vnd.git-lfs+json"
_SCP = re.compile(r"(?:([^@/\s]+@)?)([^:/\s\[\]]+|\[[0-9a-fA-F:]+\]):(?!//|:)(.+)")


@dataclass(frozen=True, slots=True)
class Presence:
    """What a remote answered: `place` is what was asked, `missing` maps oids that it does not have to its words."""

    place: str
    asked: int
    missing: Mapping[str, str]


def remote_presence(
    repo: Repository, remote: str, pointers: Collection[Pointer], *, progress: Callable[[int], None] | None = None
) -> Presence:
    """Ask `remote` (a configured name) which of `pointers` it lacks; no object is transferred.

    `progress` is told the number of objects answered for. Raises StrataError when the remote cannot be asked.
    """
    wanted = list({pointer.oid: pointer for pointer in pointers}.values())
    url = _remote_url(repo, remote)
    if (store := local_store(url, repo.directory)) is not None:
        return Presence(str(store), len(wanted), _missing_files(store, wanted))
    server = _Server.of(repo, remote, url)
    missing: dict[str, str] = {}
    for at in range(0, len(wanted), AT_ONCE):
        part = wanted[at : at + AT_ONCE]
        missing |= server.lacks(part)
        if progress is not None:
            progress(len(part))
    return Presence(server.place, len(wanted), missing)


def local_store(url: str, directory: Path) -> Path | None:
    """Where a remote on this machine keeps large files; None for one elsewhere."""
    if url.startswith("file://"):
        path = Path(unquote(urlsplit(url).path))
    elif "://" in url or (_SCP.fullmatch(url) and not os.path.lexists(directory / url)):
        return None
    else:
        path = directory / url
    if not path.is_dir():
        raise StrataError(f"The remote {printable(url)} is not there.", hint="git remote -v")
    bare = (path / "objects").is_dir() and (path / "HEAD").is_file()
    return (path if bare else path / ".git") / "lfs" / "objects"


def endpoint_of(url: str) -> str:
    """The LFS server that belongs to a Git remote over HTTP: git-lfs's own rule."""
    plain = url.rstrip("/")
    return f"{plain}/info/lfs" if plain.endswith(".git") else f"{plain}.git/info/lfs"


def _remote_url(repo: Repository, remote: str) -> str:
    url = repo.user_config(f"remote.{remote}.url") if remote and not remote.startswith("-") else None
    if not url:
        names = repo.try_git("remote").out.decode(errors="replace").split()
        known = f"Known here: {', '.join(names)}" if names else "git remote add origin URL"
        raise StrataError(f"There is no remote '{printable(remote)}'.", hint=known)
    return url


def _missing_files(store: Path, wanted: Collection[Pointer]) -> dict[str, str]:
    missing = {}
    for pointer in wanted:
        try:
            size = (store / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid).stat().st_size
        except OSError:
            missing[pointer.oid] = "is not there"
            continue
        if size != pointer.size:
            missing[pointer.oid] = f"has {size} bytes there, {pointer.size} are expected"
    return missing


class _Server:
    """One LFS server; `headers` are what it wants to see with each request."""

    def __init__(self, repo: Repository, endpoint: str, headers: Mapping[str, str], opener: OpenerDirector) -> None:
        self._repo = repo
        self._endpoint = endpoint.rstrip("/")
        self._headers = dict(headers)
        self._opener = opener

    @classmethod
    def of(cls, repo: Repository, remote: str, url: str) -> _Server:
        """The server of a remote: as configured, as ssh tells, or by git-lfs's rule."""
        said = repo.user_config(f"remote.{remote}.lfsurl") or repo.user_config("lfs.url") or _lfsconfig(repo)
        headers: dict[str, str] = {}
        endpoint = said or url
        if not endpoint.startswith(("http://", "https://")):
            endpoint, headers = _by_ssh(repo, endpoint)
        elif said is None:
            endpoint = endpoint_of(url)
        endpoint, login = _without_login(endpoint)
        return cls(repo, endpoint, {**login, **headers}, _opener(repo.environ))

    @property
    def place(self) -> str:
        """The address, without what is secret in it."""
        return self._endpoint

    def lacks(self, wanted: Collection[Pointer]) -> dict[str, str]:
        """oid → why, for each of `wanted` that cannot be fetched from here."""
        body = {
            "operation": "download",
            "transfers": ["basic"],
            "hash_algo": "sha256",
            "objects": [{"oid": pointer.oid, "size": pointer.size} for pointer in wanted],
        }
        answer = self._ask(json.dumps(body).encode())
        rows = answer.get("objects")
        told = {row.get("oid"): row for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}
        found = {}
        for pointer in wanted:
            if (why := _why_not(told.get(pointer.oid), pointer)) is not None:
                found[pointer.oid] = why
        return found

    def _ask(self, body: bytes) -> Mapping[str, Any]:
        status, data = self._post(body)
        if status == 401 and "Authorization" not in self._headers:
            self._headers |= _credentials(self._repo, self._endpoint)
            status, data = self._post(body)
        if status in (401, 403):
            raise StrataError(
                f"{printable(self.place)} does not let you in ({status}).",
                hint="git lfs fetch --dry-run works where your credentials do; see gitcredentials(7).",
            )
        if status != 200:
            raise StrataError(f"{printable(self.place)} answered {status} to the Git LFS batch request.")
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise StrataError(f"{printable(self.place)} answered with something that is not Git LFS.")
        return answer

    def _post(self, body: bytes) -> tuple[int, bytes]:
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import Request

        headers = {"Accept": _JSON, "Content-Type": _JSON, **self._headers}
        request = Request(f"{self._endpoint}/objects/batch", data=body, headers=headers, method="POST")  # noqa: S310 - http or https only
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                return response.status, response.read(ANSWER_LIMIT)
        except HTTPError as error:
            with error:
                return error.code, b""
        except (OSError, HTTPException, ValueError) as error:
            why = getattr(error, "reason", None) or error
            raise StrataError(f"{printable(self.place)} cannot be asked: {printable(str(why))}.") from None


def _why_not(row: Mapping[str, Any] | None, pointer: Pointer) -> str | None:
    if row is None:
        return "the server says nothing of it"
    error = row.get("error")
    if isinstance(error, dict):
        return f"{error.get('code', '')} {error.get('message', '')}".strip() or "the server has an error for it"
    actions = row.get("actions")
    if not isinstance(actions, dict) or "download" not in actions:
        return "the server offers no download"
    if row.get("size") not in (None, pointer.size):
        return f"has {row['size']} bytes there, {pointer.size} are expected"
    return None


def _lfsconfig(repo: Repository) -> str | None:
    """`lfs.url` of the file .lfsconfig, which git-lfs reads too; an address, never a program."""
    if repo.worktree is None:
        return None
    result = repo.try_git("config", "--file", str(repo.worktree / ".lfsconfig"), "--get", "lfs.url")
    said = os.fsdecode(result.out).strip() if result.code == 0 else ""
    return said if said.startswith(("http://", "https://")) else None


def _by_ssh(repo: Repository, url: str) -> tuple[str, dict[str, str]]:
    """Address and headers that `git-lfs-authenticate` on the other side tells (git-lfs's way for ssh remotes)."""
    target, port, path = _ssh_target(url)
    options = ["-p", port] if port else []
    command = ["ssh", "-o", "BatchMode=yes", *options, "--", target, f"git-lfs-authenticate {_quoted(path)} download"]
    done = run(command, directory=repo.directory, env=acting_environment(repo.environ, in_hook=False))
    try:
        said = json.loads(done.out) if done.code == 0 else {}
        href, headers = said["href"], said.get("header") or {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StrataError(
            f"{printable(url)} does not tell where its large files are: {done.reason}.",
            hint="Set it: git config lfs.url https://...",
        ) from None
    if not isinstance(href, str) or not href.startswith(("http://", "https://")) or not isinstance(headers, dict):
        raise StrataError(f"{printable(url)} tells no usable Git LFS address.")
    return href, {str(name): str(value) for name, value in headers.items()}


def _ssh_target(url: str) -> tuple[str, str, str]:
    if url.startswith(("ssh://", "git+ssh://", "ssh+git://")):
        parts = urlsplit(url)
        user = f"{parts.username}@" if parts.username else ""
        host, port, path = f"{user}{parts.hostname or ''}", str(parts.port or ""), unquote(parts.path)
    elif match := _SCP.fullmatch(url):
        host, port, path = f"{match[1] or ''}{match[2].strip('[]')}", "", match[3]
    else:
        host = port = path = ""
    if not host or host.startswith("-") or not path or any(ord(letter) < 32 for letter in url):
        raise StrataError(f"{printable(url)} is no address that Git LFS is asked at (http, https, ssh or a path).")
    return host, port, path


def _quoted(path: str) -> str:
    """For the shell on the other side."""
    import shlex

    return shlex.quote(path.lstrip("/") if path.startswith("/~") else path)


def _without_login(url: str) -> tuple[str, dict[str, str]]:
    """The address without name and password, and the header that stands for them."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, {}
    bare = parts.netloc.rpartition("@")[2]
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return urlunsplit(parts._replace(netloc=bare)), _basic(login)


def _basic(login: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(login.encode()).decode()}


def _credentials(repo: Repository, url: str) -> dict[str, str]:
    """What the user's own credential helpers know; the repository's configuration is not asked, nobody is prompted."""
    parts = urlsplit(url)
    asked = f"protocol={parts.scheme}\nhost={parts.netloc}\npath={quote(parts.path.lstrip('/'))}\n\n"
    environ = {**acting_environment(repo.environ, in_hook=False), "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true"}
    done = run(["git", "credential", "fill"], directory=Path("/"), env=environ, input=asked.encode())
    told = dict(line.split("=", 1) for line in done.out.decode(errors="replace").splitlines() if "=" in line)
    if done.code != 0 or not told.get("password"):
        return {}
    return _basic(f"{told.get('username', '')}:{told['password']}")


def _opener(environ: Mapping[str, str]) -> OpenerDirector:
    """HTTP with the proxies of the environment's snapshot."""
    from urllib.request import ProxyHandler, build_opener

    proxies = {}
    for scheme in ("http", "https"):
        said = environ.get(f"{scheme}_proxy") or (environ.get("HTTPS_PROXY") if scheme == "https" else None)
        if said:
            proxies[scheme] = said
    return build_opener(ProxyHandler(proxies))
