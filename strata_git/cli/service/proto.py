"""`git strata service proto`: the interface between a service's parts, for clients and servers in other languages."""

from __future__ import annotations

from pathlib import Path

import click

from strata_git.cli.output import note, out
from strata_git.cli.session import Session
from strata_git.errors import StrataError, printable


@click.command()
@click.option("--out", "target", metavar="FILE", type=click.Path(path_type=Path), help="Write it to this new file.")
@click.pass_obj
def command(session: Session, target: Path | None) -> None:
    """Print the .proto of the interface: the Open Inference Protocol, version 2.

    Every service speaks it; a client in any language is generated from it. For Python, none is needed: see
    docs/deploying-services.md.
    """
    from strata_git.serving.oip import proto_text

    if target is None:
        out(proto_text().rstrip("\n"))
        return
    from strata_git.repo.files import write_file

    path = session.cwd / target
    if path.exists() or path.is_symlink():
        raise StrataError(f"{printable(str(target))} is there already.", hint="Name a file that is not there yet.")
    if not path.parent.is_dir():
        raise StrataError(f"There is no directory {printable(str(path.parent))}.")
    write_file(path, proto_text().encode())
    note(f"wrote {target}")
