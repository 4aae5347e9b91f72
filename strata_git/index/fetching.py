"""Bringing what is needed of another repository: its published index, or its references without most of its files.

A stranger is talked to through three protocols only, without a hook, a prompt, a submodule or a checkout; it has so
much time and may send so many bytes. What is not a document of ours stays there (`--filter=blob:none`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from strata_git.contracts.layout import ROOTS, SETTINGS
from strata_git.errors import StrataError, printable
from strata_git.index.members import PROTOCOLS, Member, directory_of
from strata_git.repo.command import Repository
from strata_git.repo.environment import OVERRIDES
from strata_git.repo.files import write_file
from strata_git.repo.process import Result, run_within
from strata_git.repo.refs import list_refs

PUBLISHED = "refs/strata/index"
SECONDS = 120.0
MOST_BYTES = 1 << 30
"""Bytes that one member may take on the disk."""
ANSWER = 64 << 20
"""Bytes of a list of references."""
MOST_FILES = 500_000
_REFS = (
    "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+refs/strata/ledger/*:refs/strata/ledger/*",
    "+refs/strata/approvals/*:refs/strata/approvals/*", "+refs/strata/freshness/*:refs/strata/freshness/*",
    "+refs/notes/strata*:refs/notes/strata*",
)  # fmt: skip
_PLACES = (*ROOTS, SETTINGS, ".strata", ".gitattributes")
_CONFIG = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = {}\n"
_DOCUMENTS = (".yaml", ".yml", ".json", ".md", ".txt", ".asc", ".sig")
_SETTINGS = (
    "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false", "submodule.recurse=false",
    "fetch.recurseSubmodules=no", "fetch.writeCommitGraph=false", "transfer.bundleURI=false", "core.askPass=true",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one command may talk to a member, and how much that member may take on the disk."""

    seconds: float = SECONDS
    bytes: int = MOST_BYTES


def bring_member(repo: Repository, member: Member, *, objects: bool = False, limits: Limits | None = None) -> str:
    """Fetch what is needed of `member`; says what it was: `published` (its index alone) or `objects`.

    With `objects` the references are fetched even where there is an index. Nothing that was here is lost when it fails.
    Raises StrataError where the repository cannot be reached, is not one, takes too long or is too large.
    """
    link = _Link(repo, member, limits or Limits())
    there = link.ask()
    head, published = there.head, there.published
    fresh = not link.place.exists()
    try:
        link.prepare(there.object_format)
        if published:
            link.fetch([f"+{PUBLISHED}:{PUBLISHED}"], "--no-filter")
        else:
            link.forget(PUBLISHED)
        if published and not objects:
            return "published"
        link.fetch(_REFS, "--prune", "--filter=blob:none")
        if head:
            link.git("symbolic-ref", "HEAD", head)
        link.documents()
    except BaseException:
        if fresh:
            shutil.rmtree(link.place, ignore_errors=True)
        raise
    return "objects"


def open_member(repo: Repository, member: Member) -> Repository | None:
    """What was fetched of `member`; None where nothing was."""
    place = directory_of(repo, member)
    if not (place / "objects").is_dir():
        return None
    inner = Repository.discover(place, repo.environ)
    if inner.git_dir.resolve() != place.resolve():  # git goes on to the directories above, where this repository is
        raise StrataError("it is damaged.", hint=f"git strata federate fetch {member.name}")
    return inner


@dataclass(frozen=True, slots=True)
class _There:
    """What a repository says of itself: the reference that HEAD stands for and the id of its published index (`""`:
    none), and how its object ids are made."""

    head: str
    published: str
    object_format: str


