"""Writes tfc/schemas/*.schema.json from the contracts' models, for editors and for tools that are not ours.

`python scripts/schemas.py` writes them, `python scripts/schemas.py --check` only tells whether they are up to date. A
schema says what JSON Schema can say; the contract may ask more. What is valid by the contract is valid by the schema.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from strata_git import config
from strata_git.config import _KEYS as KEYS
from strata_git.config import _LISTS as LISTS
from strata_git.config import _OPEN as OPEN
from strata_git.contracts import (
    chain,
    dataset,
    experiment,
    index_document,
    model,
    pipeline,
    policy,
    prompt,
    run,
    service,
)
from strata_git.contracts.base import whole
from strata_git.load import dump_json

SCHEMAS = Path(__file__).parent.parent / "tfc" / "schemas"
DIALECT = "http://json-schema.org/draft-07/schema#"
"""The draft that editors read best; we say nothing that it cannot."""
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""What pydantic lets through, of a type that it cannot look into -> the keyword that is meant."""
MODELS: dict[str, type[BaseModel]] = {
    "chain": chain.Chain,
    "dataset-metadata": dataset.DatasetMetadata,
    "experiment": experiment.Experiment,
    "golden": service.GoldenPredictions,
    "model-metadata": model.ModelMetadata,
    "model-metrics": model.ModelMetrics,
    "prompt-body": prompt.PromptBody,
    "prompt-metadata": prompt.PromptMetadata,
    "run-config": experiment.RunConfig,
    "run-metrics": run.RunMetrics,
    "run-record": run.RunRecord,
    "service": service.Service,
    "system": run.System,
    "trust-policy": policy.TrustPolicy,
}
ANSWERS: dict[str, type[BaseModel]] = {"index": index_document.IndexDocument}
"""What commands write for programs; these schemas lie in a folder of their own, as no editor wants them."""
SETTINGS = {
    ("repository",): "The identity of the repository, made once by `git strata init`; signed events carry it.",
    ("lfs",): "Whether payload of datasets, models and runs must be stored with Git LFS.",
    ("signing", "key"): "Key id, fingerprint or SSH public key that signs; git's own user.signingkey when left out.",
    ("signing", "required"): "Whether promotion needs a signed artifact.",
    ("signing", "on_commit"): "Whether the commit hook signs what it seals.",
    ("doctor", "select"): "Rules, or beginnings of their ids: only these are told.",
    ("doctor", "ignore"): "Rules, or beginnings of their ids: these are not told.",
    ("runs", "plugins"): "Plugins that other packages bring, so that experiments may name them.",
    ("runs", "record_user"): "Whether a run's record names the user, by git's user.name.",
    ("tracking", "to"): "Where runs are shown beside their records (TFC-0010 section 5).",
    ("commits", "trailers"): "Whether commit messages name the artifacts they touch (TFC-0001 section 10).",
    ("secrets", "allow"): "What looks like a secret and is none: patterns of whole matches, or sha256:HEX of a match.",
}
"""What each setting means; those of config.py that are not told here are still in the schema."""


class Generator(GenerateJsonSchema):
    """pydantic's schemas without the titles it makes up, and with the keys of mappings judged too."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        """Never: a title made from a name says nothing more than the name."""
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A mapping: any key that is a word of the right kind, one kind of value."""
        keys = {k: v for k, v in self.generate_inner(schema["keys_schema"]).items() if k != "type"}
        made: JsonSchemaValue = {"type": "object"}
        made |= {"minProperties": schema["min_length"]} if "min_length" in schema else {}
        made |= {"propertyNames": keys} if keys else {}
        values: CoreSchema = schema["values_schema"]
        return made | {"additionalProperties": self.generate_inner(values) or True}


def schemas() -> dict[str, bytes]:
    """File name -> bytes of every schema."""
    made = {name: _contract(contract) for name, contract in MODELS.items()} | {"settings": _settings()}
    made |= {f"answers/{name}": _contract(contract) for name, contract in ANSWERS.items()}
    return {
        f"{name}.schema.json": dump_json(_headed(name.rpartition("/")[2], schema))
        for name, schema in sorted(made.items())
    }


def _headed(name: str, schema: JsonSchemaValue) -> JsonSchemaValue:
    return {"$schema": DIALECT, "$id": f"urn:strata:schema:{name}", **_as_draft_7(schema)}


