"""Models of embeddings over the vendors' SDKs: anything of OpenAI's protocol, Azure's deployments, Amazon Bedrock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from strata_git.contracts.pipeline import Inference
from strata_git.pipeline.models.embedding import BATCH, Embedded
from strata_git.pipeline.models.failures import translated
from strata_git.pipeline.models.remote import azure_client, bedrock_client, openai_client

if TYPE_CHECKING:
    from pydantic_ai.embeddings import EmbeddingModel


class RemoteVectors:
    """One model of one provider. `key` is the secret's value, None where the machine's own identity is used."""

    def __init__(
        self, name: str, settings: Inference, key: str | None, environ: Mapping[str, str], dimensions: int | None
    ) -> None:
        self._told, self._settings, self._dimensions = name, settings, dimensions
        self._model, self._close = _model(settings, key, environ)
        self.batch = 16 if settings.provider == "bedrock" else BATCH  # Titan takes one a request, made side by side

    @property
    def name(self) -> str:
        settings = self._settings
        named = f"{settings.provider}:{settings.deployment or settings.model}"
        named += f"/{self._dimensions}" if self._dimensions else ""
        return f"{named}@{settings.endpoint}" if settings.endpoint and settings.provider == "openai" else named

    async def embed(self, texts: Sequence[str]) -> Embedded:
        asked: Any = {"dimensions": self._dimensions} if self._dimensions else {}
        with translated(self._told):
            made = await self._model.embed(list(texts), input_type="document", settings=asked)
        return Embedded(made.embeddings, made.usage.input_tokens or 0, counted=bool(made.usage.input_tokens))

    async def close(self) -> None:
        """Close the SDK's connections."""
        if self._close is not None:
            await self._close()


def _model(settings: Inference, key: str | None, environ: Mapping[str, str]) -> tuple[EmbeddingModel, Any]:
    """pydantic-ai's model over an SDK client that makes one attempt, and what closes that."""
    if settings.provider == "bedrock":
        from pydantic_ai.embeddings.bedrock import BedrockEmbeddingModel
        from pydantic_ai.providers.bedrock import BedrockProvider

        provider = BedrockProvider(bedrock_client=bedrock_client(settings, key, environ))
        return BedrockEmbeddingModel(settings.model, provider=provider), None
    from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
    from pydantic_ai.providers.azure import AzureProvider
    from pydantic_ai.providers.openai import OpenAIProvider

    if settings.provider == "azure-openai":
        azure = azure_client(settings, key)
        named = settings.deployment or settings.model
        return OpenAIEmbeddingModel(named, provider=AzureProvider(openai_client=azure)), azure.close
    client = openai_client(settings, key)
    return OpenAIEmbeddingModel(settings.model, provider=OpenAIProvider(openai_client=client)), client.close
