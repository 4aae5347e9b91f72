"""`git strata service call`: ask a service that runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.serving.supervision.asking import Answer

KEY = "STRATA_API_KEY"
_LIMIT = 1 << 30
_KINDS = {".csv": "text/csv", ".arrow": "application/vnd.apache.arrow.stream"}


@click.command()
@click.argument("name")
@click.argument("body", metavar="[JSON]", required=False)
@click.option("--example", is_flag=True, help="Ask with the record that the service gives as an example.")
@click.option("--file", "file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True),
              help="Ask with a file: JSON, .csv or .arrow; - is standard input.")  # fmt: skip
@click.option("--url", metavar="URL", help="Where the service answers (default: the one that runs in this work tree).")
@click.option("--timeout", type=click.FloatRange(0.001), default=30.0, show_default=True, help="Seconds to wait.")
@format_option
@click.pass_obj
def command(
    session: Session, name: str, body: str | None, example: bool, file: Path | None, url: str | None, timeout: float,
    style: str,
) -> int:  # fmt: skip
    """Ask a service at /predict and print its answer, and where that comes from.

    JSON is {"records": [{"column": value}]}, or one record. Where the service asks who you are, your key is taken from
    the environment, STRATA_API_KEY. Exit code 2 where the service refuses.
    """
    if sum((body is not None, example, file is not None)) != 1:
        raise UsageError("Say what to ask.", hint=f"git strata service call {name} --example")
    url = url or _address(session, name)
    key = session.environ.get(KEY, "")
    headers = {"X-API-Key": key} if key else {}
    if example:
        data, kind = _example(url, headers, timeout), "application/json"
    elif file is not None:
        data, kind = _of_file(session, file)
    else:
        data, kind = _records(str(body).encode()), "application/json"
    from strata_git.serving.supervision.asking import ask

    answer = ask(url, "/predict", body=data, headers={**headers, "Content-Type": kind}, seconds=timeout)
    if not answer.is_fine:
        after = answer.headers.get("retry-after")
        hint = f"Ask again in {after} s" if after else "git strata service status"
        if answer.status in (401, 403):
            hint = f"{KEY}=... git strata service call {name} ..."
        raise StrataError(f"{answer.status}: {answer.complaint}", hint=hint, exit_code=2)
    _show(answer, style)
    return 0


def _address(session: Session, name: str) -> str:
    from strata_git.serving.supervision.state import read_state

    name = name.removeprefix("services/").rstrip("/")
    state = read_state(session.repository().require_worktree(), name)
    if state is None:
        raise StrataError(
            f"No service {printable(name)} runs in this work tree.", hint=f"git strata service run {printable(name)}"
        )
    return state.url


def _example(url: str, headers: dict[str, str], timeout: float) -> bytes:
    from strata_git.serving.supervision.asking import ask

    told = ask(url, "/prototype", headers=headers, seconds=timeout)
    if not told.is_fine:
        raise StrataError(f"{told.status}: {told.complaint}", hint="git strata service status", exit_code=2)
    body = _records(told.body)
    note(f"asked with {body.decode(errors='replace')}")
    return body


def _records(data: bytes) -> bytes:
    """The body of a request: one record becomes a list of one; everything else goes as it is."""
    from strata_git.load import Unloadable, load_json

    try:
        said = load_json(data).value
    except Unloadable as error:
        raise UsageError(f"This is no JSON: {error}.", hint="""'{"records": [{"column": 1.5}]}'""") from None
    if isinstance(said, dict) and not said.keys() & {"records", "columns", "dataframe_split", "inputs", "instances"}:
        return json.dumps({"records": [said]}).encode()
    return data


def _of_file(session: Session, file: Path) -> tuple[bytes, str]:
    if str(file) == "-":
        return sys.stdin.buffer.read(_LIMIT), "application/json"
    try:
        data = (session.cwd / file).read_bytes()
    except OSError as error:
        raise StrataError(f"{printable(str(file))} cannot be read: {error.strerror}.") from None
    kind = _KINDS.get(file.suffix.lower(), "application/json")
    return (_records(data) if kind == "application/json" else data), kind


def _show(answer: Answer, style: str) -> None:
    kind = answer.headers.get("content-type", "")
    if style == "json":
        body = json.loads(answer.body) if kind.startswith("application/json") else answer.body.decode(errors="replace")
        out_json({"schema": "strata/service-answer/v1", "answer": body, "provenance": answer.provenance})
        return
    if kind.startswith(("application/json", "text/")):
        out(answer.body.decode(errors="replace").rstrip("\n"))
    else:
        sys.stdout.buffer.write(answer.body)
    for name, value in answer.provenance.items():
        note(f"{name}: {value}")
