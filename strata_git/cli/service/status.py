"""`git strata service status`: which services run here, what they serve, and what stands against more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session

if TYPE_CHECKING:
    from strata_git.serving.supervision.state import State


@click.command()
@click.argument("name", required=False)
@format_option
@click.pass_obj
def command(session: Session, name: str | None, style: str) -> int:
    """Show the services that run in this work tree, or one of them. The services themselves are asked, too.

    Exit code 1 where NAME does not run, or one that is shown does not answer.
    """
    from strata_git.serving.supervision.asking import is_ready
    from strata_git.serving.supervision.state import list_states, read_state

    root = session.repository().require_worktree()
    if name is None:
        states = list_states(root)
    else:
        found = read_state(root, name.removeprefix("services/").rstrip("/"))
        states = (found,) if found is not None else ()
    asked = [(state, is_ready(state.url)) for state in states]
    if style == "json":
        out_json({"schema": "strata/service-status/v1", "services": [_as_json(*one) for one in asked]})
    elif not asked:
        note(f"No service {name} runs in this work tree." if name else "No service runs in this work tree.")
    elif name is None:
        rows = [(one.name, _word(ready), _version(one), one.url, str(one.pid)) for one, ready in asked]
        out(table(rows, ("service", "state", "model", "address", "process")))
    else:
        _tell(*asked[0])
    return 1 if (name and not asked) or any(not ready for _, ready in asked) else 0


def _as_json(state: State, ready: bool) -> dict[str, object]:
    return {
        "name": state.name, "pid": state.pid, "since": state.since, "mode": state.mode, "url": state.url,
        "grpc": state.grpc, "ready": ready, "reason": state.reason, "model": state.model, "event": state.event,
        "provenance": dict(state.provenance), "children": list(state.children),
        "steps": [{"name": name, "verdict": verdict, "message": message} for name, verdict, message in state.steps],
    }  # fmt: skip


def _tell(state: State, ready: bool) -> None:
    said = state.provenance
    lines = {
        "state": _word(ready), "reason": state.reason, "serves": state.model, "answers": _version(state),
        "event": str(said.get("event", "")), "signer": str(said.get("signer", "")), "mode": state.mode,
        "address": state.url, "grpc": state.grpc, "since": state.since, "process": str(state.pid),
        "children": ", ".join(map(str, state.children)),
    }  # fmt: skip
    for label, text in lines.items():
        if text:
            out(f"{label:<9}{text}")
    for step, verdict, message in state.steps:
        out(f"  {step:<8} {verdict}{f': {message}' if message else ''}")


def _word(ready: bool) -> str:
    return "ready" if ready else "not ready"


def _version(state: State) -> str:
    said = state.provenance
    return f"{said.get('model', '')}@{said.get('version', '')}" if said else ""
