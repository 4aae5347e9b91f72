"""What stands in front of every route: who may come in, how long it may take, what every answer carries, what is told.

Errors of all routes become answers here; nothing of a request's values is logged. The routes that predict are called
from here by their path alone; all others are found by the framework.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError
from strata_git.serving.api.access import access_line
from strata_git.serving.api.answer import FAILED, Answer, Send, error_answer, problem
from strata_git.serving.api.asked import Asked, Gone, Receive
from strata_git.serving.errors import Denied, RequestError, Unanswered
from strata_git.serving.logs import failure_line

if TYPE_CHECKING:
    from strata_git.serving.api.context import Context, Handler

OPEN = frozenset({"/ping", "/v2/health/live", "/v2/health/ready"})
"""Routes that answer without a key, under any name of this host: probes have none. They say no more than yes or no."""
SHELL = ("/", "/assets/tryit.js", "/assets/page.css", "/assets/icon.svg")
"""Without a key as well: the empty try-it page, into which a person types one."""
HUNG_UP = 499
"""The status of who is not there any more when the answer is (a habit of web servers; it is never sent)."""
INFER = "/v2/models/{model}/infer"
_SAME = frozenset({"", "same-origin", "none"})
_SAFE = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
_LOG = logging.getLogger("strata.serving")


class Guard:
    """An ASGI application around another one. `hot` are routes that predict: path -> template and handler; `infer`
    answers at the protocol's."""

    def __init__(self, app: App, context: Context, hot: Mapping[str, tuple[str, Handler]], infer: Handler) -> None:
        self._app = app
        self._context = context
        self._hot = hot
        self._infer = infer

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request; of other kinds of connections only the life cycle's."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        context = self._context
        asked = Asked(scope, receive)
        status = HUNG_UP
        context.metrics.in_flight += 1

        async def told(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._carried(asked)]
            await send(message)

        try:
            await self._answer(asked, receive, told)
        except StrataError as error:
            await _failed(asked, error).send(told)
        except asyncio.CancelledError:
            if not context.draining or status != HUNG_UP:
                raise
            late = Unanswered("The service ends, and the time for answers is over.", status=503)
            await _failed(asked, late).send(told)
        except Exception as error:  # noqa: BLE001 - a bug of ours is told to the log, never to who asks
            failure_line(_LOG, asked.id, error)
            if status == HUNG_UP:
                await problem(500, FAILED, protocol=is_protocol(asked.path)).send(told)
        finally:
            context.metrics.in_flight -= 1
            context.room.held -= asked.held
            seconds = time.monotonic() - asked.started
            context.metrics.answered(asked.route or "none", status, seconds)
            access_line(asked, status, seconds)

    async def _answer(self, asked: Asked, receive: Receive, told: Send) -> None:
        context = self._context
        if asked.path not in OPEN:
            self._judge_origin(asked)
            if context.authenticator.required and asked.path not in SHELL:
                asked.caller = await context.authenticator.admit(_credentials(asked))
        asked.set_deadline(context.deadline)
        handler = self._found(asked) if asked.method == "POST" else None
        if handler is not None:
            await answer(context, asked, handler, told)
            return
        asked.scope["strata"] = asked
        await self._app(asked.scope, receive, told)

    def _found(self, asked: Asked) -> Handler | None:
        """Who predicts at this path."""
        if (hot := self._hot.get(asked.path)) is not None:
            asked.route, handler = hot
            return handler
        parts = asked.path.split("/", 5)
        if len(parts) != 5 or parts[4] != "infer" or parts[:3] != ["", "v2", "models"] or not parts[3]:
            return None
        asked.route = INFER
        asked.scope["path_params"] = {"model": parts[3]}
        return self._infer

    def _judge_origin(self, asked: Asked) -> None:
        """A page of a foreign site may make a browser ask us: under a name that is not ours (DNS rebinding), or across.

        Only where nobody has to say who asks: no browser adds a key by itself.
        """
        if self._context.hosts is None:
            return
        host = asked.header(b"host").rpartition("@")[2].lower()
        name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
        if name not in self._context.hosts:
            raise RequestError("This is not the host that was asked for.", field="host", status=421)
        if asked.header(b"sec-fetch-site") not in _SAME and asked.method == "POST":
            raise RequestError("Pages of other sites may not ask.", field="sec-fetch-site", status=403)

    def _carried(self, asked: Asked) -> list[tuple[bytes, bytes]]:
        carried = [(b"x-request-id", asked.id.encode()), (b"traceparent", asked.trace.header.encode()), *_SAFE]
        provenance = asked.provenance
        if provenance is None and (backend := self._context.router.current) is not None:
            provenance = backend.provenance
        if provenance is not None and (asked.caller or not self._context.authenticator.required):
            carried += self._context.headers(provenance)[1]
        if self._context.draining:
            carried.append((b"connection", b"close"))
        return carried


class Route:
    """A handler of ours as an ASGI application, for the framework's table of routes."""

    def __init__(self, context: Context, template: str, handler: Handler) -> None:
        self._context = context
        self._template = template
        self._handler = handler

    async def __call__(self, scope: MutableMapping[str, Any], _receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked: Asked = scope["strata"]
        asked.route, asked.scope = self._template, scope
        await answer(self._context, asked, self._handler, send)


async def answer(context: Context, asked: Asked, handler: Handler, send: Send) -> None:
    """Send what a handler says, or what its error becomes. Who has hung up is sent nothing."""
    try:
        made = await handler(context, asked)
    except Gone:
        return
    except StrataError as error:
        made = _failed(asked, error)
    except Exception as error:  # noqa: BLE001 - a bug of ours is told to the log, never to who asks
        failure_line(_LOG, asked.id, error)
        made = problem(500, FAILED, protocol=is_protocol(asked.path))
    await made.send(send)


def _failed(asked: Asked, error: StrataError) -> Answer:
    if not isinstance(error, RequestError | Denied | Unanswered):
        failure_line(_LOG, asked.id, error)
    return error_answer(error, protocol=is_protocol(asked.path))


def is_protocol(path: str) -> bool:
    """Whether errors at this path are told in the Open Inference Protocol's shape."""
    return path == "/v2" or path.startswith("/v2/")


def _credentials(asked: Asked) -> dict[str, str]:
    for name in (b"authorization", b"x-api-key"):
        if sum(one == name for one, _ in asked.scope["headers"]) > 1:
            raise RequestError("comes more than once", field=name.decode(), status=400)
    return {"authorization": asked.header(b"authorization"), "x-api-key": asked.header(b"x-api-key")}
