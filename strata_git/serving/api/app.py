"""The api-service as one ASGI application: FastAPI's table of routes behind a guard that every request passes."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import MissingExtra
from strata_git.serving.api import about, predict, protocol
from strata_git.serving.api.answer import Send, problem
from strata_git.serving.api.asked import Receive, Room
from strata_git.serving.api.auth import Authenticator
from strata_git.serving.api.context import ROOM, Context, Handler, State
from strata_git.serving.api.guard import Guard, Route, is_protocol
from strata_git.serving.api.metrics import Metrics
from strata_git.serving.api.schemas import blank_record, valid_record
from strata_git.serving.columns import Bounds

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from strata_git.contracts.service import Service
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.golden import Golden
    from strata_git.serving.prediction_log import PredictionLog
    from strata_git.serving.provenance import Provenance
    from strata_git.serving.router import Router

_MODEL = "/v2/models/{model}"
_VERSION = f"{_MODEL}/versions/{{version}}"
_WORDS = {404: "There is no such route here.", 405: "Not with this method."}


class Api:
    """The application. `state.draining`, set by who ends it, closes connections as they are answered; `framework` is
    the FastAPI behind it, `context` what its routes share."""

    def __init__(self, framework: FastAPI, context: Context) -> None:
        self.framework = framework
        self.context = context
        self.state: State = framework.state
        self.state.draining = False
        context.state = self.state
        self._guard = Guard(framework, context, _HOT, protocol.infer)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._guard(scope, receive, send)

    def openapi(self) -> dict[str, object]:
        """The OpenAPI document for the version in force."""
        return about.described(self.context)


def create_app(
    service: Service, router: Router, *, card: str | Callable[[Provenance], str] = "", golden: Golden | None = None,
    root: Path | None = None, authenticator: Authenticator | None = None, log: PredictionLog | None = None,
    hosts: Sequence[str] = (),
) -> Api:  # fmt: skip
    """The application that answers for `service` with whatever `router` has in force.

    `card` is the model card's text, or tells it for a version; `golden` gives the valid record that `/prototype` shows;
    `root` is the service's directory, where `api.auth.oidc.jwks` lies; `authenticator` stands in for the one of
    `api.auth`; `log` is told predictions. Where nobody has to say who they are, only requests to this machine's own
    names and to `hosts` are answered (`*`: to any). Raises MissingExtra, and StrataError for keys that cannot be read.
    """
    try:
        import orjson  # noqa: F401 - asked for now, not at the first request
        from fastapi import FastAPI
    except ImportError:
        raise MissingExtra("serve", "Serving a model") from None
    authenticator = authenticator or Authenticator(service.api.auth, root)
    limits = service.api.limits
    context = Context(
        service=service, router=router, authenticator=authenticator, metrics=Metrics(service.name, router, log),
        card=card if callable(card) else lambda _: card, prototype=_prototype(golden), log=log,
        hosts=None if authenticator.required or "*" in hosts else _names(service.api.host, hosts),
        bounds=Bounds(rows=limits.rows, body_bytes=limits.body_bytes), room=Room(max(ROOM, 4 * limits.body_bytes)),
    )  # fmt: skip
    framework = FastAPI(title=service.name, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for template, methods, handler in _routes(service):
        framework.router.add_route(template, Route(context, template, handler), methods=methods)  # type: ignore[arg-type]
    framework.add_exception_handler(404, _refused)
    framework.add_exception_handler(405, _refused)
    return Api(framework, context)


def _routes(service: Service) -> list[tuple[str, list[str], Handler]]:
    get, post = ["GET"], ["POST"]
    rows: list[tuple[str, list[str], Handler]] = [
        ("/predict", post, predict.predict), ("/invocations", post, predict.invocations),
        (f"{_MODEL}/infer", post, protocol.infer), (f"{_VERSION}/infer", post, protocol.infer),
        ("/v2/health/live", get, protocol.live), ("/v2/health/ready", get, protocol.ready),
        (f"{_MODEL}/ready", get, protocol.model_ready), (f"{_VERSION}/ready", get, protocol.model_ready),
        (_MODEL, get, protocol.model), (_VERSION, get, protocol.model), ("/v2", get, protocol.server),
        ("/v2/", get, protocol.server), ("/ping", get, about.ping), ("/provenance", get, about.provenance),
        ("/prototype", get, about.prototype), ("/card", get, about.card), ("/openapi.json", get, about.document),
        ("/docs", get, about.docs), ("/", get, about.try_it), ("/assets/{name}", get, about.asset),
    ]  # fmt: skip
    return [*rows, ("/metrics", get, about.metrics)] if service.api.metrics else rows


_HOT: Mapping[str, tuple[str, Handler]] = {
    "/predict": ("/predict", predict.predict), "/invocations": ("/invocations", predict.invocations),
}  # fmt: skip
"""Routes that predict are found by their path alone."""


async def _refused(request: Request, error: Exception) -> Response:
    from starlette.responses import Response

    status = getattr(error, "status_code", 404)
    told = problem(status, _WORDS[status], protocol=is_protocol(request.url.path))
    headers = {key: value for key, value in (getattr(error, "headers", None) or {}).items() if key.lower() == "allow"}
    return Response(told.body, status, headers, media_type=told.type)


def _prototype(golden: Golden | None) -> Callable[[Backend], Mapping[str, Any]]:
    def made(backend: Backend) -> Mapping[str, Any]:
        if golden is None:
            return blank_record(backend.signature)
        return valid_record(backend.signature, golden.inputs, golden.rows)

    return made


def _names(host: str, more: Sequence[str]) -> frozenset[str]:
    """The names under which this machine is asked, as the Host header has them."""
    names = {"localhost", "127.0.0.1", "[::1]", *(name.lower() for name in more)}
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return frozenset({*names, host.lower()})
    return frozenset({*names, f"[{address}]" if address.version == 6 else str(address)})
