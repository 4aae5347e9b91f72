"""A model behind a server that speaks the Open Inference Protocol over HTTP: R's plumber, Triton, MLServer, KServe."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.serving.backends.answers import DIGEST, MATRIX, arrays_of
from strata_git.serving.backends.http_exchange import Address, Exchange, Reply, Unreachable
from strata_git.serving.batching import Outputs, past_deadline
from strata_git.serving.columns import Bounds, Signature, Table
from strata_git.serving.errors import PredictionError, RequestError, Unanswered, shown
from strata_git.serving.provenance import Provenance
from strata_git.serving.tables import plain
from strata_git.serving.tensors import DTYPES, Tensor, from_values
from strata_git.serving.values import flattened

_READY_SECONDS = 2.0
_DRAIN = 30.0
_SAID = 200


class HttpOip:
    """See `backend.Backend`. Made and asked in one event loop."""

    def __init__(
        self, address: str, signature: Signature, provenance: Provenance, *, model: str = "", version: str = "",
        keep: bool = True, headers: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None,
        digest: bool = False,
    ) -> None:  # fmt: skip
        """`address` is a URL or `unix:/path`; `model` and `version` what the server calls it (default: as here, and
        whatever version it has). `keep` False: a new connection for each request. `headers` go along, such as a token.
        With `digest` every answer must have the version's digest among its parameters; where one has it, it must be
        the right one in any case. Raises StrataError for what is no address, MissingExtra.
        """
        try:
            import orjson  # noqa: F401 - found missing now, not at the first request
        except ImportError:
            raise MissingExtra("serve", "Asking a model server") from None
        self._exchange = Exchange(
            Address.parse(address), keep=keep, headers={"Content-Type": "application/json", **(headers or {})}, tls=tls
        )
        self._signature = signature
        self._provenance = provenance
        self._path = f"/v2/models/{quote(model or provenance.model, safe='')}"
        if version:
            self._path += f"/versions/{quote(version, safe='')}"
        self._digest = digest
        self._matrix: tuple[str, str] | None = None
        self._names = {field.name: field.name for field in signature.outputs}
        self.under_way = 0
        """Requests that wait for its answer."""
        self._closed = False

    @property
    def signature(self) -> Signature:
        """Its columns."""
        return self._signature

    @property
    def provenance(self) -> Provenance:
        """Which version it is and where it comes from."""
        return self._provenance

    async def check(self, *, timeout: float = 10.0) -> None:
        """Hold what the server says of the model's columns against the signature, and adapt to one matrix for all.

        Raises StrataError where they do not fit, Unanswered where nobody answers.
        """
        said = _object((await self._asked("GET", self._path, timeout=timeout)).body)
        inputs, outputs = _listed(said.get("inputs")), _listed(said.get("outputs"))
        self._matrix = _matrix(inputs, self._signature)
        wanted = {field.name for field in self._signature.outputs}
        if outputs and not wanted <= outputs.keys():
            if len(wanted) != 1 or len(outputs) != 1:
                raise StrataError(
                    f"The server's model answers with {_names(outputs)}, its signature says {_names(wanted)}."
                )
            self._names = {next(iter(outputs)): self._signature.outputs[0].name}

    async def predict(self, table: Table, *, timeout: float | None = None) -> Outputs:
        """See `backend.Backend`."""
        import orjson

        if self._closed:
            raise Unanswered("The model is being taken away.", status=503)
        body = orjson.dumps({"inputs": self._inputs(table)})
        self.under_way += 1
        try:
            reply = await self._asked("POST", f"{self._path}/infer", body, timeout=timeout)
        finally:
            self.under_way -= 1
        said = _object(reply.body)
        self._judge(said)
        tensors = [_tensor(row, self._names) for row in said.get("outputs") or ()]
        return arrays_of(tensors, self._signature, table.rows)

    async def ready(self) -> bool:
        """Whether the server says that the model would answer now."""
        if self._closed:
            return False
        try:
            await self._asked("GET", f"{self._path}/ready", timeout=_READY_SECONDS)
        except StrataError:
            return False
        return True

    async def close(self) -> None:
        """See `backend.Backend`."""
        self._closed = True
        until = time.monotonic() + _DRAIN
        while self.under_way and time.monotonic() < until:
            await asyncio.sleep(0.01)
        await self._exchange.close()

    def _inputs(self, table: Table) -> list[dict[str, Any]]:
        if self._matrix is not None:
            name, datatype = self._matrix
            array = table.matrix(DTYPES[datatype])
            return [{"name": name, "datatype": datatype, "shape": list(array.shape), "data": plain(array.ravel())}]
        return [
            {"name": field.name, "datatype": field.datatype, "shape": list(array.shape), "data": plain(array.ravel())}
            for field, array in zip(table.fields, table.arrays, strict=True)
        ]

    async def _asked(self, method: str, path: str, body: bytes = b"", *, timeout: float | None) -> Reply:
        try:
            async with asyncio.timeout(timeout):
                reply = await self._exchange.ask(method, path, body)
        except TimeoutError:
            raise past_deadline() from None
        except Unreachable:
            raise Unanswered("The model is not there at the moment.", status=503) from None
        if reply.status == 200:
            return reply
        raise _error(reply)

    def _judge(self, said: Mapping[str, Any]) -> None:
        parameters = said.get("parameters")
        found = parameters.get(DIGEST) if isinstance(parameters, dict) else None
        if found != self._provenance.digest and (self._digest or found is not None):
            raise Unanswered("Another version answers than the one that was asked.", status=503)


def _error(reply: Reply) -> StrataError:
    """A refusal, in our words; theirs are told only where they are about the request."""
    if reply.status in (429, 503, 504):
        after = reply.headers.get("retry-after", "1")
        seconds = int(after) if after.isascii() and after.isdigit() and len(after) < 6 else 1
        return Unanswered("The model server does not answer now.", status=reply.status, retry_after=seconds)
    if reply.status in (400, 413, 415, 422):
        try:
            said = _object(reply.body).get("error")
        except PredictionError:
            said = None
        if isinstance(said, dict):
            return RequestError(_words(said.get("message")), field=_words(said.get("field"), ""), status=reply.status)
        return RequestError(_words(said), status=reply.status)
    if reply.status == 404:
        return Unanswered("The model server does not have the model.", status=503)
    return PredictionError(f"The model server failed (HTTP {reply.status}).")


def _words(said: object, otherwise: str = "The model server refuses the request.") -> str:
    return printable(said[:_SAID]) if isinstance(said, str) and said else otherwise


def _object(body: bytes) -> dict[str, Any]:
    import orjson

    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise PredictionError("The model server answers with what is no JSON object.")
    return value


def _listed(said: object) -> dict[str, tuple[str, list[int]]]:
    """Name -> datatype and shape."""
    rows = [row for row in said if isinstance(row, dict)] if isinstance(said, list) else []
    return {str(row.get("name")): (str(row.get("datatype")), list(row.get("shape") or ())) for row in rows}


def _matrix(inputs: Mapping[str, tuple[str, list[int]]], signature: Signature) -> tuple[str, str] | None:
    """Name and datatype of the one matrix that stands for all columns; None where each is a tensor of its own."""
    if inputs.keys() == set(signature.names):
        return None
    if signature.is_matrix and not inputs:  # a server that does not say: most of those take one matrix
        return MATRIX, "FP64"
    if signature.is_matrix and len(inputs) == 1:
        ((name, (datatype, shape)),) = inputs.items()
        if datatype in ("FP16", "FP32", "FP64") and len(shape) == 2 and shape[1] in (-1, signature.width):
            return name, datatype
    raise StrataError(f"The server's model takes {_names(inputs)}, its signature names {_names(signature.names)}.")


def _names(names: Any) -> str:
    return ", ".join(shown(name) for name in sorted(names)) or "nothing"


def _tensor(row: Any, names: Mapping[str, str]) -> Tensor:
    try:
        name, datatype, shape = row["name"], row["datatype"], row["shape"]
        values, _ = flattened(row["data"], Bounds(elements=1 << 30), name)
        return from_values(names.get(name, name), datatype, shape, values, Bounds(elements=1 << 30))
    except (KeyError, TypeError, RequestError):
        raise PredictionError("The model server answers with tensors that cannot be read.") from None