def _as_draft_7(value: Any, *, names: bool = False) -> Any:
    """Definitions where the draft looks for them, nothing beside a reference, bounds by their names.

    `names`: the keys of `value` are names of properties, no keywords.
    """
    if isinstance(value, list):
        return [_as_draft_7(item) for item in value]
    if not isinstance(value, dict):
        return value.replace("#/$defs/", "#/definitions/") if isinstance(value, str) else value
    if names:
        return {key: _as_draft_7(item) for key, item in value.items()}
    made = {
        {"$defs": "definitions", **_BOUNDS}.get(key, key): item
        if key in ("const", "default", "enum", "examples")
        else _as_draft_7(item, names=key in ("properties", "$defs", "definitions"))
        for key, item in value.items()
    }
    if (
        "required" in made and "properties" not in made
    ):  # what is required is declared beside it, says ajv's strict mode
        made["properties"] = dict.fromkeys(made["required"], True)
    if "$ref" in made and len(made) > 1:
        made = {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return made


def _contract(contract: type[BaseModel]) -> JsonSchemaValue:
    made = contract.model_json_schema(by_alias=True, mode="validation", schema_generator=Generator)
    for part in (made, *made.get("$defs", {}).values()):
        _entitle(part)
    tidy: JsonSchemaValue = _tidied(made)
    return {key: tidy.pop(key) for key in ("title", "description") if key in tidy} | tidy


def _entitle(schema: JsonSchemaValue) -> None:
    """The title is the docstring's first words, the description all of it."""
    words = " ".join(str(schema.get("description", "")).split())
    if not words:
        return  # a type without a class of its own
    schema["description"] = words.replace("`", "")
    schema["title"] = re.split(r"[.:;,(](?:\s|$)|\s\(", words.replace("`", ""), maxsplit=1)[0]


def _tidied(value: Any) -> Any:
    """Without what says nothing: a whole number beside a number, and `default: null` beside `null`."""
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    if not isinstance(value, dict):
        return value
    tidy = {key: _tidied(item) for key, item in value.items()}
    if "oneOf" in tidy:
        tidy.pop("discriminator", None)  # a word of OpenAPI, not of JSON Schema
    either = tidy.get("anyOf", [])
    if isinstance(either, list) and {"type": "integer"} in either and {"type": "number"} in either:
        rest = [one for one in either if one not in ({"type": "integer"}, {"type": "number"})]
        del tidy["anyOf"]
        tidy |= {"anyOf": [{"type": "number"}, *rest]} if rest else {"type": "number"}
    return tidy


def _settings() -> JsonSchemaValue:
    """The settings, which config.py reads by hand: its tables, put as a schema, with the sections of pipelines.

    Other open sections may hold anything.
    """
    pipelines = _contract(pipeline.Pipelines)
    top: dict[str, JsonSchemaValue] = {section: {} for section in OPEN} | {"schema": {"const": config.SCHEMA}}
    top |= pipelines["properties"]
    sections = {section: {"type": "object"} for section in pipelines["properties"]}  # parts, so no more is asked
    profile = {"type": "object", "properties": sections, "additionalProperties": False}
    top["profiles"] = {"type": "object", "additionalProperties": profile}
    for path, (_, kind) in KEYS.items():
        said: JsonSchemaValue = {"description": SETTINGS[path]} if path in SETTINGS else {}
        if kind is tuple:
            word = {"type": "string", "pattern": whole(LISTS[path[0]][0].pattern)}
            said |= {"type": "array", "items": word}
        else:
            said["type"] = {str: "string", bool: "boolean"}[kind]
        if path == ("repository",):
            said["pattern"] = whole("", config.UUID.pattern)
        if path == ("tracking", "to"):
            said["enum"] = list(config.TRACKERS)
        place = top
        for section in path[:-1]:
            inner = place.setdefault(section, {"type": "object", "properties": {}, "additionalProperties": False})
            place = inner["properties"]
        place[path[-1]] = said
    return {
        "title": "strata.yaml",
        "description": "The settings of a workspace (TFC-0001 section 4).",
        "type": "object",
        "properties": top,
        "additionalProperties": False,
        "$defs": pipelines["$defs"],
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare them; 1 when they differ."""
    wanted = schemas()
    there = {path.relative_to(SCHEMAS).as_posix(): path.read_bytes() for path in SCHEMAS.rglob("*.json")}
    if "--check" in arguments:
        return int(there != wanted)
    (SCHEMAS / "answers").mkdir(parents=True, exist_ok=True)
    for name in there.keys() - wanted.keys():
        (SCHEMAS / name).unlink()
    for name, data in wanted.items():
        (SCHEMAS / name).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
