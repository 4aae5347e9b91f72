"""From the list of members to one federation: every index built or read, and what is doubtful about each said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from strata_git.config import Settings, SettingsError, load_settings
from strata_git.contracts.layout import CHECKSUMS, SETTINGS
from strata_git.errors import StrataError
from strata_git.index.build import build
from strata_git.index.federation import Federation, MemberDoubt, Part
from strata_git.index.fetching import Limits, bring_member, open_member
from strata_git.index.members import HERE, Member, read_members, require_member, update_member
from strata_git.index.published import Published, read_published
from strata_git.index.receiving import receiving_keys
from strata_git.index.records import Index
from strata_git.ledger.signing import Verifier
from strata_git.repo.command import Repository
from strata_git.repo.refs import list_refs

_SHOWN = 5


def fetch_members(
    repo: Repository, names: Sequence[str] = (), *, objects: bool = False, limits: Limits | None = None,
    now: datetime | None = None,
) -> Iterator[tuple[Member, str]]:  # fmt: skip
    """Fetch the members that are named, or all: each with the error that it ended in (`""`: none), one by one."""
    known = read_members(repo)
    for name in names:
        require_member(known, name)
    for member in (known[name] for name in names or sorted(known)):
        try:
            source = bring_member(repo, member, objects=objects, limits=limits)
        except StrataError as error:
            yield member, error.message
            continue
        moment = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
        update_member(repo, member, fetched=moment, source=source)
        yield member, ""


def assemble(repo: Repository, settings: Settings, verifier: Verifier | None = None) -> Federation:
    """This repository and every member that was fetched, as one; nobody is talked to.

    Published indexes count by the keys that count here (policy or keyring). What cannot be used, lies, or pretends to
    be another repository is told as a doubt, and never ends the command.
    """
    keys = verifier or receiving_keys(repo, settings.repository)
    parts = [Part(HERE, "", HERE, build(repo), repository=settings.repository)]
    doubts: list[MemberDoubt] = []
    for name, member in sorted(read_members(repo).items()):
        told = partial(MemberDoubt, member=name)
        inner: Repository | None = None
        try:
            inner = open_member(repo, member)
            if inner is None:
                doubts.append(told("warning", message="was never fetched: git strata federate fetch"))
                continue
            part, found = _part(repo, inner, member, keys)
        except (StrataError, ValueError, KeyError, RecursionError) as error:
            reason = error.message if isinstance(error, StrataError) else f"it is damaged ({type(error).__name__})"
            doubts.append(told("error", message=f"cannot be used: {reason}"))
            continue
        finally:
            if inner is not None:
                inner.close()
        doubts += [told(severity, message=message) for severity, message in found]
        if part is not None:
            parts.append(part)
    return Federation(tuple(parts), (*doubts, *_impostors(parts)))


def _part(
    repo: Repository, inner: Repository, member: Member, keys: Verifier
) -> tuple[Part | None, list[tuple[str, str]]]:
    """One member and what there is to say of it, as (severity, message)."""
    published = read_published(inner, keys)
    told = [] if published is None else _of_published(published)
    if member.source != "published" and list_refs(inner, "refs/heads/"):
        index = replace(build(inner)) if inner.head() else Index()  # all of it now: the repository is closed after
        if published is not None and not published.flaw:
            told += list(_lies(published.index, index, (inner, repo)))
        identity = _identity(inner)
        return Part(member.name, member.place, "objects", index, repository=identity, fetched=member.fetched), told
    if published is None or published.record is None or published.flaw:
        return None, told or [("warning", "has neither a branch nor a published index")]
    told += list(_lies(published.index, None, (inner, repo)))
    part = Part(
        member.name, member.place, "published", published.index, published.trusted, published.signature,
        published.record.repo, member.fetched,
    )  # fmt: skip
    return part, told


def _of_published(published: Published) -> list[tuple[str, str]]:
    if published.flaw:
        return [("error", f"its published index says nothing: {published.flaw}")]
    told = []
    if not published.trusted:
        who = published.signature
        state = f"the signature is {who.status}" if who is not None else "nobody signed it"
        told.append(("warning", f"its published index is unverified: {state}"))
    if published.left_out:
        told.append(("warning", f"{published.left_out} entries of its published index cannot be read"))
    return told


def _lies(claimed: Index, built: Index | None, repos: Iterable[Repository]) -> Iterator[tuple[str, str]]:
    """Where an index and the objects that are here differ: a tree id names content, whoever says what it holds."""
    places = {f"{record.tree}:{CHECKSUMS}": record for record in claimed.artifacts if record.digest is not None}
    wrong: dict[str, None] = {}
    for repo in repos:
        for name, row in repo.objects.lookup(places):
            record = places[name]
            if row is not None and f"sha256:{hashlib.sha256(row[2]).hexdigest()}" != record.digest:
                wrong[record.reference] = None
    if wrong:
        yield "error", f"its published index lies about the digest of {_listed(wrong)}"
    if built is not None and built.revision == claimed.revision:
        trees = {record.reference: record.tree for record in built.artifacts}
        said = {record.reference: record.tree for record in claimed.artifacts}
        if other := [name for name in sorted(trees.keys() | said.keys()) if trees.get(name) != said.get(name)]:
            yield "error", f"its published index lies about what its commit holds: {_listed(other)}"


def _impostors(parts: Sequence[Part]) -> Iterator[MemberDoubt]:
    """Two repositories that give themselves one identity: a copy, or one that pretends."""
    seen: dict[str, str] = {}
    for part in parts:
        if part.repository and part.repository in seen:
            twin = seen[part.repository]
            message = f"gives itself the identity {part.repository}, as {twin} does: a copy, or a forgery"
            yield MemberDoubt("warning", part.name, message)
        seen.setdefault(part.repository, part.name)


def _identity(repo: Repository) -> str:
    """The UUID in the settings at HEAD; none where they cannot be read."""
    row = dict(repo.objects.lookup([f"HEAD:{SETTINGS}"]))[f"HEAD:{SETTINGS}"]
    try:
        return load_settings(row[2]).repository if row is not None and row[1] == "blob" else ""
    except SettingsError:
        return ""


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
