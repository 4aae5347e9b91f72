"""What editors make of the schemas: sound for other validators too, and found by the places docs/editors.md names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from strata_git import load
from tests.docs.test_schemas import BEYOND, NAMED, ROOT, SCHEMAS, judged, value_of
from tests.support import artifacts

TEXT = (ROOT / "docs/editors.md").read_text()
KEYWORDS = {
    "$id", "$ref", "$schema", "additionalProperties", "allOf", "anyOf", "const", "default", "definitions",
    "description", "else", "enum", "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "if", "items",
    "maxItems", "maxLength", "maximum", "minItems", "minLength", "minProperties", "minimum", "not", "oneOf", "pattern",
    "patternProperties", "properties", "propertyNames", "required", "then", "title", "type", "uniqueItems",
}  # fmt: skip
"""Those of draft-07 that we may use: what another validator does not know, it passes over in silence, or refuses."""


def block(name: str) -> object:
    found = re.findall(rf"^```json {name}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return json.loads(found[0])


def parts(schema: object, *, names: bool = False) -> list[dict[str, object]]:
    """Every schema within a schema."""
    if isinstance(schema, list):
        return [part for item in schema for part in parts(item)]
    if not isinstance(schema, dict):
        return []
    here = [] if names else [schema]
    below = {key: item for key, item in schema.items() if names or key not in ("const", "default", "enum", "examples")}
    return here + [
        part
        for key, item in below.items()
        for part in parts(item, names=not names and key in ("properties", "patternProperties", "definitions"))
    ]


@pytest.mark.parametrize("name", SCHEMAS)
def test_only_keywords_of_the_draft_are_used(name: str) -> None:
    for part in parts(SCHEMAS[name]):
        assert part.keys() <= KEYWORDS, part
        assert "$ref" not in part or part.keys() == {"$ref"}, "what stands beside a reference is not read"
        for words in (part.get("title", "x"), part.get("description", "x")):
            assert isinstance(words, str)
            assert words == words.strip()
            assert not words.endswith(":")
            assert "\n" not in words


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_bound_is_told(name: str) -> None:
    """A number that the contract bounds is bounded in the schema under a name that validators know."""
    text = (ROOT / f"tfc/schemas/{name}.schema.json").read_bytes()
    assert not re.search(rb'"(?:ge|gt|le|lt)":', text)
    assert text.isascii() or text.decode()
    assert not text.startswith(b"\xef\xbb\xbf")
    assert text.endswith(b"}\n")


def test_bounds_reach_the_schema() -> None:
    tolerance = json.dumps(SCHEMAS["model-metrics"])
    assert '"minimum": 0' in tolerance


# --- by place

FILES = (
    artifacts.workspace() | artifacts.dataset() | artifacts.model() | artifacts.prompt() | artifacts.run()
    | dict.fromkeys(["experiments/a.yaml", "chains/a.yaml", ".strata/trust/policy.yaml", "services/s/service.yaml",
                     "services/s/tests/golden.json"], b"")
)  # fmt: skip


def mapped() -> dict[str, str]:
    """Schema -> pattern of paths."""
    settings = block("editor-settings")
    assert isinstance(settings, dict)
    found = dict(settings["yaml.schemas"])
    return found | {row["url"].removeprefix("./"): row["fileMatch"][0] for row in settings["json.schemas"]}


def test_every_schema_has_its_place() -> None:
    assert {Path(path).name.removesuffix(".schema.json") for path in mapped()} == set(SCHEMAS)
    assert all((ROOT / path).is_file() for path in mapped())


def test_every_place_has_a_file_and_every_file_one_schema() -> None:
    for path, pattern in mapped().items():
        assert [file for file in FILES if fnmatchcase(f"/{file}", pattern)], (path, pattern)
    documents = [file for file in FILES if file.endswith((".yaml", ".json"))]
    for file in documents:
        assert sum(fnmatchcase(f"/{file}", pattern) for pattern in mapped().values()) == 1, file


def test_the_proposal_keeps_the_rules_of_the_catalogue() -> None:
    entries = block("schema-catalogue")
    assert isinstance(entries, list)
    assert len({entry["name"] for entry in entries}) == len(entries)
    for entry in entries:
        for words in (entry["name"], entry["description"]):
            assert "schema" not in words.lower()
            assert not words.endswith((",", ".", " ", "\t", "-"))
        for pattern in entry["fileMatch"]:
            assert "/" not in pattern or pattern.startswith("**/")
        assert (ROOT / "tfc/schemas" / entry["file"]).is_file()


# --- by another validator

SCRIPT = """
const Ajv = require("ajv").default, addFormats = require("ajv-formats").default;
const asked = JSON.parse(require("fs").readFileSync(0)), answers = {};
for (const [name, schema] of Object.entries(asked.schemas)) {
  const ajv = new Ajv({ strict: true });
  addFormats(ajv);
  const validate = ajv.compile(schema);
  answers[name] = (asked.values[name] || []).map((value) => validate(value));
}
console.log(JSON.stringify(answers));
"""


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("npm") is None, reason="ajv is a program for node, which is not installed")
def test_ajv_in_strict_mode_takes_them_and_judges_as_we_do(tmp_path: Path) -> None:
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "ajv@8", "ajv-formats@3"]
    subprocess.run(install, cwd=tmp_path, capture_output=True, check=True)
    wanted: dict[str, list[tuple[object, bool]]] = {}
    for one in judged():
        if one.complaint is None or not any(words in one.complaint for words in BEYOND):
            try:
                said = value_of(one), one.complaint is None
            except load.Unloadable:
                continue
            wanted.setdefault(NAMED.get(one.contract, one.contract), []).append(said)
    values = {name: [value for value, _ in rows] for name, rows in wanted.items()}
    done = subprocess.run(
        ["node", "-e", SCRIPT], cwd=tmp_path, input=json.dumps({"schemas": SCHEMAS, "values": values}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert {name: answers[name] for name in wanted} == {
        name: [good for _, good in rows] for name, rows in wanted.items()
    }
    assert len(answers) == len(SCHEMAS)
