"""`python -m strata_git.serving.model_service`: one model behind the gate, on a socket.

It says one line of JSON on standard output: `{"ready": {"provenance": …, "signature": …, "address": …}}`, or
`{"refused": {"step": …, "message": …, "hint": …, "steps": […]}}`, which ends it with exit code 2. Where its standard
input is a pipe, the end of that ends it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from strata_git.errors import MissingExtra, StrataError
from strata_git.serving.polling import settle_polling

if TYPE_CHECKING:
    from strata_git.contracts.service import Service
    from strata_git.serving.gate import Loaded

_LOOK_EVERY = 1.0
"""Seconds between two looks whether a prediction does not end."""


def main(words: Sequence[str] | None = None) -> int:
    """Open, serve until asked to stop; the exit code."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    settle_polling(os.environ)
    given = _parser().parse_args(words)
    stop = _stopping()
    try:
        loaded, service = _opened(given, os.environ)
        running = _serving(loaded, service, given)
    except StrataError as error:
        _say({"refused": _refusal(error)})
        return error.exit_code
    said = {**_about(loaded), "address": f"unix:{given.socket}" if given.socket else f"{given.host}:{running.port}"}
    _say({"ready": said})
    while not stop.wait(_LOOK_EVERY):
        if running.is_stuck:  # a thread cannot be ended, a process can; whoever started this begins another
            sys.stderr.write("a prediction does not end: the process does\n")
            sys.stderr.flush()
            os._exit(1)
    running.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m strata_git.serving.model_service", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--repository", type=Path, help="the work tree whose ledger has the model")
    source.add_argument("--bundle", type=Path, help="a bundle, in an image; its digest is STRATA_BUNDLE")
    parser.add_argument("--service", default="", help="the service's name in that work tree")
    parser.add_argument("--model", default="", help="a version or stage in place of the service's")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="a setting in place of the file's")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket", default="", help="path of the Unix socket to answer on")
    place.add_argument("--port", type=int, help="port to answer on (0: any)")
    parser.add_argument("--host", default="127.0.0.1", help="address of that port")
    for name, words in (("key", "private key"), ("certificate", "certificate"), ("ca", "who may ask (mutual TLS)")):
        parser.add_argument(f"--tls-{name}", type=Path, help=f"PEM file for TLS: {words}")
    return parser


def _stopping() -> Event:
    """Set by SIGTERM and SIGINT, and when whoever started this is gone. The second time ends at once."""
    stop = Event()

    def asked(number: int, _frame: Any) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    with suppress(OSError):
        if stat.S_ISFIFO(os.fstat(0).st_mode) or stat.S_ISSOCK(os.fstat(0).st_mode):
            Thread(target=_until_alone, args=(stop,), name="parent", daemon=True).start()
    return stop


def _until_alone(stop: Event) -> None:
    """Standard input is a pipe that says nothing: it ends when the process at its other end does, however it ends."""
    with suppress(OSError):
        while os.read(0, 4096):
            continue
    if not stop.is_set():
        os.kill(os.getpid(), signal.SIGTERM)


def _opened(given: argparse.Namespace, environ: Mapping[str, str]) -> tuple[Loaded, Service]:
    if given.bundle is not None:
        return _of_bundle(given.bundle, environ)
    from strata_git.repo.command import Repository
    from strata_git.serving.gate import open_model
    from strata_git.serving.project.project import demands, open_project
    from strata_git.serving.supervision.watch import read_settings

    repo = Repository.discover(given.repository, environ)
    try:
        project = open_project(repo, given.service, environ=environ, overrides=given.set)
        loaded = open_model(repo, read_settings(repo), given.model or project.service.model, demands=demands(project))
    finally:
        repo.close()
    return loaded, project.service


def _of_bundle(directory: Path, environ: Mapping[str, str]) -> tuple[Loaded, Service]:
    from strata_git.serving.bundle import load_bundle, read_bundle
    from strata_git.serving.gate import NotServed, Step
    from strata_git.serving.image.entry import VARIABLE

    try:
        bundle = read_bundle(directory, environ.get(VARIABLE, ""))
    except MissingExtra:
        raise
    except StrataError as error:  # a bundle that is not what it must be is the first step's refusal
        raise NotServed(str(directory), (Step("bundle", "refused", error.message),), error.hint) from error
    return load_bundle(bundle), bundle.service


def _serving(loaded: Loaded, service: Service, given: argparse.Namespace) -> Any:
    from strata_git.serving.backends.grpc import Tls
    from strata_git.serving.model_service.server import start_server
    from strata_git.serving.model_service.servicer import Asked, Servicer

    limits = service.api.limits
    asked = Asked(service.runtime.batch, limits, service.runtime.nan)
    servicer = Servicer(loaded.model, loaded.provenance, asked, log=lambda text: sys.stderr.write(f"{text}\n"))
    address = f"unix:{given.socket}" if given.socket else f"{given.host}:{given.port}"
    files = (given.tls_ca, given.tls_key, given.tls_certificate)
    tls = Tls(*(path.read_bytes() if path else b"" for path in files)) if given.tls_key else None
    return start_server(servicer, address, limits=limits, tls=tls)


def _about(loaded: Loaded) -> dict[str, object]:
    from strata_git.serving.columns import signature_json

    steps = [{"name": one.name, "verdict": one.verdict, "message": one.message} for one in loaded.steps]
    return {
        "provenance": loaded.provenance.as_json(), "signature": signature_json(loaded.model.signature), "steps": steps,
        "event": loaded.event, "pid": os.getpid(), "rowwise": getattr(loaded.model, "rowwise", True),
    }  # fmt: skip


def _refusal(error: StrataError) -> dict[str, object]:
    from strata_git.serving.gate import NotServed

    told: dict[str, object] = {"message": error.message, "hint": error.hint, "step": "", "steps": []}
    if isinstance(error, NotServed):
        steps = [{"name": one.name, "verdict": one.verdict, "message": one.message} for one in error.steps]
        told |= {"step": error.step, "steps": steps}
    return told


def _say(value: Mapping[str, object]) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
