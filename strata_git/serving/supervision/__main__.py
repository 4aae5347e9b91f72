"""`python -m strata_git.serving.supervision`, a rehearsal: whether a version would pass the gate, tried in a process of
its own before the one that answers is disturbed. It says what a model-service says, and ends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from strata_git.errors import StrataError


def main(words: Sequence[str] | None = None) -> int:
    """Open the version and say what came of it: one line of JSON on standard output; the exit code."""
    from strata_git.serving.loading import close_model
    from strata_git.serving.supervision.opening import load_at, refusal_steps, steps_of

    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    given = _parser().parse_args(words)
    try:
        loaded = load_at(given.repository, given.service, dict(os.environ), given.set, given.model)
    except StrataError as error:
        steps = refusal_steps(error)
        step = steps[-1][0] if steps else ""
        told = {"message": error.message, "hint": error.hint, "step": step, "steps": _rows(steps)}
        _say("refused", told)
        return error.exit_code
    about = {"provenance": loaded.provenance.as_json(), "event": loaded.event, "steps": _rows(steps_of(loaded))}
    close_model(loaded.model)  # before anybody hears of it, and ends this process: a model in R has processes and files
    _say("ready", about)
    return 0


def _say(what: str, told: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps({what: told}) + "\n")
    sys.stdout.flush()


def _rows(steps: Sequence[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "verdict": verdict, "message": message} for name, verdict, message in steps]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m strata_git.serving.supervision", description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="the work tree whose ledger has the model")
    parser.add_argument("--service", required=True, help="the service's name in that work tree")
    parser.add_argument("--model", required=True, help="the version or stage to try")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="a setting in place of the file's")
    return parser


if __name__ == "__main__":
    sys.exit(main())
