"""Repositories with a ledger of any length: models made by `git fast-import`, events signed by gpg itself."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.repositories import CREATED, SETTINGS, Place, environment
from strata_git.integrity import checksums
from strata_git.ledger.names import EventName
from strata_git.ledger.record import Record, format_message, format_tag

REPOSITORY = SETTINGS.decode().split("repository: ")[1].split("\n")[0]
WHO = "Ada Measurer <ada@example.org>"
PER_VERSION = 5
"""Events of one version: registered, into staging, out of it, its predecessor out of production, into production."""


@dataclass(slots=True)
class Line:
    """The events of one model, as they are written: the last tag object and the highest number."""

    model: str
    versions: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    """Version number -> commit, tree, digest."""
    prev: str | None = None
    seq: int = 0
    when: int = CREATED


@dataclass(slots=True)
class Book:
    """A repository with a signed ledger, to which events can be added."""

    place: Place
    key: str
    lines: list[Line]
    archived: int = 0

    def archive_next(self) -> None:
        """One more event: a version that production let go of is archived. SystemExit when there is none left."""
        line = self.lines[self.archived % len(self.lines)]
        version = 1 + self.archived // len(self.lines)
        if version >= len(line.versions):
            raise SystemExit("every version is archived")
        self.archived += 1
        _write(self.place, [_signed(self, line, _move(line, version, "experimental", "archived"))])


def ledger(base: Path, label: str, models: int, versions: int) -> Book:
    """A packed repository in which each version of each model was in production once: models x versions x 5 events."""
    home = base / "keys"
    place = Place(base / label, {**environment(base), "GNUPGHOME": str(home)})
    place.path.mkdir()
    place.git("init", "--quiet")
    if not home.exists():
        home.mkdir(mode=0o700)
        place.run("gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "",
                  "--quick-generate-key", WHO, "ed25519", "sign", "never")  # fmt: skip
    listed = place.run("gpg", "--batch", "--with-colons", "--list-keys").decode().split("\n")
    key = next(line.split(":")[9] for line in listed if line.startswith("fpr:"))
    lines = [Line(f"net-{number:02}") for number in range(models)]
    place.git("fast-import", "--quiet", stdin=b"".join(_commits(lines, versions)))
    place.git("reset", "--hard", "--quiet", "main")
    _note_versions(place, lines, versions)
    book = Book(place, key, lines)
    with ThreadPoolExecutor(2) as pool:
        written = pool.map(lambda line: [_signed(book, line, event) for event in _story(line, versions)], lines)
        _write(place, [tag for tags in written for tag in tags])
    place.git("pack-refs", "--all")
    place.git("repack", "-adq")
    count = place.git("for-each-ref", "refs/tags").count(b"\n")
    if count != models * (versions * PER_VERSION - 1):  # the first one displaces nobody
        raise SystemExit(f"{label}: {count} events")
    return book


def stop_agents(base: Path) -> None:
    """End the agent that the keys were made with."""
    place = Place(base, {**environment(base), "GNUPGHOME": str(base / "keys")})
    if (base / "keys").exists():
        place.run("gpgconf", "--kill", "all")


def _commits(lines: list[Line], versions: int) -> Iterator[bytes]:
    for number in range(1, versions + 1):
        for line in lines:
            yield f"commit refs/heads/main\ncommitter {WHO} {CREATED} +0000\ndata 5\nModel\n".encode()
            if number == 1 and line is lines[0]:
                yield b"M 100644 inline strata.yaml\ndata %d\n%s\n" % (len(SETTINGS), SETTINGS)
            for path, data in _version(line.model, number).items():
                place = f"models/{line.model}/v{number}/{path}".encode()
                yield b"M 100644 inline %s\ndata %d\n%s\n" % (place, len(data), data)


def _version(model: str, number: int) -> dict[str, bytes]:
    files = {
        "card.md": f"# {model}\n".encode(),
        "metadata.yaml": f"kind: model\nname: {model}\nversion: v{number}\n".encode(),
    }
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    return {**files, "CHECKSUMS.txt": checksums.render(digests)}


def _note_versions(place: Place, lines: list[Line], versions: int) -> None:
    commits = iter(place.git("rev-list", "--reverse", "main").decode().split())
    found = [(line, number, next(commits)) for number in range(1, versions + 1) for line in lines]
    asked = "".join(f"{commit}:models/{line.model}/v{number}\n" for line, number, commit in found)
    trees = place.git("cat-file", "--batch-check=%(objectname)", stdin=asked.encode()).decode().split()
    for (line, number, commit), tree in zip(found, trees, strict=True):
        digest = checksums.digest(_version(line.model, number)["CHECKSUMS.txt"])
        line.versions[number] = (commit, tree, digest)


@dataclass(frozen=True, slots=True)
class _Event:
    name: EventName
    record: Record


def _story(line: Line, versions: int) -> Iterator[_Event]:
    for number in range(1, versions + 1):
        yield _move(line, number, None, "experimental")
        yield _move(line, number, "experimental", "staging")
        yield _move(line, number, "staging", "production", leaving=True)
        if number > 1:
            yield _move(line, number - 1, "production", "experimental", leaving=True)
        yield _move(line, number, "staging", "production")


def _move(line: Line, number: int, origin: str | None, target: str, *, leaving: bool = False) -> _Event:
    commit, tree, digest = line.versions[number]
    line.when += 60
    if origin is None:
        name = EventName(line.model, version=f"v{number}")
    else:
        line.seq += 1
        name = EventName(line.model, stage=(origin or "") if leaving else target, leaving=leaving, seq=line.seq)
    record = Record(
        repo=REPOSITORY, model=line.model, version=f"v{number}", origin=origin, target=target, seq=name.seq, prev=None,
        commit=commit, tree=tree, digest=digest, judged_at=commit, issued_at="2026-01-05T12:00:00Z",
    )  # fmt: skip
    return _Event(name, record)


_Tag = tuple[str, str, bytes]
"""Name, object id, bytes."""


def _signed(book: Book, line: Line, event: _Event) -> _Tag:
    record = replace(event.record, prev=line.prev)
    payload = format_tag(
        record.commit, event.name.tag, WHO, line.when, format_message(f"{record.version} moves", "", record)
    )
    words = ("gpg", "--batch", "--quiet", "--local-user", book.key, "--armor", "--detach-sign")
    data = payload + book.place.run(*words, stdin=payload)
    line.prev = hashlib.sha1(b"tag %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return event.name.tag, line.prev, data


def _write(place: Place, tags: list[_Tag]) -> None:
    folder = place.path / ".git/new-tags"
    folder.mkdir(exist_ok=True)
    paths = []
    for at, (_, _, data) in enumerate(tags):
        paths.append(folder / str(at))
        paths[-1].write_bytes(data)
    made = place.git("hash-object", "-w", "-t", "tag", "--no-filters", "--stdin-paths",
                     stdin="".join(f"{path}\n" for path in paths).encode()).decode().split()  # fmt: skip
    if made != [oid for _, oid, _ in tags]:
        raise SystemExit("git has other ids for the tags")
    heads = {name.split("@")[0].split("#")[0]: oid for name, oid, _ in tags}
    updates = [f"create refs/tags/{name} {oid}\n" for name, oid, _ in tags]
    updates += [f"update refs/strata/ledger/{model} {oid}\n" for model, oid in heads.items()]
    place.git("update-ref", "--stdin", stdin="".join(updates).encode())
    subprocess.run(("rm", "-r", str(folder)), check=True)
