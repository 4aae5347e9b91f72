"""A server on this machine that speaks S3 and DynamoDB (moto behind HTTP), and a door before it that fails to order.

The clients under test are the vendors' own: real requests, real signatures, real pages of a thousand keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from tests.support.listening import listening

Environ = dict[str, Any]
Failure = tuple[int, dict[str, str], bytes]


@dataclass(slots=True)
class AwsServer:
    """`requests` are method, path and query of everything that was asked; `fail(...)` makes the next ones fail."""

    url: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    matches: Callable[[Environ], bool] = lambda _: True
    cut_after: int | None = None
    """Bytes after which the next answer about an object breaks off."""

    def fail(self, *failures: Failure, when: Callable[[Environ], bool] = lambda _: True) -> None:
        """Answer the next requests that `when` chooses so, one each."""
        self.failures = list(failures)
        self.matches = when

    def store(self, bucket: str, key: str, data: bytes) -> None:
        """Put an object there without a request, for when there are many."""
        from moto.backends import get_backend

        get_backend("s3")["123456789012"]["aws"].put_object(bucket, key, data)

    def client(self, service: str = "s3") -> Any:
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


def s3_error(status: int, code: str, **headers: str) -> Failure:
    """An error as S3 writes it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as ordered</Message></Error>"
    return (
        status,
        {"Content-Type": "application/xml", **{k.replace("_", "-"): v for k, v in headers.items()}},
        body.encode(),
    )


def json_error(status: int, code: str) -> Failure:
    """An error as DynamoDB writes it."""
    body = f'{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "as ordered"}}'
    return status, {"Content-Type": "application/x-amz-json-1.0"}, body.encode()


class _Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[AwsServer]:
    """The server on a free port, fresh, as long as the block lasts."""
    from moto import server as moto_server
    from moto.backends import get_backend

    inner: Any = moto_server.DomainDispatcherApplication(moto_server.create_backend_app)  # type: ignore[attr-defined]
    state = AwsServer()

    def door(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        state.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", "")))
        state.targets.append(environ.get("HTTP_X_AMZ_TARGET", ""))
        if state.failures and state.matches(environ):
            status, headers, body = state.failures.pop(0)
            length = int(environ.get("CONTENT_LENGTH") or 0)
            environ["wsgi.input"].read(length)
            start(f"{status} As Ordered", [*headers.items(), ("Content-Length", str(len(body)))])
            return [body]
        answer: Iterable[bytes] = inner(environ, start)
        if state.cut_after is not None and environ["PATH_INFO"].count("/") > 1:
            kept, state.cut_after = state.cut_after, None
            return _cut(answer, kept)
        return answer

    server = make_server("127.0.0.1", 0, door, server_class=_Threads, handler_class=_Quiet)
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        with listening(server):
            yield state
    finally:
        for service in ("s3", "dynamodb"):
            get_backend(service).reset()  # the backends are this process's, and outlive the server


def _cut(answer: Iterable[bytes], kept: int) -> Iterator[bytes]:
    for part in answer:
        yield part[:kept]
        kept -= len(part[:kept])
        if kept <= 0:
            raise ConnectionResetError("as ordered")
