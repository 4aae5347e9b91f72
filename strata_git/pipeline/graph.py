"""Microsoft Graph over HTTP: who asks (MSAL), pages, downloads, uploads, and patience when it throttles.

The token goes to the host of `endpoint` alone: an address of a further page that leads elsewhere is refused, and
downloads, whose addresses carry their own right, are fetched without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, urlsplit

from strata_git.errors import printable
from strata_git.pipeline.backoff import Backoff, seconds_to_wait
from strata_git.pipeline.errors import Kind, PipelineError, kind_of, told
from strata_git.pipeline.streaming import Body, resuming
from strata_git.repo.files import write_file

if TYPE_CHECKING:
    import httpx

ENDPOINT = "https://graph.microsoft.com/v1.0"
AUTHORITY = "https://login.microsoftonline.com"
PAGE = 200
_SECONDS = {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": 60.0}
_CODES: dict[str, Kind] = {
    "accessDenied": "permission", "activityLimitReached": "throttled", "InvalidAuthenticationToken": "authentication",
    "itemNotFound": "not_found", "nameAlreadyExists": "conflict", "resourceModified": "conflict",
    "notAllowed": "permission", "quotaLimitReached": "invalid", "tooManyRequests": "throttled",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Registration:
    """The application that asks: `secret` is its client secret, or its certificate and private key in PEM."""

    tenant: str
    client: str
    secret: str = field(repr=False)
    authority: str = AUTHORITY


class Tokens:
    """Tokens for an application, kept in a file that only this user reads until they end."""

    def __init__(self, who: Registration, endpoint: str, cache: Path, http: httpx.Client) -> None:
        self._who = who
        self._scope = f"{'/'.join(endpoint.split('/')[:3])}/.default"
        told_apart = "\n".join((who.authority, who.tenant, who.client, endpoint)).encode()
        self._file = cache / f"graph-{hashlib.sha256(told_apart).hexdigest()[:16]}.json"
        self._http = http
        self._lock = Lock()
        self._app: Any = None
        self._cache: Any = None

    def get(self, failure: type[PipelineError], *, anew: bool = False) -> str:
        """A token that holds; `anew` when the last one was refused. Raises `failure`."""
        with self._lock:
            app = self._app or self._begun(failure)
            if anew:
                app.remove_tokens_for_client()
            answer = self._asked(failure, app)
            if self._cache.has_state_changed:
                self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_file(self._file, self._cache.serialize().encode(), 0o600, durable=False)
                self._cache.has_state_changed = False
        return str(answer["access_token"])

    def _begun(self, failure: type[PipelineError]) -> Any:
        import msal

        self._cache = msal.SerializableTokenCache()
        if self._file.is_file():
            try:
                kept = self._file.read_text(encoding="utf-8")
                value = json.loads(kept)
                if isinstance(value, dict) and all(isinstance(entries, dict) for entries in value.values()):
                    self._cache.deserialize(kept)
            except (OSError, ValueError):
                self._cache = msal.SerializableTokenCache()  # damaged: tokens are asked for again
        authority = f"{self._who.authority.rstrip('/')}/{quote(self._who.tenant, safe='')}"
        known = authority.startswith(AUTHORITY)
        try:
            self._app = msal.ConfidentialClientApplication(
                self._who.client, authority=authority, client_credential=_credential(self._who.secret),
                token_cache=self._cache, http_client=_Asking(self._http, failure),
                instance_discovery=None if known else False,
            )  # fmt: skip
        except ValueError as error:
            raise failure(f"{_host(authority)}: {told(error)}", kind="authentication", hint=_SIGN_IN) from None
        return self._app

    def _asked(self, failure: type[PipelineError], app: Any) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = app.acquire_token_for_client(scopes=[self._scope])
        if "access_token" not in answer:
            said = told(f"{answer.get('error', '')}: {answer.get('error_description', '')}")
            raise failure(f"{_host(self._who.authority)}: {said}", kind="authentication", hint=_SIGN_IN)
        return answer


_SIGN_IN = (
    "Are tenant and client right, and does key name the client's secret or certificate? git strata keys test\n"
    "docs/sources.md tells how an application is registered."
)


@dataclass(frozen=True)
class Graph:
    """What is asked of Graph for one entry of strata.yaml, `name`; errors are of the class `failure`."""

    name: str
    tokens: Tokens
    http: httpx.Client
    failure: type[PipelineError]
    endpoint: str = ENDPOINT
    backoff: Backoff = field(default=Backoff(), repr=False)

    def get(self, path: str, what: str, **query: str | int) -> dict[str, Any]:
        """The JSON at a path of Graph, or at a full address of it. Raises the failure."""
        answer = self.send("GET", path, what, params=query or None)
        try:
            value = json.loads(answer.content)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise self.failure(f"{self.name}: {what}: Graph's answer is not a JSON object.", kind="unavailable")
        return value

    def pages(self, path: str, what: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """The values of a list, page by page."""
        page = self.get(path, what, **query)
        while True:
            yield from page.get("value", ())
            further = page.get("@odata.nextLink")
            if not further:
                return
            page = self.get(str(further), what)

    def send(self, method: str, path: str, what: str, **words: Any) -> httpx.Response:
        """One request with the token, made again as the failure allows."""
        url = self._own(path, what)
        headers = dict(words.pop("headers", {}))
        fresh = {"anew": False, "tried": False}

        def attempt() -> httpx.Response:
            token = self.tokens.get(self.failure, anew=fresh["anew"])
            fresh["anew"] = False
            with self._told(what):
                answer = self.http.request(method, url, headers=headers | {"Authorization": f"Bearer {token}"}, **words)
            if answer.status_code < 300:
                return answer
            error = self._failed(answer, what)
            if answer.status_code == 401 and not fresh["tried"]:  # it ended early, or was taken back
                fresh.update(anew=True, tried=True)
                error.retryable = True
            raise error

        return self.backoff.call(attempt)

    def download(self, item: str, what: str) -> AbstractContextManager[BinaryIO]:
        """The content of the item at a path of Graph, as a stream that is taken up where it breaks."""
        seen: dict[str, str] = {}

        def start(offset: int) -> Body:
            facts = self.get(item, what)
            mark = str(facts.get("cTag") or facts.get("eTag", ""))
            if seen.setdefault("mark", mark) != mark:
                raise self.failure(f"{self.name}: {what} was changed while it was read.", kind="conflict")
            if offset and offset >= int(facts.get("size", 0)):
                return _Nothing()
            return self._body(str(facts.get("@microsoft.graph.downloadUrl", "")), offset, what)

        return resuming(start, self.backoff)

    def _body(self, url: str, offset: int, what: str) -> Body:
        if urlsplit(url).scheme != "https" and urlsplit(url).scheme != urlsplit(self.endpoint).scheme:
            raise self.failure(f"{self.name}: {what}: Graph names no place to download it from.", kind="not_found")
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
        with self._told(what):
            answer = self.http.send(self.http.build_request("GET", url, headers=headers), stream=True)
        if answer.status_code != (206 if offset else 200):
            with self._told(what):
                answer.read()
                answer.close()
            error = self._failed(answer, what)
            error.retryable = error.retryable or answer.status_code in (401, 403, 410)  # the address has ended
            raise error
        return _Rest(self, answer, what)

    def _own(self, path: str, what: str) -> str:
        if "://" not in path:
            return f"{self.endpoint.rstrip('/')}{path}"
        there, here = urlsplit(path), urlsplit(self.endpoint)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc):
            raise self.failure(f"{self.name}: {what}: Graph's answer leads to {printable(there.netloc)}, not followed.")
        return path

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        with translated(self.failure, f"{self.name}: {what}"):
            yield

    def _failed(self, answer: httpx.Response, what: str) -> PipelineError:
        code, said = _error(answer.content)
        kind = _CODES.get(code, kind_of(answer.status_code))
        return self.failure(
            f"{self.name}: {what}: {answer.status_code} {told(f'{code} {said}'.strip())}".rstrip(". ") + ".",
            kind=kind if answer.status_code != 429 else "throttled",
            retry_after=seconds_to_wait(answer.headers.get("Retry-After")),
            status=answer.status_code,
        )


def http_client() -> httpx.Client:
    """A client with time limits that follows no redirect by itself."""
    import httpx

    return httpx.Client(timeout=httpx.Timeout(**_SECONDS), headers={"User-Agent": "NONISV|git-strata|git-strata/1"})


@contextmanager
def translated(failure: type[PipelineError], what: str) -> Iterator[None]:
    """Errors of the HTTP client as `failure`; addresses, which may carry a right, are not quoted."""
    import httpx

    try:
        yield
    except httpx.TimeoutException:
        raise failure(f"{what}: no answer in time.", kind="timeout") from None
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
        raise failure(f"{what}: {told(error)}", kind="unavailable") from None


class _Rest:
    """What is left of an answer."""

    def __init__(self, graph: Graph, answer: httpx.Response, what: str) -> None:
        self._parts = answer.iter_bytes(1 << 16)
        self._answer = answer
        self._what = f"{graph.name}: {what}"
        self._failure = graph.failure
        self._left = b""

    def read(self, amount: int) -> bytes:
        if not self._left:
            with translated(self._failure, self._what):
                self._left = next(self._parts, b"")
        data, self._left = self._left[:amount], self._left[amount:]
        return data

    def close(self) -> None:
        self._answer.close()


class _Nothing:
    """After the last byte."""

    def read(self, amount: int) -> bytes:  # noqa: ARG002 - the protocol's signature
        return b""

    def close(self) -> None:
        """Nothing is open."""


class _Asking:
    """The HTTP client that MSAL is given: ours, with our time limits, patience and errors."""

    def __init__(self, http: httpx.Client, failure: type[PipelineError]) -> None:
        self._http = http
        self._failure = failure

    def get(self, url: str, **words: Any) -> _Answer:
        return self._sent("GET", url, **words)

    def post(self, url: str, **words: Any) -> _Answer:
        return self._sent("POST", url, **words)

    def close(self) -> None:
        """Whoever made the client closes it."""

    def _sent(self, method: str, url: str, **words: Any) -> _Answer:
        kept = {key: words[key] for key in ("params", "data", "headers") if words.get(key) is not None}
        if isinstance(data := kept.get("data"), Mapping):  # an assertion comes as bytes
            kept["data"] = {key: value.decode() if isinstance(value, bytes) else value for key, value in data.items()}

        def attempt() -> _Answer:
            with translated(self._failure, _host(url)):
                answer = self._http.request(method, url, **kept)
            if answer.status_code in (429, 500, 502, 503, 504):
                raise self._failure(
                    f"{_host(url)}: {answer.status_code}.",
                    kind=kind_of(answer.status_code),
                    retry_after=seconds_to_wait(answer.headers.get("Retry-After")),
                )
            return _Answer(answer.status_code, answer.text, answer.headers)

        return Backoff().call(attempt)


@dataclass(frozen=True, slots=True)
class _Answer:
    status_code: int
    text: str
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        """MSAL calls it where it expects success."""
        if self.status_code >= 400:
            raise ValueError(f"the answer was {self.status_code}")


def _credential(secret: str) -> str | dict[str, str]:
    """What MSAL takes: the secret itself, or certificate and key with the certificate's thumbprint."""
    if "-----BEGIN" not in secret:
        return secret
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    certificate = x509.load_pem_x509_certificate(secret[secret.index("-----BEGIN CERTIFICATE") :].encode())
    return {
        "private_key": secret,
        "thumbprint": certificate.fingerprint(SHA1()).hex(),  # noqa: S303 - what names the certificate there
        "thumbprint_sha256": certificate.fingerprint(SHA256()).hex(),
        "public_certificate": secret[secret.index("-----BEGIN CERTIFICATE") :],
    }


def _error(content: bytes) -> tuple[str, str]:
    try:
        error = json.loads(content)["error"]
        return str(error.get("code", "")), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""


def _host(url: str) -> str:
    return printable(urlsplit(url).netloc)
