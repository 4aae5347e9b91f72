"""The HTTP server around an application: bound before anything is loaded, ended as its limits say.

On the first request to stop the service is not ready any more, takes no new connection, answers what is under way for
as long as `drain` says, and ends. The second ends it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import MissingExtra, StrataError, printable

if TYPE_CHECKING:
    from uvicorn import Server

BACKLOG = 2048


@dataclass(slots=True)
class Stopping:
    """Whether somebody asked to stop, and with which signal; `hurry` is set by the second time."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    number: int = 0

    def ask(self, number: int = signal.SIGTERM) -> None:
        """Somebody asks."""
        if self.asked.is_set():
            self.hurry.set()
        else:
            self.number = number
            self.asked.set()


def require_server(what: str = "Running a service") -> None:
    """Raise MissingExtra where the packages are not installed that a service needs."""
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "grpc", "orjson")):
        raise MissingExtra("serve", what)


def bind(host: str, port: int, *, setting: str = "api.port") -> socket.socket:
    """A listening socket's socket, bound; port 0: any that is free. StrataError says why it cannot be had."""
    shown = f"{printable(host)}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError):
        raise StrataError(f"'{printable(host)}' is no address of this machine.", hint="--host 127.0.0.1") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            option = "--grpc-port" if "grpc" in setting else "--port"
            raise StrataError(
                f"Something else listens on {shown} already.",
                hint=f"{option} 0 takes any free port; or change {setting} in service.yaml",
            ) from None
        raise StrataError(f"{shown} cannot be listened on: {error.strerror}.") from None
    made.setblocking(False)
    return made


def bind_path(path: Path) -> socket.socket:
    """A Unix socket at a path, for this user and group; one that was left there is replaced. StrataError as `bind`."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise StrataError(f"{printable(str(path))} is there already, and no socket.")
            path.unlink()
        before = os.umask(0o117)
        try:
            made.bind(str(path))
        finally:
            os.umask(before)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise StrataError(f"{printable(str(path))} cannot be listened on: {error.strerror or error}.") from None
    except StrataError:
        made.close()
        raise
    made.setblocking(False)
    return made


def address_of(bound: socket.socket) -> str:
    """`127.0.0.1:8080`, as clients write it; `[::1]:8080` for IPv6."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def http_server(app: Any, *, drain: float, tls: tuple[str, str] | None = None) -> Server:
    """A uvicorn server that hears no signals by itself; `tls` are a certificate's file and its key's."""
    import uvicorn

    from strata_git.serving.api.connection import http_protocol

    class Quiet(uvicorn.Server):
        """Signals are the service's affair, not the server's."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    certificate, key = tls or (None, None)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, backlog=BACKLOG, lifespan="off",
        http=http_protocol(), ws="none", proxy_headers=False,
        timeout_graceful_shutdown=max(1, ceil(drain)), ssl_certfile=certificate, ssl_keyfile=key,
    )  # fmt: skip
    return Quiet(config)


@contextlib.contextmanager
def heard(stopping: Stopping) -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP (unless it is ignored: nohup) ask to stop while the block runs; the handlers that were
    there are put back."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    for number in before:
        loop.add_signal_handler(number, stopping.ask, int(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:
                signal.signal(number, handler)


async def serve_until_asked(
    server: Server, sockets: Sequence[socket.socket], stopping: Stopping, *, before: Callable[[], None]
) -> None:
    """Serve on sockets that are bound, until somebody asks to stop; `before` is called first then.

    Raises StrataError where the server ends by itself.
    """
    serving = asyncio.ensure_future(server.serve(sockets=list(sockets)))
    asked = asyncio.ensure_future(stopping.asked.wait())
    await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not stopping.asked.is_set():
        await serving
        raise StrataError("The HTTP server ended by itself.")
    before()
    server.should_exit = True
    hurry = asyncio.ensure_future(stopping.hurry.wait())
    await asyncio.wait({serving, hurry}, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not serving.done():
        server.force_exit = True
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(serving, 1)
        return
    await serving


def run_loop(main: Callable[[], Any]) -> Any:
    """Run the coroutine that `main` makes, on uvloop where it is installed."""
    try:
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    except ImportError:
        factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())
