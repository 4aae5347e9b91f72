"""`python -m strata_git.serving.api_service --bundle DIR`: a service in an image, without Git and without a ledger.

What answers was fixed when the image was made. The bundle's digest must be the one in the environment (STRATA_BUNDLE);
its model is in this process, or behind `--model` (gRPC: `unix:/run/strata/model.sock`, `host:port`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError
from strata_git.serving.api_service.beside import beside, end_with_parent
from strata_git.serving.polling import settle_polling
from strata_git.serving.supervision.server import (
    Stopping,
    address_of,
    bind,
    bind_path,
    heard,
    http_server,
    require_server,
    run_loop,
    serve_until_asked,
)

if TYPE_CHECKING:
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.bundle import Bundle
    from strata_git.serving.router import Router

_LOG = logging.getLogger("strata.serving")
_PAUSE = 0.2


def main(words: Sequence[str] | None = None) -> int:
    """Serve until asked to stop; the exit code."""
    from strata_git.serving.logs import service_log

    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    settle_polling(os.environ)
    given = _parser().parse_args(words)
    form = os.environ.get("STRATA_LOG_FORMAT", "json")
    with service_log("human" if form == "human" else "json", os.environ.get("STRATA_LOG_LEVEL", "info")):
        try:
            require_server()
            bundle = _bundle(given.bundle)
            listening = bind_path(Path(given.uds)) if given.uds else bind(given.host, given.port)
            with contextlib.closing(listening):
                run_loop(lambda: _serve(bundle, given, listening))
        except StrataError as error:
            _LOG.error("%s%s", error.message, f" {error.hint}" if error.hint else "")
            return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m strata_git.serving.api_service", description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, help="the bundle's directory")
    parser.add_argument("--model", default="", metavar="TARGET", help="where a model-service with the bundle answers")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--uds", default="", metavar="PATH", help="the Unix socket to answer on")
    place.add_argument("--port", type=int, default=8080, help="the port to answer on (0: any)")
    parser.add_argument("--host", default="127.0.0.1", help="the address of that port")
    parser.add_argument("--grpc-port", type=int, help="the port for gRPC (default: none)")
    parser.add_argument("--any-host", action="store_true", help="answer under any name, even without api.auth")
    for kind, words in (("canary", "answers so many of the requests"), ("shadow", "sees so many of them, unheard")):
        parser.add_argument(
            f"--{kind}", action="append", default=[], type=_share, metavar="PERCENT:TARGET",
            help=f"another model-service, which {words}",
        )  # fmt: skip
    return parser


def _share(text: str) -> tuple[int, str]:
    percent, _, target = text.partition(":")
    if not (percent.isascii() and percent.isdigit() and int(percent) <= 100 and target):
        raise argparse.ArgumentTypeError("is not PERCENT:TARGET")
    return int(percent), target


def _bundle(directory: Path) -> Bundle:
    from strata_git.serving.bundle import read_bundle
    from strata_git.serving.image.entry import VARIABLE

    return read_bundle(directory, os.environ.get(VARIABLE, ""))


async def _serve(bundle: Bundle, given: argparse.Namespace, listening: socket.socket) -> None:
    from strata_git.serving.api.app import create_app
    from strata_git.serving.router import Router

    stopping, service = Stopping(), bundle.service
    drain = service.api.limits.drain_ms / 1000
    with heard(stopping):
        router = Router(await _backend(bundle, given.model))
        # where nobody has to say who asks, only this machine's names are answered (TFC-0012 4.3): a port is published
        hosts = ("*",) if given.any_host else ()
        app = create_app(service, router, card=bundle.card, golden=bundle.golden, root=given.bundle, hosts=hosts)
        front = None
        if given.grpc_port is not None:
            from strata_git.serving.grpc_front import start_front

            shared = app.context
            front = await start_front(
                service, router, shared.authenticator, host=given.host, port=given.grpc_port,
                observe=shared.observe, keep=shared.keep,
            )  # fmt: skip
        endings: list[asyncio.Task[Any]] = []

        def begin_to_end() -> None:
            app.state.draining = True
            _LOG.info("asked to stop: what is under way is answered, and nothing more is taken")
            if front is not None:
                endings.append(asyncio.ensure_future(front.stop(drain)))

        end_with_parent(stopping)
        place = given.uds or f"http://{address_of(listening)}"
        announcing = asyncio.ensure_future(_announce(bundle, given, router, place, stopping))
        await serve_until_asked(http_server(app, drain=drain), [listening], stopping, before=begin_to_end)
        announcing.cancel()
        await asyncio.gather(announcing, *endings, return_exceptions=True)
        await router.close()


async def _backend(bundle: Bundle, target: str) -> Backend:
    limits = bundle.service.api.limits
    if target:
        from strata_git.serving.backends.grpc import GrpcBackend

        batch = bundle.service.runtime.batch if not bundle.code else None  # code of one's own may mix rows
        return GrpcBackend(target, bundle.signature, bundle.provenance, batch=batch, limits=limits)
    from strata_git.serving.backends.in_process import InProcess
    from strata_git.serving.bundle import load_bundle

    loaded = await asyncio.to_thread(load_bundle, bundle)
    return InProcess(loaded.model, loaded.provenance, bundle.service.runtime.batch, limits)


async def _announce(bundle: Bundle, given: argparse.Namespace, router: Router, place: str, stopping: Stopping) -> None:
    """Say that requests are answered, once they are: to people, and as JSON to whoever started this."""
    while not await router.ready():
        if stopping.asked.is_set():
            return
        await asyncio.sleep(_PAUSE)
    if given.canary or given.shadow:
        canaries = [(await beside(target, bundle.service.api.limits), share) for share, target in given.canary]
        shadows = [(await beside(target, bundle.service.api.limits), share) for share, target in given.shadow]
        await router.set_routes(canaries=canaries, shadows=shadows)
    said = {"ready": {"address": place, "provenance": bundle.provenance.as_json(), "pid": os.getpid()}}
    sys.stdout.write(f"ready {place}\n{json.dumps(said)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
