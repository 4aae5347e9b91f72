"""The pages for people: a form to try the model, the interface, the model card. Our own script and style alone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

from strata_git.serving.api.answer import Answer
from strata_git.serving.api.card import card_html
from strata_git.serving.errors import RequestError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Mapping[str, str] = MappingProxyType({
    "content-security-policy": POLICY, "x-frame-options": "DENY", "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
})  # fmt: skip
_ASSETS: Mapping[str, str] = {
    "tryit.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def asset(name: str) -> Answer:
    """A file of ours. Raises RequestError (404)."""
    if name not in _ASSETS:
        raise RequestError("There is no such page here.", status=404)
    data = (Path(__file__).parent / "assets" / name).read_bytes()
    return Answer(data, _ASSETS[name], headers=HEADERS)


def try_page() -> bytes:
    """The form, empty: its script fills it from the interface's description."""
    return _page("Try the model", (
        '<p id="lead" class="quiet">Asking the service what it takes.</p>'
        '<form id="access" hidden><p>This service asks for a key or a token. It stays on this page.</p>'
        '<label for="key">Key</label> <input id="key" type="password" autocomplete="off" spellcheck="false" required>'
        ' <button type="submit">Go on</button></form>'
        '<form id="record" hidden novalidate><div id="fields"></div>'
        '<p><button type="submit">Predict</button></p></form>'
        '<div id="outcome" role="status" aria-live="polite"></div>'
        '<section id="origin" hidden><h2>Where the answer comes from</h2><table><tbody id="headers"></tbody></table>'
        '</section><noscript><p>The form needs JavaScript. <a href="/docs">The interface</a> is described without.</p>'
        "</noscript>"
    ), script=True)  # fmt: skip


def card_page(title: str, text: str) -> bytes:
    """The model card, made harmless."""
    return _page(f"Model card of {title}", f'<div class="prose">{card_html(text)}</div>')


def docs_page(document: Mapping[str, Any]) -> bytes:
    """An OpenAPI document for people: every operation, what it takes and what it says, the schemas."""
    info = document["info"]
    told = [f"<p>{escape(part)}</p>" for part in info["description"].split("\n\n")]
    told.append('<p><a href="/">Try the model</a> · <a href="/openapi.json">OpenAPI</a> · <a href="/card">Card</a></p>')
    told.append("<h2>Routes</h2>")
    for path, operations in document["paths"].items():
        for method, one in operations.items():
            told.append(_operation(method.upper(), path, one))
    told.append("<h2>Schemas</h2>")
    for name, schema in document["components"]["schemas"].items():
        told.append(f'<details id="{escape(name)}"><summary>{escape(name)}</summary>{_json(schema)}</details>')
    return _page(f"{info['title']} {info['version']}", "".join(told))


def _operation(method: str, path: str, one: Mapping[str, Any]) -> str:
    told = [f"<summary><strong>{method}</strong> <code>{escape(path)}</code> {escape(one['summary'])}</summary>"]
    for type_, said in one.get("requestBody", {}).get("content", {}).items():
        told.append(f"<h3>Takes <code>{escape(type_)}</code></h3>")
        examples = said.get("examples") or ({"example": {"value": said["example"]}} if "example" in said else {})
        told += [_json(example["value"]) for example in examples.values()]
        told.append(_link(said.get("schema", {})))
    told.append("<h3>Says</h3><table><tbody>")
    for status, said in one["responses"].items():
        types = ", ".join(said.get("content", {}))
        told.append(
            f"<tr><th scope='row'>{status}</th><td>{escape(said['description'])}</td><td>{escape(types)}</td></tr>"
        )
    told.append("</tbody></table>")
    return f"<details{' open' if path == '/predict' else ''}>{''.join(told)}</details>"


def _link(schema: Mapping[str, Any]) -> str:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return f'<p>Schema: <a href="#{escape(name)}">{escape(name)}</a></p>' if name else ""


def _json(value: Any) -> str:
    import orjson

    return f"<pre tabindex='0'>{escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())}</pre>"


def _page(title: str, body: str, *, script: bool = False) -> bytes:
    head = '<script src="/assets/tryit.js" defer></script>' if script else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="/assets/icon.svg" type="image/svg+xml">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/assets/page.css">{head}</head>'
        f'<body><main><h1>{escape(title)}</h1>{body}</main></body></html>'
    ).encode("utf-8", "replace")  # fmt: skip
