"""An answer over HTTP, whole, and what errors become: the field and the rule, never a value that was sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from strata_git.errors import StrataError
from strata_git.serving.errors import Denied, PredictionError, RequestError, Unanswered

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
FAILED = "The service failed; its log says more."
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body, its media type, further headers (lower-case names)."""

    body: bytes
    type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    async def send(self, send: Send) -> None:
        """Send all of it at once."""
        headers = [(b"content-type", self.type.encode()), (b"content-length", b"%d" % len(self.body))]
        if self.headers:
            headers += [(name.encode(), value.encode("latin-1", "replace")) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] = _NOTHING) -> Answer:
    """A JSON value as an answer."""
    import orjson

    return Answer(orjson.dumps(value), JSON, status, headers)


def error_answer(error: StrataError, *, protocol: bool) -> Answer:
    """What an error becomes. `protocol`: the Open Inference Protocol's shape, `{"error": "..."}`; else ours,
    `{"error": {"field": "...", "message": "..."}}`."""
    match error:
        case RequestError():
            headers = {"connection": "close"} if error.status == 408 else {}
            return problem(error.status, error.message, error.field, protocol=protocol, headers=headers)
        case Denied():
            headers = {"www-authenticate": error.challenge} if error.challenge else {}
            return problem(error.status, error.message, protocol=protocol, headers=headers)
        case Unanswered():
            headers = {} if error.status == 504 else {"retry-after": str(max(1, error.retry_after))}
            return problem(error.status, error.message, protocol=protocol, headers=headers)
        case PredictionError():
            return problem(500, error.message, protocol=protocol)
    return problem(500, FAILED, protocol=protocol)


def problem(
    status: int, message: str, field: str = "", *, protocol: bool, headers: Mapping[str, str] = _NOTHING
) -> Answer:
    """An error as an answer; `field` is where, `""` where it is the whole request."""
    if protocol:
        return json_answer({"error": message}, status, headers)
    told = message.removeprefix(f"{field}: ") if field else message
    return json_answer({"error": {"field": field or None, "message": told}}, status, headers)
