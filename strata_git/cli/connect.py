"""`git strata connect`: what there is in the sources that strata.yaml names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC
from itertools import islice
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.pipelines import configured, secrets_of, settings_options, working
from strata_git.cli.session import Session
from strata_git.errors import printable

if TYPE_CHECKING:
    from strata_git.pipeline.sources.connector import ResourceInfo

BATCH = 200
"""Lines that are lined up with each other; a listing is shown while it is still being read."""


@click.group()
def command() -> None:
    """Look into the sources of documents that strata.yaml names."""


@command.command("ls")
@click.argument("name")
@click.option("--select", metavar="GLOB", multiple=True, help="Names that fit this pattern only; again for more.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="But none that fit this one; again for more.")
@click.option("--limit", type=click.IntRange(min=1), help="No more than so many.")
@settings_options
@format_option
@click.pass_obj
def list_resources(
    session: Session,
    name: str,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    limit: int | None,
    overrides: tuple[str, ...],
    profile: str | None,
    style: str,
) -> None:
    """List what is in the connector NAME: names, sizes, times and marks of content.

    In a pattern `*` stays within a directory, `**` crosses them, and DIR/ stands for all that is in it.
    """
    from strata_git.pipeline.sources.catalog import connect

    root, settings = configured(session, overrides, profile)
    secrets = secrets_of(session, root, settings)
    with working(session, settings, secrets):
        source = connect(settings.pipelines, name, root=root, secrets=secrets, environ=session.environ)
        found = islice(source.list(select, exclude), limit)
        if style == "json":
            out_json({"schema": "strata/resources/v1", "connector": name, "resources": [plain(one) for one in found]})
        elif not _shown(found):
            note(f"connector {printable(name)}: nothing fits")


def plain(info: ResourceInfo) -> dict[str, object]:
    """What is known of a resource, as JSON has it."""
    return {
        "name": info.ref.name,
        "uri": info.ref.uri,
        "bytes": info.bytes,
        "modified": info.modified.astimezone(UTC).isoformat().replace("+00:00", "Z") if info.modified else None,
        "etag": info.etag or None,
        "version": info.version or None,
        "media_type": info.media_type or None,
    }


def _shown(found: Iterable[ResourceInfo]) -> int:
    count = 0
    for rows in _batches(found):
        lines = table(rows, ("name", "bytes", "modified", "etag")).split("\n")
        out("\n".join(lines if not count else lines[1:]))
        count += len(rows)
    return count


def _batches(found: Iterable[ResourceInfo]) -> Iterator[list[tuple[str, str, str, str]]]:
    rest = iter(found)
    while part := list(islice(rest, BATCH)):
        yield [
            (
                one.ref.name,
                "?" if one.bytes is None else str(one.bytes),
                f"{one.modified.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if one.modified else "",
                one.etag,
            )
            for one in part
        ]
