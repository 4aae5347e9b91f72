"""The interface's description and the pages: true to the model, valid, harmless."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from strata_git.serving.api.app import create_app
from strata_git.serving.columns import signature_of
from strata_git.serving.golden import Golden
from strata_git.serving.router import Router
from tests.serving.api.application import RECORD, Scores, application, ask, service
from tests.serving.models import MIXED

DOCS = Path(__file__).parent.parent.parent.parent / "docs" / "serving-api.md"
GOLDEN = Golden("models/churn@v3", ("petal", "sepal"), ((None, 1.0), (4, 5.5)), ("score",), ((1.0,), (2.0,)))
AUTH = {"auth": {"keys": [{"name": "billing", "sha256": "0" * 64}]}}


def resolved(document: Any, schema: Any) -> Any:
    return {**schema, "$ref": "#/components" + schema["$ref"][12:], "components": document["components"]}


def test_the_document_is_valid_and_has_the_models_own_columns() -> None:
    app = application(Scores(MIXED), said={"runtime": {"nan": "pass"}, "description": "Tells who leaves."})
    document = ask(app, "/openapi.json").json
    validate(document)
    record = document["components"]["schemas"]["Record"]
    kinds = {name: (one["type"], one.get("minimum"), one.get("maxItems")) for name, one in record["properties"].items()}
    assert kinds == {
        "age": ("integer", -(2**31), None), "weight": (["number", "null"], -3.4028234663852886e38, None),
        "plan": ("string", None, None), "active": ("boolean", None, None), "trace": ("array", None, 2),
    }  # fmt: skip
    assert (record["required"], record["additionalProperties"]) == (list(kinds), False)
    assert "Tells who leaves." in document["info"]["description"]
    assert "security" not in document
    validate(ask(create_app(service(), Router()), "/openapi.json").json)
    keyed = application(said={"api": AUTH}).openapi()
    validate(keyed)
    assert keyed["security"] == [{"key": []}, {"bearer": []}]


def test_what_is_documented_is_what_is_answered_for_every_shape() -> None:
    app = application(golden=GOLDEN)
    document = ask(app, "/openapi.json").json
    schemas = document["components"]["schemas"]
    holder = {"components": {"schemas": schemas}}
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert list(content["examples"]) == ["records", "columns", "split"]
    for example in content["examples"].values():
        jsonschema.validate(example["value"], {"$ref": "#/components/schemas/PredictRequest", **holder})
        got = ask(app, "/predict", example["value"])
        assert got.json == {"predictions": [{"score": 23.0}]}
        jsonschema.validate(got.json, {"$ref": "#/components/schemas/PredictResponse", **holder})
    infer = document["paths"]["/v2/models/churn/infer"]["post"]["requestBody"]["content"]["application/json"]
    got = ask(app, "/v2/models/churn/infer", infer["example"])
    jsonschema.validate(got.json, {"$ref": "#/components/schemas/InferResponse", **holder})
    for bad in ({"records": [{**RECORD, "x": 1}]}, {"records": [{"sepal": 1}]}, {"records": []}, {}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, {"$ref": "#/components/schemas/PredictRequest", **holder})
        assert ask(app, "/predict", bad).status == 422
    for path, operations in document["paths"].items():
        if "get" in operations:
            got = ask(app, path)
            assert str(got.status) in operations["get"]["responses"], path
            assert got.headers["content-type"].partition(";")[0] in operations["get"]["responses"]["200"]["content"]
    routes = {one.path for one in app.framework.routes}
    assert {path.replace("churn", "{model}").replace("v3", "{version}") for path in document["paths"]} == {
        one for one in routes if one not in ("/v2/", "/assets/{name}")
    }  # fmt: skip


def test_the_prototype_is_one_valid_record() -> None:
    assert ask(application(), "/prototype").json == {"sepal": 0.0, "petal": 0.0}
    app = application(golden=GOLDEN)
    assert ask(app, "/prototype").json == {"sepal": 5.5, "petal": 4}
    for backend in (Scores(MIXED), Scores(signature_of({"signature": {
        "inputs": [{"name": "a", "type": kind, "shape": [None, 2, 3]} for kind in ("float16",)],
        "outputs": [{"name": "b", "type": "string"}]}}))):  # fmt: skip
        one = application(backend, golden=GOLDEN)
        backend.answer = lambda table: {"score": table.arrays[0].reshape(table.rows, -1)[:, 0]}
        assert ask(one, "/predict", {"records": [ask(one, "/prototype").json]}).status == 200


class Tags(HTMLParser):
    """Tags, and attributes that could run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.sources: list[str | None] = []
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style" or (value or "").lower().startswith(("javascript:", "http:")):
                self.bad.append(f"{tag} {name}={value}")
            if name in ("src", "href"):
                self.sources.append(value)


