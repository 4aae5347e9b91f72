"""The protocol's methods over one model, for a blocking gRPC server: each request has a thread of the server.

Predictions are work for the processor, so that threads cost nothing that a loop would save: under many requests the
blocking server answers twice as many as the asynchronous one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

from strata_git.serving import health, oip, oip_about, oip_grpc
from strata_git.serving.backends.answers import ALL_OUTPUTS, DIGEST
from strata_git.serving.backends.grpc_status import status_of
from strata_git.serving.backends.in_process import quick_rows
from strata_git.serving.batching import STUCK, Batcher, Job, Outputs, past_deadline
from strata_git.serving.columns import Bounds, NanPolicy, Table
from strata_git.serving.tensors import to_table

if TYPE_CHECKING:
    from strata_git.contracts.service import Batch, Limits
    from strata_git.serving.backends.local import Model
    from strata_git.serving.provenance import Provenance

PATIENCE = 0.002
"""Seconds for which a request stands by for a model that is quick."""
NAME = "git-strata model-service"
Log = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Asked:
    """How requests are taken: what is waited for together, what one may cost, and what NaN is."""

    batch: Batch
    limits: Limits
    nan: NanPolicy = "refuse"


class Servicer:
    """The methods. `log` takes a line about what a model failed at, never a value."""

    def __init__(self, model: Model, provenance: Provenance, asked: Asked, *, log: Log | None = None) -> None:
        self._model = model
        self._provenance = provenance
        self._nan = asked.nan
        self._log = log
        self._ready = True
        limits = asked.limits
        self._bounds = Bounds(rows=limits.rows, body_bytes=limits.body_bytes)
        self._deadline = limits.deadline_ms / 1000
        self.is_quick = quick_rows(model) > 0
        """Whether one row is answered in less time than changing threads is worth."""
        self._batcher = Batcher(
            model.predict, model.signature, _settle, rows=asked.batch.rows if getattr(model, "rowwise", True) else 1,
            wait=asked.batch.wait_ms / 1000, queue=limits.queue, patience=PATIENCE if self.is_quick else 0.0,
        )  # fmt: skip

    @property
    def is_stuck(self) -> bool:
        """Whether a prediction does not end: nothing else will be answered."""
        return self._batcher.is_stuck(STUCK * self._deadline)

    @property
    def is_ready(self) -> bool:
        """Whether a request would be answered now."""
        return self._ready and not self.is_stuck

    def handlers(self) -> tuple[Any, ...]:
        """What `grpc.Server.add_generic_rpc_handlers` takes."""
        methods = {
            "ServerLive": lambda _request, _context: oip.message("ServerLiveResponse", live=True),
            "ServerReady": lambda _request, _context: oip.message("ServerReadyResponse", ready=self.is_ready),
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
        }
        return oip.server_handlers(methods), health.handlers(lambda _request, _context: health.response(self.is_ready))

    def retire(self) -> None:
        """Not ready any more; what comes is answered still."""
        self._ready = False

    def close(self) -> None:
        """Take nothing more."""
        self._batcher.close()

    def _server_metadata(self, _request: Any, context: Any) -> Any:
        from strata_git import __version__

        context.set_trailing_metadata(oip_about.metadata(self._provenance, self._model.signature))
        return oip.message("ServerMetadataResponse", name=NAME, version=__version__)

    def _model_ready(self, request: Any, _context: Any) -> Any:
        return oip.message("ModelReadyResponse", ready=self.is_ready and self._is_this(request.name, request.version))

    def _model_metadata(self, request: Any, context: Any) -> Any:
        self._require(request.name, request.version, context)
        source = self._provenance
        return oip_grpc.model_metadata(source.model, source.version, self._model.signature, source.format)

    def _infer(self, request: Any, context: Any) -> Any:
        self._require(request.model_name, request.model_version, context)
        try:
            tensors = oip_grpc.read_request(request, self._bounds)
            table = to_table(tensors, self._model.signature, nan=self._nan, bounds=self._bounds)
            outputs = self._answered(table, context)
            if request.parameters[ALL_OUTPUTS].bool_param:
                del request.outputs[:]
                for name in outputs:
                    request.outputs.add(name=name)
            source = self._provenance
            return oip_grpc.write_response(
                outputs, self._model.signature.outputs, request, model=source.model, version=source.version,
                parameters={DIGEST: source.digest},
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - whatever it is, no word of it may repeat what was sent
            self._refuse(error, context)

    def _answered(self, table: Table, context: Any) -> Outputs:
        outputs = self._batcher.at_once(table)
        if outputs is not None:
            return outputs
        told = context.time_remaining()
        rest = self._deadline if told is None else min(told, self._deadline)
        job = Job(table, time.monotonic() + rest, Event())
        if not context.add_callback(lambda: setattr(job, "dropped", True)):
            raise past_deadline()
        self._batcher.submit(job)
        if not job.token.wait(rest):
            job.dropped = True
            raise past_deadline()
        return job.result

    def _is_this(self, name: str, version: str) -> bool:
        source = self._provenance
        return name == source.model and version in ("", source.version, source.version.removeprefix("v"))

    def _require(self, name: str, version: str, context: Any) -> None:
        import grpc

        if not self._is_this(name, version):
            context.abort(grpc.StatusCode.NOT_FOUND, f"Here is {self._provenance.reference} and no other model.")

    def _refuse(self, error: Exception, context: Any) -> None:
        import grpc

        code, words, metadata = status_of(error)
        if code == "INTERNAL" and self._log is not None:
            self._log(f"{words} ({type(error.__cause__ or error).__name__})")
        context.set_trailing_metadata(metadata)
        context.abort(grpc.StatusCode[code], words)


def _settle(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.token.set()
