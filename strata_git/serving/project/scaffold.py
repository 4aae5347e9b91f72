"""The files that a new service begins with, from the templates that come with git-strata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strata_git.resources import folder
from strata_git.serving.columns import Field, Signature
from strata_git.serving.golden import Golden

PYTHON, R = "service", "service-r"
KNOWN = {"skops": "skops", "joblib": "joblib", "pickle": "joblib", "mlflow": "mlflow", "onnx": "onnx"}
"""Format -> the template of predict.py that loads it."""
_STAND_IN = 'lambda _: [dict(zip(outputs["columns"], row, strict=True)) for row in outputs["rows"]]'
_VERSION = '\nVERSION = HERE.parents[2] / GOLDEN["model"].replace("@", "/")'


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new service is made of. `model` is how it is named in service.yaml, `metadata` that of the version that
    is served now; `named` (scikit-learn): its rows have the names of the columns.
    """

    name: str
    model: str
    lang: str
    signature: Signature
    metadata: Mapping[str, Any]
    with_code: bool
    named: bool = True

    @property
    def format(self) -> str:
        """The version's own."""
        return str(self.metadata["format"])

    @property
    def artifact(self) -> str:
        """Its file."""
        return str(self.metadata["artifact"])


def code_files(plan: Plan) -> dict[str, bytes]:
    """model-service/: path in it -> bytes; nothing where the service has no code of its own."""
    if plan.lang == "r":
        words = {"artifact": plan.artifact, "arguments": ""}
        return {name: _filled(R, name, words) for name in ("model.R", "packages.txt")}
    if not plan.with_code:
        return {}
    kind = KNOWN.get(plan.format, "other")
    return {"predict.py": _filled(PYTHON, f"predict-{kind}.py.in", _code_words(plan))}


def other_files(plan: Plan, *, golden: Golden | None) -> dict[str, bytes]:
    """Everything else: path in the service's directory -> bytes."""
    row = dict(zip(golden.inputs, golden.rows[0], strict=True)) if golden is not None else example(plan.signature)
    python = plan.with_code and plan.lang == "python"
    code = _filled(PYTHON, "code.yaml.in", {}).decode() if python else ""
    staged = "@" in plan.model and not plan.model.rpartition("@")[2].startswith("v")
    stage = plan.model.rpartition("@")[2]
    comment = f"     # whichever version is in {stage}" if staged else "     # this version for ever"
    words = {
        "name": plan.name, "model": plan.model, "lang": plan.lang, "code": f"\n{code}" if code else "",
        "model_comment": comment, "example": json.dumps(row, ensure_ascii=False),
        "inputs": "\n".join(f"| `{_cell(one.name)}` | {_type(one)} |" for one in plan.signature.inputs),
        "outputs": ", ".join(f"`{one.name}` ({_type(one)})" for one in plan.signature.outputs),
        "changes": _changes(stage if staged else ""), "files": _listed(plan, golden is not None),
    }  # fmt: skip
    files = {
        "service.yaml": _filled(PYTHON, "service.yaml.in", words).rstrip(b"\n") + b"\n",
        "README.md": _filled(PYTHON, "README.md.in", words),
    }
    if golden is not None:
        files["tests/golden.json"] = golden.text
    if python:
        files["pyproject.toml"] = _filled(PYTHON, "pyproject.toml.in", words)
        if golden is not None:
            files["tests/test_predict.py"] = _filled(PYTHON, "test_predict.py.in", {**words, **_test_words(plan)})
    return files


def example(signature: Signature) -> dict[str, Any]:
    """One row that the model takes: nought, false and empty text."""
    return {field.name: _blank(field, field.inner) for field in signature.inputs}


def _blank(field: Field, inner: tuple[int, ...]) -> Any:
    if inner:
        return [_blank(field, inner[1:])] * inner[0]
    return {"string": "", "bool": False}.get(field.type, 0)


def _type(field: Field) -> str:
    words = {"string": "text", "bool": "true or false"}
    told = words.get(field.type) or ("a number" if field.is_float else "a whole number")
    return f"{told}, of shape {list(field.inner)}" if field.inner else told


def _changes(stage: str) -> str:
    if not stage:
        return "The version that answers is fixed: write another one into `service.yaml` when you want to."
    return f"As soon as another version is promoted to {stage}, that one answers, without a restart."


def _listed(plan: Plan, golden: bool) -> str:
    rows = []
    if golden:
        rows.append(("tests/golden.json", "rows that the model has not learned from, and what it answers to them"))
    if plan.lang == "r":
        rows.append(("model-service/model.R", "how the model is loaded and asked: two functions"))
        rows.append(("model-service/packages.txt", "Debian packages that they need"))
    elif plan.with_code:
        rows.append(("model-service/predict.py", "how the model is loaded and asked: two functions"))
        rows.append(("tests/test_predict.py", "a test of them; `git strata service test` runs all that are there"))
        rows.append(("pyproject.toml", "what ruff, pytest and coverage ask of that code"))
    return "".join(f"| `{name}` | {what} |\n" for name, what in rows)


def _code_words(plan: Plan) -> dict[str, str]:
    names = [field.name for field in plan.signature.inputs]
    rows = "[[row[name] for name in COLUMNS] for row in rows]"
    return {
        "columns": _literal(names), "artifact": plan.artifact,
        "trusted": _literal(list(plan.metadata.get("trusted_types", ()))),
        "pandas": "\nimport pandas as pd" if plan.named else "",
        "table": "pd.DataFrame(rows, columns=COLUMNS)" if plan.named else rows,
    }  # fmt: skip


def _test_words(plan: Plan) -> dict[str, str]:
    if KNOWN.get(plan.format) != "onnx":
        return {"model": "predict.load(str(VERSION))", "version": _VERSION}
    return {"model": _STAND_IN, "version": ""}


def _literal(values: list[str]) -> str:
    """A list as Python source, one value a line where one line would be too long."""
    short = "[" + ", ".join(map(json.dumps, values)) + "]"
    if len(short) <= 80:
        return short
    return "[\n" + "".join(f"    {json.dumps(value)},\n" for value in values) + "]"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _filled(directory: str, name: str, words: Mapping[str, str]) -> bytes:
    text = (folder("templates") / directory / name).read_text()
    for word, value in words.items():
        text = text.replace("{{" + word + "}}", value)
    return text.encode()
