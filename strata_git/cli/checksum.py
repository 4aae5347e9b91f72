"""`git strata checksum`: lists of SHA-256, for artifacts and for any directory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from strata_git.cli.output import format_option, note, out
from strata_git.cli.session import Session
from strata_git.errors import StrataError, printable


@click.command()
@click.argument("places", nargs=-1, metavar="[PATH]...")
@click.option("--print", "only_print", is_flag=True, help="Print sha256sum lines of any directory; write nothing.")
@format_option
@click.pass_obj
def command(session: Session, places: tuple[str, ...], only_print: bool, style: str) -> None:
    """Write or repair CHECKSUMS.txt, content_hash and split counts of unreleased artifacts.

    PATH is an artifact, or a directory above some; without PATH all that are not committed yet.
    """
    if only_print:
        print_sums(os.fspath(session.cwd), places or (".",), style)
        return
    from strata_git.authoring.checksum import seal_directory
    from strata_git.authoring.targets import named_artifacts, work_artifacts
    from strata_git.doctor.subject import commit_subject

    repo = session.repository()
    known = [artifact for artifact in work_artifacts(repo) if artifact.kind != "service"]
    if places:
        wanted = named_artifacts(repo, places, cwd=session.cwd, known=known)
    else:
        head = repo.head()
        released = commit_subject(repo, head).artifacts if head else {}
        wanted = [artifact for artifact in known if artifact not in released]
    sealed = [seal_directory(repo, artifact) for artifact in wanted]
    if style == "json":
        from strata_git.cli.output import out_json

        rows = [
            {"ref": each.artifact.reference, "path": each.artifact.path, "digest": each.digest}
            | {"content_hash": each.content_hash, "files": each.files, "bytes": each.bytes}
            | {"changed": list(each.changed)}
            for each in sealed
        ]
        out_json({"schema": "strata/checksum/v1", "artifacts": rows})
        return
    for each in sealed:
        told = f"wrote {', '.join(each.changed)}" if each.changed else "nothing to do"
        out(f"{each.artifact.reference}  {each.digest}  {told}")
    if not sealed:
        note("There are no uncommitted artifacts.")


def print_sums(cwd: str, places: tuple[str, ...], style: str) -> None:
    """sha256sum's lines for all regular files in or below `places`, by path; links are left out, with a word."""
    from strata_git.integrity.digest import sha256_files

    names = [name for place in places for name in _regular_files(cwd, place)]
    found = sha256_files([os.path.join(cwd, name) for name in names])
    pairs = [(name, hex_) for name, (_, hex_, _) in zip(names, found, strict=True)]
    if style == "json":
        from strata_git.cli.output import out_json

        files = [{"path": printable(name), "sha256": hex_} for name, hex_ in pairs]
        out_json({"schema": "strata/checksum/v1", "files": files})
        return
    text = "".join([_line(name, hex_) for name, hex_ in pairs])
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(text))
    sys.stdout.buffer.flush()


def _regular_files(cwd: str, place: str) -> list[str]:
    full = os.path.join(cwd, place)
    if os.path.isfile(full):
        return [place]
    if not os.path.isdir(full):
        raise StrataError(f"{printable(place)} is neither a file nor a directory.")
    prefix = "" if os.path.normpath(place) == "." else place.rstrip("/") + "/" if place.strip("/") else "/"
    skipped: list[str] = []
    found = sorted(_walk(full, prefix, skipped))
    if skipped:
        note(f"left out {len(skipped)} links and special files, such as {skipped[0]}")
    return found


def _walk(directory: str, prefix: str, skipped: list[str]) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    yield prefix + entry.name
                elif entry.is_dir(follow_symlinks=False):
                    yield from _walk(entry.path, f"{prefix}{entry.name}/", skipped)
                else:
                    skipped.append(prefix + entry.name)
    except OSError as error:
        raise StrataError(f"{printable(directory)} cannot be read: {error.strerror}.") from None


def _line(name: str, hex_: str) -> str:
    if "\\" in name or "\n" in name or "\r" in name:  # as sha256sum writes them, so that it can check them
        escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        return f"\\{hex_}  {escaped}\n"
    return f"{hex_}  {name}\n"