@dataclass(frozen=True, slots=True)
class _Link:
    """One member, and the way in which it is talked to."""

    repo: Repository
    member: Member
    limits: Limits

    @property
    def place(self) -> Path:
        return directory_of(self.repo, self.member)

    def ask(self) -> _There:
        """What HEAD is there, and whether an index is published."""
        words = ("ls-remote", "--symref", "--end-of-options", self.member.url, "HEAD", PUBLISHED)
        env = {**self._environ(), "GIT_DIR": os.devnull}  # this repository's settings name programs, too
        result = self._answered(self._within(["git", *_configured(), *words], self.repo.common_dir, env, ()))
        head = published = ""
        longest = 40
        for line in os.fsdecode(result.out).split("\n"):
            oid, _, name = line.partition("\t")
            if oid.startswith("ref: refs/heads/") and name == "HEAD":
                head = oid.removeprefix("ref: ")
                continue
            longest = max(longest, len(oid))
            if name == PUBLISHED:
                published = oid
        return _There(head, published, "sha256" if longest == 64 else "sha1")

    def prepare(self, object_format: str) -> None:
        """An empty repository that knows where the rest is, unless there is one; its settings are written anew."""
        self.place.mkdir(parents=True, exist_ok=True)
        words = ["init", "--quiet", "--bare", "--template=", f"--object-format={object_format}"]
        self.repo.git(*words, "--", str(self.place))
        write_file(self.place / "config", _CONFIG.format(object_format).encode())
        for key, value in (("url", self.member.url), ("promisor", "true"), ("partialclonefilter", "blob:none")):
            self.git("config", f"remote.origin.{key}", value)

    def fetch(self, specs: Sequence[str], *options: str) -> None:
        """Fetch references as they are there; those that vanished go when `--prune` is said."""
        usual = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
        self._talk(self.place, "fetch", *usual, *options, "--stdin", "origin", specs=specs)

    def documents(self) -> None:
        """Fetch the documents of the artifacts at the tips of all branches, as far as they are not here."""
        wanted = dict.fromkeys(self._listed())
        if len(wanted) > MOST_FILES:
            raise self._refused(f"it has {len(wanted)} documents, more than {MOST_FILES}")
        here = set(self.git("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)").split())
        missing = [oid for oid in wanted if oid.encode() not in here]
        if missing:
            self.fetch(missing, "--filter=blob:none")

    def forget(self, ref: str) -> None:
        """Take away a reference that is no longer there."""
        self._run("update-ref", "-d", ref)

    def git(self, *words: str) -> bytes:
        """Run a command in the member's own directory here, without talking to anybody."""
        result = self._run(*words)
        if result.code != 0:
            raise self._refused(result.reason)
        return result.out

    def _listed(self) -> Iterable[str]:
        inner = Repository.discover(self.place, self.repo.environ)
        try:
            for tip in dict.fromkeys(ref.oid for ref in list_refs(inner, "refs/heads/")):
                out = inner.git("ls-tree", "-r", "-z", "--full-tree", tip, "--", *_PLACES)
                for row in out.split(b"\0")[:-1]:
                    meta, _, path = row.partition(b"\t")
                    mode, _, oid = meta.decode().split(" ")
                    name = os.fsdecode(path)
                    if mode in ("100644", "100755") and (name.endswith(_DOCUMENTS) or not name.startswith(ROOTS)):
                        yield oid
        finally:
            inner.close()

    def _run(self, *words: str) -> Result:
        env = {**self._environ(), "GIT_ALLOW_PROTOCOL": "none", "GIT_CONFIG_GLOBAL": "/dev/null"}
        return self._within(["git", *_configured(), "--git-dir=.", *words], self.place, env, ())

    def _talk(self, directory: Path, *words: str, specs: Sequence[str] = ()) -> Result:
        command = ["git", *_configured(), "--git-dir=.", *words]
        return self._answered(self._within(command, directory, self._environ(), specs))

    def _answered(self, result: Result) -> Result:
        if result.code != 0:
            raise self._refused(result.reason)
        return result

    def _within(self, command: list[str], directory: Path, env: dict[str, str], specs: Sequence[str]) -> Result:
        given = "".join(f"{spec}\n" for spec in specs).encode()
        try:
            result = run_within(command, directory=directory, env=env, seconds=self.limits.seconds, most=ANSWER,
                                watch=self._watch(), input=given)  # fmt: skip
        except StrataError as error:
            raise self._refused(error.message.removesuffix(".")) from None
        if too_large := self._watch()():
            raise self._refused(too_large)
        return result

    def _watch(self) -> Callable[[], str]:
        def too_large() -> str:
            size = _size(self.place / "objects")
            return f"it takes more than {self.limits.bytes} bytes here" if size > self.limits.bytes else ""

        return too_large

    def _refused(self, reason: str) -> StrataError:
        place = printable(self.member.place)
        secret = self.member.url != self.member.place
        told = reason.replace(self.member.url, self.member.place) if secret else reason
        return StrataError(
            f"{self.member.name} ({place}) could not be fetched: {printable(told)}.",
            hint=f"Nobody is asked for a password here. Try it yourself: git ls-remote {place}",
        )

    def _environ(self) -> dict[str, str]:
        """The user's own configuration and agents, but nobody to ask and few protocols to speak."""
        environ = self.repo.environ
        kept = {name: value for name, value in environ.items() if not name.startswith(("GIT_", "SSH_ASKPASS"))}
        kept |= {name: environ[name] for name in _KEPT if name in environ}
        kept |= {
            "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS), "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true",
            "SSH_ASKPASS_REQUIRE": "never", "GCM_INTERACTIVE": "never", "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C",
        }  # fmt: skip
        if "GIT_SSH_COMMAND" not in kept and "GIT_SSH" not in kept:
            kept["GIT_SSH_COMMAND"] = f"{self.repo.own_config('core.sshCommand') or 'ssh'} -oBatchMode=yes"
        return kept


_KEPT = (
    "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO",
)  # fmt: skip


def _configured() -> list[str]:
    settings = (*_SETTINGS, *(each for each in OVERRIDES if each.startswith(("core.hooksPath", "protocol."))))
    return [part for setting in settings for part in ("-c", setting)]


def _size(directory: Path) -> int:
    total = 0
    for folder, _, files in os.walk(directory):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:  # a temporary pack that has its name by now
                continue
    return total
