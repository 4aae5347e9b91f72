"""From an entry of the section `inference` to a client that can be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from strata_git.contracts.pipeline import Inference, Pipelines
from strata_git.errors import MissingExtra
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import InferenceError, PipelineError
from strata_git.pipeline.models.asking import Client
from strata_git.pipeline.models.client import Respondent
from strata_git.pipeline.models.embedding import Embedder, EmbeddingClient
from strata_git.pipeline.models.limits import Limits
from strata_git.pipeline.models.memory import Memory
from strata_git.pipeline.observability.counters import Counters
from strata_git.pipeline.observability.spans import Spans
from strata_git.pipeline.secrets.resolve import Source, filled
from strata_git.pipeline.sources.catalog import named


def open_client(
    pipelines: Pipelines,
    name: str,
    *,
    root: Path,
    secrets: Source,
    environ: Mapping[str, str],
    memory: Memory | None = None,
    counters: Counters | None = None,
    spans: Spans | None = None,
    retried: Callable[[PipelineError, float], None] = lambda _error, _wait: None,
) -> Client:
    """A client for `inference.<name>` of strata.yaml; nothing is asked of the network before it is asked.

    Raises StrataError for a name that is not there, and where a secret cannot be had; MissingExtra for packages.
    """
    settings = entry(pipelines, name)
    retry = settings.retry
    return Client(
        respondent=_respondent(name, settings, root, secrets, environ),
        provider=settings.provider,
        priced=settings.price_as or settings.model,
        memory=memory,
        limits=Limits(settings.requests_per_minute, settings.tokens_per_minute),
        backoff=Backoff(attempts=retry.attempts, first_s=retry.wait_ms / 1000, retried=retried),
        counters=counters or Counters(),
        spans=spans or Spans(),
        at_once=settings.concurrency,
    )


def open_embeddings(
    pipelines: Pipelines,
    name: str,
    *,
    dimensions: int | None = None,
    secrets: Source,
    environ: Mapping[str, str],
    memory: Memory | None = None,
    counters: Counters | None = None,
    spans: Spans | None = None,
    salt: str = "",
    retried: Callable[[PipelineError, float], None] = lambda _error, _wait: None,
) -> EmbeddingClient:
    """A client for the model of embeddings that `inference.<name>` names; nothing is asked of the network yet.

    Raises StrataError for a name that is not there, an entry that cannot embed, a secret that cannot be had;
    MissingExtra for packages.
    """
    settings = entry(pipelines, name)
    retry = settings.retry
    return EmbeddingClient(
        embedder=_embedder(name, settings, dimensions, secrets, environ),
        provider=settings.provider,
        priced=settings.price_as or settings.model,
        memory=memory,
        limits=Limits(settings.requests_per_minute, settings.tokens_per_minute),
        backoff=Backoff(attempts=retry.attempts, first_s=retry.wait_ms / 1000, retried=retried),
        counters=counters or Counters(),
        spans=spans or Spans(),
        at_once=settings.concurrency,
        salt=salt,
    )


def _embedder(
    name: str, settings: Inference, dimensions: int | None, secrets: Source, environ: Mapping[str, str]
) -> Embedder:
    if settings.provider == "offline":
        from strata_git.pipeline.models.embedding_offline import WordVectors

        return WordVectors(settings.model, dimensions)
    if settings.provider == "recorded":
        raise InferenceError(f"inference.{name}: recorded answers have no vectors.", hint="Name another entry.")
    key = secrets.get(settings.key) if settings.key else None
    try:
        from strata_git.pipeline.models.embedding_remote import RemoteVectors

        return RemoteVectors(name, filled(settings, secrets), key, environ, dimensions)
    except ImportError:
        raise _missing(name, settings, key) from None


def _missing(name: str, settings: Inference, key: str | None) -> MissingExtra:
    extra = "aws" if settings.provider == "bedrock" else "azure" if key is None else "pipeline"
    return MissingExtra(extra, f"inference.{name} ({settings.provider})")


def entry(pipelines: Pipelines, name: str) -> Inference:
    """What strata.yaml says of `inference.<name>`. Raises StrataError, naming the nearest, where it says nothing."""
    return named(pipelines.inference, name, "inference", "inference")


def _respondent(name: str, settings: Inference, root: Path, secrets: Source, environ: Mapping[str, str]) -> Respondent:
    if settings.provider == "offline":
        from strata_git.pipeline.models.offline import OfflineModel

        return OfflineModel(settings.model)
    if settings.provider == "recorded":
        from strata_git.pipeline.models.recorded import RecordedModel

        return RecordedModel(root / settings.model)
    key = secrets.get(settings.key) if settings.key else None
    try:
        from strata_git.pipeline.models.remote import RemoteModel

        return RemoteModel(name, filled(settings, secrets), key, environ)
    except ImportError:
        raise _missing(name, settings, key) from None
