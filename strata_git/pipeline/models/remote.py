"""Models behind a network, by pydantic-ai's direct API: OpenAI's protocol, Azure's deployments, Amazon Bedrock.

The vendors' SDKs make one attempt; `asking` decides about more. What they raise becomes an InferenceError that says
what a person can do about it and holds nothing of the question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strata_git.contracts.pipeline import Inference
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.models.client import Answer, Listener, Question
from strata_git.pipeline.models.failures import FILTERED, translated

if TYPE_CHECKING:
    from openai import AsyncAzureOpenAI, AsyncOpenAI
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters

KEYLESS = "none"
"""What a server without keys is told, because the SDK insists on one."""
_SETTINGS = {"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_tokens", "seed": "seed",
             "stop": "stop_sequences"}  # fmt: skip


class RemoteModel:
    """One model of one provider. `key` is the secret's value, None where the machine's own identity is used."""

    def __init__(self, name: str, settings: Inference, key: str | None, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._name = f"{settings.provider}:{settings.deployment or settings.model}"
        self._told = name
        self._model = _model(settings, key, environ)

    @property
    def name(self) -> str:
        endpoint = self._settings.endpoint
        return f"{self._name}@{endpoint}" if endpoint and self._settings.provider == "openai" else self._name

    async def respond(self, question: Question, on_text: Listener | None = None) -> Answer:
        from pydantic_ai import direct

        messages = _messages(question)
        settings: Any = {_SETTINGS[key]: value for key, value in question.parameters.items() if key in _SETTINGS}
        settings["request_timeout"] = self._settings.timeout_s
        asked = _request(self._model, question)
        with translated(self._told):
            if on_text is None:
                return _answer(
                    await direct.model_request(
                        self._model, messages, model_settings=settings, model_request_parameters=asked
                    )
                )
            async with direct.model_request_stream(
                self._model, messages, model_settings=settings, model_request_parameters=asked
            ) as stream:
                async for event in stream:
                    if text := _text_of(event):
                        on_text(text)
                return _answer(stream.get())

    async def close(self) -> None:
        """Close the SDK's connections."""
        client: Any = getattr(self._model, "client", None)
        closing = getattr(client, "close", None)
        if closing is not None and self._settings.provider != "bedrock":
            await closing()


def _model(settings: Inference, key: str | None, environ: Mapping[str, str]) -> Model:
    """pydantic-ai's model over an SDK client that makes one attempt."""
    if settings.provider == "bedrock":
        from pydantic_ai.models.bedrock import BedrockConverseModel
        from pydantic_ai.providers.bedrock import BedrockProvider

        return BedrockConverseModel(
            settings.model, provider=BedrockProvider(bedrock_client=bedrock_client(settings, key, environ))
        )
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.azure import AzureProvider
    from pydantic_ai.providers.openai import OpenAIProvider

    if settings.provider == "azure-openai":
        azure = azure_client(settings, key)
        return OpenAIChatModel(settings.deployment or settings.model, provider=AzureProvider(openai_client=azure))
    return OpenAIChatModel(settings.model, provider=OpenAIProvider(openai_client=openai_client(settings, key)))


def azure_client(settings: Inference, key: str | None) -> AsyncAzureOpenAI:
    """The SDK's client of an Azure deployment, which makes one attempt; without a key, Azure's own identity."""
    from openai import AsyncAzureOpenAI

    return AsyncAzureOpenAI(
        azure_endpoint=settings.endpoint or "", api_version=settings.api_version or "2024-10-21", api_key=key,
        azure_ad_token_provider=None if key else _identity(), max_retries=0, timeout=settings.timeout_s,
    )  # fmt: skip


def openai_client(settings: Inference, key: str | None) -> AsyncOpenAI:
    """The SDK's client of OpenAI, or of whoever speaks its protocol, which makes one attempt."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(base_url=settings.endpoint, api_key=key or KEYLESS, max_retries=0, timeout=settings.timeout_s)


def bedrock_client(settings: Inference, key: str | None, environ: Mapping[str, str]) -> Any:
    """botocore's client; `key` is a Bedrock API key (a bearer token), else the SDK finds credentials by itself."""
    import boto3
    import botocore.session
    from botocore.config import Config
    from botocore.tokens import FrozenAuthToken

    config = Config(
        connect_timeout=10, read_timeout=settings.timeout_s, retries={"total_max_attempts": 1},
        user_agent_extra="git-strata", **({"signature_version": "bearer"} if key else {}),
    )  # fmt: skip
    region = settings.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    below = botocore.session.get_session()
    if key:
        below.register_component("token_provider", _Token(FrozenAuthToken(key)))
    session = boto3.session.Session(region_name=region, botocore_session=below)
    return session.client("bedrock-runtime", endpoint_url=settings.endpoint, config=config)


class _Token:
    """What botocore asks for a bearer token."""

    def __init__(self, token: Any) -> None:
        self._token = token

    def load_token(self, **_: Any) -> Any:
        return self._token


def _identity() -> Any:
    """Azure's own chain of identities: the environment, a managed identity, the CLI."""
    from azure.identity.aio import DefaultAzureCredential, get_bearer_token_provider

    return get_bearer_token_provider(DefaultAzureCredential(), "https://cognitiveservices.azure.com/.default")


def _messages(question: Question) -> list[ModelMessage]:
    from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart, TextPart, UserPromptPart

    made: list[ModelMessage] = []
    for one in question.messages:
        if one.role == "assistant":
            made.append(ModelResponse(parts=[TextPart(one.content)]))
        else:
            part = SystemPromptPart(one.content) if one.role == "system" else UserPromptPart(one.content)
            made.append(ModelRequest(parts=[part]))
    return made


def _request(model: Model, question: Question) -> ModelRequestParameters:
    """How the answer's schema is asked for: natively where the model knows how, else in words."""
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition

    if question.schema is None:
        return ModelRequestParameters()
    native = bool(model.profile.get("supports_json_schema_output"))
    wanted = OutputObjectDefinition(json_schema=dict(question.schema), name="answer")
    return ModelRequestParameters(output_mode="native" if native else "prompted", output_object=wanted)


def _text_of(event: Any) -> str:
    """The text that an event of a stream brings."""
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""


def _answer(response: ModelResponse) -> Answer:
    from pydantic_ai.messages import TextPart

    usage = response.usage
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    if response.finish_reason == "content_filter" and not text:
        raise InferenceError(FILTERED, hint="Ask something else; nothing here can change it.")
    return Answer(
        text,
        model=response.model_name or "",
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cached_tokens=usage.cache_read_tokens or 0,
        counted=bool(usage.input_tokens or usage.output_tokens),
        finish=str(response.finish_reason or "stop"),
    )
