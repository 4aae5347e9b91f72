"""`git strata federate`: several repositories, asked as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.contracts.layout import KINDS
from strata_git.errors import StrataError, UsageError

if TYPE_CHECKING:
    from strata_git.index.federation import Federation, Found

_HEADS = ("REPOSITORY", "ARTIFACT", "STAGE", "METRICS", "DESCRIPTION")


@click.group(short_help="Ask several repositories as one.")
def command() -> None:
    """Ask several repositories as one: what there is, what came from what, by digest and not by name.

    The list of repositories is yours (`.git/strata/federation/`). Of each, its own signed index is fetched where it
    publishes one, and otherwise its references and the documents of its artifacts: never a checkout.
    """


_objects = click.option(
    "--objects", is_flag=True, help="Fetch the references even where an index is published, and compare both."
)
_seconds = click.option(
    "--timeout", type=click.FloatRange(1, 86400), default=120, show_default=True, help="Seconds for each step of one."
)
_megabytes = click.option(
    "--limit", type=click.IntRange(1, 1 << 20), default=1024, show_default=True,
    help="MiB that one repository may take on the disk.",
)  # fmt: skip


@command.command("add")
@click.argument("place", metavar="PATH|URL")
@click.option("--name", help="What to call it.  [default: the last part of the place]")
@click.option("--no-fetch", is_flag=True, help="Only put it on the list.")
@_objects
@_seconds
@_megabytes
@click.pass_obj
def add(
    session: Session, place: str, name: str | None, no_fetch: bool, objects: bool, timeout: float, limit: int
) -> int:
    """Put a repository on the list, and fetch what is needed of it."""
    from strata_git.index.members import add_member, remove_member

    member = add_member(session.repository(), place, name, cwd=session.cwd)
    if no_fetch:
        note(f"Next: git strata federate fetch {member.name}")
        return 0
    if not _fetch(session, (member.name,), objects, timeout, limit):
        return _doubts(_federation(session), member.name)
    remove_member(session.repository(), member.name)
    raise StrataError(f"{member.name} was not added.", hint="To put it on the list all the same: --no-fetch")


@command.command("fetch")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_objects
@_seconds
@_megabytes
@click.pass_obj
def fetch(session: Session, names: tuple[str, ...], objects: bool, timeout: float, limit: int) -> int:
    """Fetch again what is needed of all repositories, or of those named.

    Ends with 2 when one could not be fetched; the others are fetched all the same.
    """
    failed = _fetch(session, names, objects, timeout, limit)
    return 2 if failed else _doubts(_federation(session))


def _fetch(session: Session, names: tuple[str, ...], objects: bool, timeout: float, limit: int) -> int:
    """How many could not be fetched; each is told."""
    from strata_git.index.federate import fetch_members
    from strata_git.index.fetching import Limits

    failed = 0
    limits = Limits(timeout, limit << 20)
    for member, error in fetch_members(session.repository(), names, objects=objects, limits=limits):
        note(error or f"{member.name}: fetched")
        failed += bool(error)
    return failed


@command.command("remove")
@click.argument("name")
@click.pass_obj
def remove(session: Session, name: str) -> None:
    """Take a repository off the list, with all that was fetched of it."""
    from strata_git.index.members import remove_member

    note(f"{remove_member(session.repository(), name).name} is off the list")


@command.command("list")
@click.argument("kind", required=False, type=click.Choice(list(KINDS)))
@format_option
@click.pass_obj
def list_(session: Session, kind: str | None, style: str) -> int:
    """List the repositories, or all their artifacts of one kind."""
    from strata_git.index.federation_told import members_document, part_text
    from strata_git.index.members import read_members

    federation = _federation(session)
    if kind is not None:
        return _show(federation, federation.artifacts(KINDS[kind]), style)
    members = [member for _, member in sorted(read_members(session.repository()).items())]
    if style == "json":
        out_json(members_document(members, federation))
        return _doubts(federation, quiet=True)
    parts = {part.name: part for part in federation.parts}
    rows = [
        (member.name, str(len(part.index.artifacts)) if part else "-", part_text(part) if part else "not usable",
         member.fetched or "never", member.place)
        for member, part in ((member, parts.get(member.name)) for member in members)
    ]  # fmt: skip
    if rows:
        out(table(rows, ("NAME", "ARTIFACTS", "INDEX", "FETCHED", "PLACE")))
    else:
        note("No repository is on the list: git strata federate add PATH|URL")
    return _doubts(federation)


@command.command("index")
@format_option
@click.pass_obj
def index(session: Session, style: str) -> int:
    """Count what all repositories hold together; as JSON, the whole: artifacts, links, stages."""
    from strata_git.index.federation_told import federation_document
    from strata_git.index.members import read_members

    federation = _federation(session)
    if style == "json":
        members = [member for _, member in sorted(read_members(session.repository()).items())]
        out_json(federation_document(members, federation))
        return _doubts(federation, quiet=True)
    counted = {root: sum(1 for _ in federation.artifacts(kind)) for root, kind in KINDS.items()}
    told = ", ".join(f"{number} {root}" for root, number in counted.items())
    across = sum(link.source.partition(":")[0] != link.target.partition(":")[0] for link in federation.links)
    out(f"{len(federation.parts)} repositories: {told}; {across} links from one to another")
    return _doubts(federation)


@command.command("search")
@click.argument("text")
@format_option
@click.pass_obj
def search(session: Session, text: str, style: str) -> int:
    """Find artifacts of all repositories by name, description or metric; case does not matter."""
    wanted = text.casefold()
    federation = _federation(session)
    found = (
        each for each in federation.artifacts()
        if any(wanted in said.casefold() for said in (each.record.reference, each.record.description,
                                                      *each.record.metrics))
    )  # fmt: skip
    return _show(federation, found, style)


@command.command("whois")
@click.argument("digest", metavar="SHA256")
@format_option
@click.pass_obj
def whois(session: Session, digest: str, style: str) -> int:
    """Tell which artifacts have this digest, content hash, model file or output (8 digits or more).

    Ends with 2 when none does.
    """
    federation = _federation(session)
    found = federation.holding(_digits(digest))
    code = _show(federation, found, style)
    if not found:
        note("no repository of this federation knows it")
        return 2
    return code


@command.command("stages")
@format_option
@click.pass_obj
def stages(session: Session, style: str) -> int:
    """Tell which version of each model is in which stage, in every repository."""
    from strata_git.index.federation_told import stages_document

    federation = _federation(session)
    if style == "json":
        out_json(stages_document(federation))
        return _doubts(federation, quiet=True)
    rows = [
        (part.name + ("" if part.trusted else " (unverified)"), event.model.reference, event.stage, event.date,
         "" if event.sound else "DOES NOT COUNT")
        for part, event in federation.stages()
    ]  # fmt: skip
    if rows:
        out(table(rows, ("REPOSITORY", "MODEL", "STAGE", "SINCE", "")))
    return _doubts(federation)


@command.command("lineage")
@click.argument("reference", metavar="[NAME:]REF")
@click.option("--down", is_flag=True, help="What came of it, in place of what it came from.")
@format_option
@click.pass_obj
def lineage(session: Session, reference: str, down: bool, style: str) -> int:
    """Trace an artifact across repositories: what has the same digest is the same."""
    from strata_git.index.federation_told import way_document, way_text

    federation = _federation(session)
    way = federation.trace([federation.select(reference).id], backwards=not down)
    if style == "json":
        out_json(way_document(federation, way))
    else:
        out(way_text(way, backwards=not down))
    broken = any(link.matches is False for link in way.links)
    return max(_doubts(federation, quiet=style == "json"), 2 if broken else 0)


@command.command("impact")
@click.argument("what", metavar="SHA256|[NAME:]REF")
@click.option(
    "--fail-on", type=click.Choice(["production"]), help="End with 2 when something in production descends from it."
)
@format_option
@click.pass_obj
def impact(session: Session, what: str, fail_on: str | None, style: str) -> int:
    """Tell what descends from an artifact, or from whatever holds this digest, in every repository."""
    from strata_git.index.federation_told import way_document, way_text

    federation = _federation(session)
    start = [found.id for found in federation.holding(what)] if _is_digest(what) else [federation.select(what).id]
    way = federation.trace(start, backwards=False)
    placed = list(federation.stages())
    touched = [(part, event) for part, event in placed if f"{part.name}:{event.model.reference}" in way.nodes]
    live = [(part, event) for part, event in touched if event.stage == "production"]
    if style == "json":
        out_json(way_document(federation, way, touched))
    elif not start:
        note("no repository of this federation knows it")
    else:
        out(way_text(way, backwards=False))
        told = ", ".join(f"{part.name}:{event.model.reference}" for part, event in live)
        note(f"in production: {told or 'nothing'}")
    return 2 if live and fail_on else _doubts(federation, quiet=style == "json")


@command.command("publish")
@click.option("--key", default="", help="Who signs: a GPG fingerprint or an SSH key.  [default: as git signs]")
@format_option
@click.pass_obj
def publish(session: Session, key: str, style: str) -> None:
    """Sign the index of HEAD and put it under refs/strata/index, for federations of others.

    It holds what `git strata index --format json` prints: metadata and digests, no file of yours.
    """
    from strata_git.cli.promote import terminal
    from strata_git.index.fetching import PUBLISHED
    from strata_git.index.published import publish as sign_index

    record = sign_index(session.repository(), session.settings(), key=key, terminal=terminal())
    if style == "json":
        out_json(record.as_json())
    note(f"{PUBLISHED} holds the index of {record.revision[:12]}.")
    note(f"Next: git push origin +{PUBLISHED}")


def _federation(session: Session) -> Federation:
    from strata_git.index.federate import assemble

    return assemble(session.repository(), session.settings())


def _show(federation: Federation, found: Iterable[Found], style: str) -> int:
    from strata_git.index.federation_told import artifact_rows, artifacts_document

    listed = list(found)
    if style == "json":
        out_json(artifacts_document(federation, listed))
        return _doubts(federation, quiet=True)
    if listed:
        out(table(artifact_rows(listed), _HEADS))
    return _doubts(federation)


def _doubts(federation: Federation, member: str = "", *, quiet: bool = False) -> int:
    """Tell what is doubtful (about one member alone, where it is named): 2 for errors, 1 for warnings."""
    told = [doubt for doubt in federation.doubts if member in ("", doubt.member)]
    for doubt in told if not quiet else ():
        note(f"{doubt.severity}: {doubt.member} {doubt.message}")
    severities = {doubt.severity for doubt in told}
    return 2 if "error" in severities else 1 if severities else 0


def _is_digest(text: str) -> bool:
    digits = text.removeprefix("sha256:").lower()
    return 8 <= len(digits) <= 64 and not set(digits) - set("0123456789abcdef")


def _digits(text: str) -> str:
    if not _is_digest(text):
        raise UsageError("A SHA-256 is 64 hexadecimal digits; its first 8 or more will do.")
    return text
