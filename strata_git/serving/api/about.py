"""What a service tells of itself: its model's card, where it comes from, one valid record, its figures, its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strata_git.serving.api import openapi, pages
from strata_git.serving.api.answer import HTML, Answer, json_answer
from strata_git.serving.api.protocol import is_ready

if TYPE_CHECKING:
    from strata_git.serving.api.asked import Asked
    from strata_git.serving.api.context import Context

MARKDOWN = "text/markdown; charset=utf-8"


async def ping(context: Context, _asked: Asked) -> Answer:
    """GET /ping: as /v2/health/ready, for who asks this way (MLflow, SageMaker, vetiver)."""
    good = await is_ready(context)
    return json_answer({"ping": "pong"} if good else {"ping": "not ready"}, 200 if good else 503)


async def provenance(context: Context, _asked: Asked) -> Answer:
    """GET /provenance: where the model in force comes from, and the routes beside it."""
    backend = context.current()
    beside = [
        {"mode": mode, "percent": percent, "model": one.provenance.reference}
        for mode, pairs in (("canary", context.router.canaries), ("shadow", context.router.shadows))
        for one, percent in pairs
    ]
    return json_answer({**backend.provenance.as_json(), "service": context.service.name, "routes": beside})


async def prototype(context: Context, _asked: Asked) -> Answer:
    """GET /prototype: one valid record."""
    return json_answer(context.prototype(context.current()))


async def card(context: Context, asked: Asked) -> Answer:
    """GET /card: the model card, as a page for browsers and as it was written for all others."""
    provenance = context.current().provenance
    text = context.card(provenance)
    if "text/html" in asked.header(b"accept"):
        return Answer(pages.card_page(provenance.reference, text), HTML, headers=pages.HEADERS)
    return Answer(text.encode("utf-8", "replace"), MARKDOWN)


async def metrics(context: Context, asked: Asked) -> Answer:
    """GET /metrics, for Prometheus."""
    body, type_ = context.metrics.rendered(asked.header(b"accept"))
    return Answer(body, type_)


async def document(context: Context, _asked: Asked) -> Answer:
    """GET /openapi.json."""
    return json_answer(described(context))


async def docs(context: Context, _asked: Asked) -> Answer:
    """GET /docs: the same for people."""
    return Answer(pages.docs_page(described(context)), HTML, headers=pages.HEADERS)


async def try_it(_context: Context, _asked: Asked) -> Answer:
    """GET /: a form to try the model with. The page itself tells nothing: its script asks, with a key if need be."""
    return Answer(pages.try_page(), HTML, headers=pages.HEADERS)


async def asset(_context: Context, asked: Asked) -> Answer:
    """GET /assets/NAME."""
    return pages.asset(asked.scope["path_params"]["name"])


def described(context: Context) -> dict[str, object]:
    """The service's OpenAPI document for the version in force; without one, of what answers always."""
    backend = context.router.current
    example = context.prototype(backend) if backend is not None else None
    return openapi.describe(
        context.service, backend.signature if backend is not None else None,
        backend.provenance if backend is not None else None, example,
    )  # fmt: skip