HOSTILE = """---
license: mit
x: <script>alert(1)</script>
---
# Card <img src=x onerror=alert(1)>

<script>alert(2)</script> [a](javascript:alert(3)) [b](https://example.org/x) [c](//evil.example) ![p](https://evil.example/p.png)

| a | b |
|--:|---|
| <b onclick=x>1</b> | \u202e2 |

```"><script>
code
```
[d](https://u:p@evil.example/) [e](data:text/html,x) <https://example.org/auto>
"""


def test_pages_run_nothing_but_our_own_script() -> None:
    columns = [
        {"name": "<script>alert(1)</script>", "type": "float64"},
        {"name": '"><img onerror=x>', "type": "string"},
    ]
    strange = signature_of({"signature": {"inputs": columns, "outputs": [{"name": "</pre><b>", "type": "float64"}]}})
    app = application(Scores(strange), card=HOSTILE, said={"description": "<b onload=x> & </p>"})
    for path, accept in (("/", "*/*"), ("/docs", "*/*"), ("/card", "text/html,*/*")):
        got = ask(app, path, accept=accept)
        policy = got.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        page = Tags()
        page.feed(got.body.decode())
        assert (page.bad, page.tags & {"iframe", "img", "object", "style", "base", "b"}) == ([], set()), path
        assert ("script" in page.tags) == (path == "/")
        scripts = re.findall(r"<script[^>]*>", got.body.decode())
        assert scripts == (['<script src="/assets/tryit.js" defer>'] if path == "/" else [])
    card = ask(app, "/card", accept="text/html").body.decode()
    assert card.count("href=") == 2 + 2  # the style sheet, the icon, and the two links of the web
    assert "license: mit" not in card
    assert "[picture: p]" in card
    assert "\u202e" not in card
    plain = ask(app, "/card")
    assert (plain.headers["content-type"], plain.body.decode()) == ("text/markdown; charset=utf-8", HOSTILE)
    assert ask(application(card=lambda provenance: f"# {provenance.reference}"), "/card").body == b"# churn@v3"
    script = ask(app, "/assets/tryit.js")
    assert (script.headers["content-type"], b"innerHTML" in script.body) == ("text/javascript; charset=utf-8", False)
    assert ask(app, "/assets/app.py").status == 404


def test_a_card_without_a_parser_is_shown_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from strata_git.serving.api.card import card_html

    monkeypatch.setitem(sys.modules, "markdown_it", None)
    assert card_html("# A <b>\n") == "<pre># A &lt;b&gt;\n</pre>"


# --- docs/serving-api.md


def blocks() -> list[tuple[str, str]]:
    """Requests of the page and the answers that stand below them."""
    text = DOCS.read_text()
    return re.findall(r"```http\n(.*?)```\n+```(?:json|text|csv)\n(.*?)```", text, re.DOTALL)


def test_the_reference_says_what_is_answered() -> None:
    app = application(golden=GOLDEN)
    examples = blocks()
    assert len(examples) >= 8
    for request, answer in examples:
        head, _, body = request.strip().partition("\n\n")
        first, *lines = head.splitlines()
        method, path = first.split()
        headers = {name.replace("-", "_"): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        got = ask(app, path, (body.strip() + "\n").encode() if body else None, method, **headers)
        status, _, said = answer.partition("\n")
        assert f"{got.status}" == status.strip(), (request, got.body)
        assert got.body.decode().replace("\r\n", "\n").strip() == said.strip(), request


def test_the_reference_names_every_route_header_and_status() -> None:
    text = DOCS.read_text()
    app = application()
    document = app.openapi()
    paths: Any = document["paths"]
    for path in paths:
        assert f"`{path.replace('churn', 'M').replace('v3', 'V')}`" in text, path
    for name in document["components"]["headers"]:  # type: ignore[index]
        assert f"`{name}`" in text, name
    for status in {status for one in paths.values() for operation in one.values() for status in operation["responses"]}:
        assert f"| {status} |" in text, status
    figures = {
        line.split("{")[0].split()[0] for line in ask(app, "/metrics").body.decode().splitlines() if line[0] != "#"
    }
    for figure in {re.sub(r"_(bucket|sum|count)$", "", name) for name in figures if name.startswith("strata_")}:
        assert f"`{figure}`" in text, figure


def test_every_attack_on_the_page_has_its_test() -> None:
    rows = re.findall(r"^\| .+ \| .+ \| (`tests/.+`) \|$", DOCS.read_text(), re.MULTILINE)
    assert len(rows) >= 12
    for name in (name for row in rows for name in re.findall(r"`([^`]+)`", row)):
        path, _, test = name.partition("::")
        assert f"def {test}(" in (DOCS.parent.parent / path).read_text(), name
