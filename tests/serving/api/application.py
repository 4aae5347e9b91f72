"""An api-service in this process, over a small model or a stand-in of one, asked without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from strata_git.contracts.service import Service
from strata_git.serving.api.app import Api, create_app
from strata_git.serving.backends.backend import Backend
from strata_git.serving.columns import Signature, Table
from strata_git.serving.provenance import Provenance
from strata_git.serving.router import Router
from tests.serving.models import LINEAR

PROVENANCE = Provenance(
    model="churn", version="v3", stage="production", commit="c" * 40, run="run-2026-01-01-001", digest="d" * 64,
    signer="Ada <ada@example.org>", format="onnx", file="model.onnx", sha256="e" * 64, event="churn#production#3",
)  # fmt: skip
RECORD = {"sepal": 2.0, "petal": 2.0}


def service(**said: Any) -> Service:
    """A service called `scoring` of `churn@production`; what is not said has its default."""
    return Service.model_validate({
        "schema": "strata/service/v1", "name": "scoring", "model": "churn@production", **said
    })  # fmt: skip


class Scores:
    """A backend that answers score = 2 sepal + 3 petal, or what `answer` makes of the table."""

    def __init__(
        self, signature: Signature = LINEAR, provenance: Provenance = PROVENANCE, *,
        answer: Callable[[Table], Mapping[str, Any]] | None = None, error: Exception | None = None,
    ) -> None:  # fmt: skip
        self.signature, self.provenance = signature, provenance
        self.answer = answer or (lambda table: {"score": table.matrix("float64") @ [2.0, 3.0]})
        self.error = error
        self.timeouts: list[float | None] = []

    async def predict(self, table: Table, *, timeout: float | None = None) -> Mapping[str, Any]:
        self.timeouts.append(timeout)
        if self.error is not None:
            raise self.error
        return self.answer(table)

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        return None


def application(backend: Backend | None = None, said: Mapping[str, Any] | None = None, **more: Any) -> Api:
    """The application over a backend (none named: `Scores`)."""
    return create_app(service(**(said or {})), Router(backend or Scores()), **more)


@dataclass(frozen=True)
class Got:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def ask(
    app: Api, path: str, body: bytes | object = None, method: str = "", parts: Sequence[Mapping[str, Any]] = (),
    **headers: str,
) -> Got:  # fmt: skip
    """Ask by ASGI itself: what is no bytes is sent as JSON; `parts` are messages instead of a body."""
    return asyncio.run(asking(app, path, body, method, parts, **headers))


async def asking(
    app: Any, path: str, body: bytes | object = None, method: str = "", parts: Sequence[Mapping[str, Any]] = (),
    **headers: str,
) -> Got:  # fmt: skip
    """The same on a loop."""
    data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    named = {"host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body is not None:
        named = {"content-type": "application/json", "content-length": str(len(data)), **named}
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "",
        "method": method or ("GET" if body is None and not parts else "POST"), "path": path, "raw_path": path.encode(),
        "query_string": b"", "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 80), "state": {},
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()],
    }  # fmt: skip
    waiting = list(parts) or [{"type": "http.request", "body": data, "more_body": False}]
    told: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        if not waiting:
            await asyncio.sleep(60)
        return dict(waiting.pop(0))

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message)

    await app(scope, receive, send)
    if not told:
        return Got(0, {}, b"")
    start = told[0]
    pairs = [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]]
    assert len({name for name, _ in pairs}) == len(pairs), pairs
    return Got(start["status"], dict(pairs), b"".join(one.get("body", b"") for one in told[1:]))
