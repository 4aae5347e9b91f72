"""The live site: read-only, on this machine only, for whoever asks under this machine's own name.

A page of some foreign site may make a browser ask us (DNS rebinding, embedded scripts), so the Host header must be
ours, answers may not be embedded elsewhere, and there is nothing to be changed by any request.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from strata_git.dashboard.page import POLICY
from strata_git.dashboard.reading import Reader, state_of
from strata_git.dashboard.site import TYPES, Site
from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.index.build import build
from strata_git.index.export import index_document
from strata_git.index.vouch import Verifier
from strata_git.load import dump_json
from strata_git.repo.command import Repository

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
API = "api/index.json"
HEADERS = {
    "content-security-policy": f"{POLICY}; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "private, no-cache",
}
_QUERY = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: `body` is None where the asker has it already (304)."""

    code: int
    body: bytes | None = None
    type: str = "text/plain; charset=utf-8"
    etag: str = ""


@dataclass(slots=True)
class Live:
    """A repository's site as it is now: read anew when its references have moved, one reader at a time."""

    repo: Repository
    revision: str = "HEAD"
    verifier: Verifier | None = None
    title: str = ""
    _lock: Lock = field(default_factory=Lock)
    _state: str = ""
    _site: Site | None = None
    _index: bytes | None = None

    def answer(self, address: str, query: str = "", known: str = "") -> Answer:
        """What stands at `address`; `known` is the asker's If-None-Match."""
        with self._lock:
            try:
                return self._answer(address or "index.html", query[:_QUERY], known)
            except StrataError as error:
                return Answer(503, f"{printable(error.message)}\n{printable(error.hint)}\n".encode())

    def _answer(self, address: str, query: str, known: str) -> Answer:
        state = self._now()
        etag = f'"{state[:32]}"'
        if etag in (word.strip().removeprefix("W/") for word in known.split(",")):
            return Answer(304, etag=etag)
        site = self._site if state == self._state else None
        if site is None:
            site = self._read()
            etag = f'"{self._state[:32]}"'
        if address == API:
            self._index = self._index or dump_json(self._content())
            return Answer(200, self._index, "application/json", etag)
        body = site.read(address, query)
        if body is None:
            return Answer(404, b"There is no such page.\n")
        return Answer(200, body, TYPES.get(address.rpartition(".")[2], "application/octet-stream"), etag)

    def _read(self) -> Site:
        """Read the repository.

        The state is asked before reading, so that what moves meanwhile is seen by the next request. Reading may raise
        the high-water mark, which is a part of the state: then it is read once more.
        """
        for _ in range(2):
            self._state = self._now()
            site = self._site = self.made()
            self._index = None
            if self._now() == self._state:
                break
        return site

    def _now(self) -> str:
        """A name for all that the pages depend on."""
        return state_of(self.repo, self.revision)

    def made(self) -> Site:
        """The site as it is now, read anew."""
        return Site(Reader(self.repo, self.revision, self.verifier, title=self.title))

    def _content(self) -> Mapping[str, object]:
        """All of it as data."""
        return index_document(build(self.repo, self.revision))


class Guard:
    """Lets in who asks for this machine by its own name, and puts our headers on every answer."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] != "http":
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *ours]}
            await send(message)

        named = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        if len(named) != 1 or named[0] not in self._hosts:
            from starlette.responses import PlainTextResponse

            await PlainTextResponse("This is not the host you asked for.\n", 421)(scope, receive, told)
            return
        await self._app(scope, receive, told)


def application(live: Live, port: int) -> ASGIApp:
    """The ASGI application that answers for `live` on `port`. Raises MissingExtra without FastAPI."""
    try:
        from fastapi import FastAPI
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response as Plain
    except ImportError:
        raise MissingExtra("dashboard", "The live dashboard") from None
    app = FastAPI(title="git-strata dashboard", openapi_url=None, docs_url=None, redoc_url=None)

    async def page(request: Request) -> Response:
        query = request.query_params.get("q", "")
        known = request.headers.get("if-none-match", "")
        given = await run_in_threadpool(live.answer, request.path_params["address"], query, known)
        headers = {"etag": given.etag} if given.etag else {}
        return Plain(given.body or b"", given.code, headers, media_type=given.type if given.body is not None else None)

    app.add_route("/{address:path}", page, methods=["GET", "HEAD"])
    names = (HOST, "localhost", "[::1]")
    return Guard(app, frozenset([f"{name}:{port}" for name in names] + (list(names) if port == 80 else [])))


def listen(port: int) -> socket.socket:
    """A socket on this machine's loopback; `port` 0 takes a free one. StrataError where it is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise StrataError(
            f"Port {port} of this machine cannot be listened on: {error.strerror}.",
            hint="git strata dashboard --port 0    takes a free one",
        ) from None
    return listening


def serve(live: Live, listening: socket.socket, ready: Callable[[str], None]) -> None:
    """Answer until SIGTERM or SIGINT; `ready` is told the address once requests are taken."""
    port = int(listening.getsockname()[1])
    app = application(live, port)
    try:
        import uvicorn
    except ImportError:
        raise MissingExtra("dashboard", "The live dashboard") from None

    class Server(uvicorn.Server):
        """Ends quietly at a signal: the process is asked to stop, not to die of it."""

        def install(self) -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)

        def _stop(self, *_: Any) -> None:
            self.should_exit = True

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            self.install()
            ready(f"http://{HOST}:{port}")

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off", ws="none", loop="asyncio",
        timeout_graceful_shutdown=5,
    )  # fmt: skip
    try:
        Server(config).run(sockets=[listening])
    finally:
        listening.close()
