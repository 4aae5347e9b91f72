"""What an experiment says to the plugins that start programs, read once and refused before the run has a number.

`command` and `notebook` share it: outputs, metrics, a model, the environment, a directory and a limit in time. All
files that are named lie below artifact_dir.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from strata_git.contracts.words import path_inside
from strata_git.errors import UsageError, printable
from strata_git.runs.plugins.command_process import GRACE
from strata_git.runs.plugins.command_text import named

SHARED = {"outputs", "metrics", "model", "env", "pass_env", "cwd", "timeout", "grace", "code"}
"""Keys of params that both plugins know."""
METRIC_FORMATS = (".json", ".yaml", ".yml", ".csv")
RESERVED = ("model.json", "metrics.jsonl")
"""Files of artifact_dir that a record writes itself: how the model is described, and every measured value."""
_MODEL_TEXTS = ("file", "format", "framework", "framework_version", "task", "description")
_MODEL_LISTS = ("inputs", "outputs", "trusted_types", "companions")


@dataclass(frozen=True, slots=True)
class MetricsSaid:
    """Where metrics are written ("" where they are only said aloud), which of them are better when lower (names, or
    patterns of names), and the difference that does not count."""

    file: str = ""
    lower: tuple[str, ...] = ()
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """What an experiment says, checked; paths are relative, `outputs`, `metrics.file` and what `model` names to
    artifact_dir, `cwd` and `code` to the work tree. Seconds; no `timeout` is none."""

    outputs: Mapping[str, str] = field(default_factory=dict)
    metrics: MetricsSaid = MetricsSaid()
    model: Mapping[str, Any] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    cwd: str = "."
    timeout: float | None = None
    grace: float = GRACE


def read_told(params: Mapping[str, Any]) -> Told:
    """What `params` say of all that the plugins share. UsageError for what cannot be meant."""
    outputs = {
        _plain_name(name, "params.outputs"): _path(value, f"params.outputs.{name}")
        for name, value in _mapping(params, "outputs").items()
    }
    if taken := [name for name, path in outputs.items() if path in RESERVED]:
        raise UsageError(
            f"params.outputs.{printable(taken[0])} is called as a file that the record itself has.",
            hint=f"Another name than {' and '.join(RESERVED)}.",
        )
    code_paths(params)
    return Told(
        outputs=outputs,
        metrics=_metrics(params.get("metrics")),
        model=_model(params.get("model"), outputs),
        env={
            _variable(name): _scalar(value, f"params.env.{printable(str(name))}")
            for name, value in _mapping(params, "env").items()
        },
        pass_env=tuple(_texts(params.get("pass_env", []), "params.pass_env")),
        cwd=_directory(params.get("cwd", ".")),
        timeout=None if params.get("timeout") is None else _seconds(params["timeout"], "params.timeout"),
        grace=_seconds(params.get("grace", GRACE), "params.grace"),
    )


def code_paths(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The files and directories of the work tree that `params.code` says are all the code; empty: nothing was said."""
    return tuple(_path(one, "params.code") for one in _texts(params.get("code", []), "params.code"))


def refuse_unknown(params: Mapping[str, Any], known: set[str], texts: Iterable[str]) -> None:
    """UsageError for a key of params that is neither known nor used in `texts` by a placeholder `${params.KEY...}`."""
    used = {name.split(".")[1] for text in texts for name in named(text) if name.startswith("params.")}
    strange = sorted(set(params) - known - used)
    if strange:
        name = printable(strange[0])
        raise UsageError(
            f"params.{name} is neither known nor used.",
            hint=f"Known: {', '.join(sorted(known))}. A value of your own is used as ${{params.{name}}}.",
        )


def _metrics(said: Any) -> MetricsSaid:
    if said is None:
        return MetricsSaid()
    if isinstance(said, str):
        said = {"file": said}
    if not isinstance(said, Mapping) or set(said) - {"file", "lower", "tolerance"}:
        raise UsageError(
            "params.metrics must be a file, or a mapping of file, lower and tolerance.",
            hint="For example metrics: {file: metrics.json, lower: [test_loss], tolerance: 0.01}",
        )
    file = _path(said["file"], "params.metrics.file") if "file" in said else ""
    if file and not file.endswith(METRIC_FORMATS):
        raise UsageError(
            f"params.metrics.file '{printable(file)}' is of no form that is read.",
            hint=f"It must end in {', '.join(METRIC_FORMATS)}.",
        )
    tolerance = said.get("tolerance", 0)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or tolerance < 0:
        raise UsageError("params.metrics.tolerance must be a number from 0 on.")
    return MetricsSaid(file, tuple(_texts(said.get("lower", []), "params.metrics.lower")), float(tolerance))


def _model(said: Any, outputs: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What the experiment says of the model; its file may be named by an output."""
    if said is None:
        return None
    known = {*_MODEL_TEXTS, *_MODEL_LISTS}
    if not isinstance(said, Mapping) or set(said) - known:
        strange = printable(str(min(set(said) - known))) if isinstance(said, Mapping) else ""
        raise UsageError(
            f"params.model.{strange} is not known." if strange else "params.model must be a mapping.",
            hint=f"Known: {', '.join((*_MODEL_TEXTS, *_MODEL_LISTS))}.",
        )
    for key in _MODEL_TEXTS:
        if key in said and (not isinstance(said[key], str) or not said[key]):
            raise UsageError(f"params.model.{key} must be text.")
    for key in ("file", "format", "framework"):
        if key not in said:
            raise UsageError(f"params.model must say its {key}.", hint="For example file: model.onnx, format: onnx")
    for key in _MODEL_LISTS:
        if not isinstance(said.get(key, []), list):
            raise UsageError(f"params.model.{key} must be a list.")
    made = {**said, "file": _path(outputs.get(said["file"], said["file"]), "params.model.file")}
    made["companions"] = [
        _path(outputs.get(one, one), "params.model.companions")
        for one in _texts(said.get("companions", []), "params.model.companions")
    ]
    if "description" in said:
        made["description"] = _path(outputs.get(said["description"], said["description"]), "params.model.description")
    return made


def _mapping(params: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = params.get(key, {})
    if not isinstance(value, Mapping):
        raise UsageError(f"params.{key} must be a mapping of names.")
    return value


def _texts(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise UsageError(f"{where} must be a list of texts.")
    yield from value


def _path(value: Any, where: str) -> str:
    try:
        return path_inside(value.removesuffix("/")) if isinstance(value, str) else path_inside("")
    except ValueError:
        raise UsageError(
            f"{printable(where)} must be a path inside, relative and without '..'.", hint="For example model.onnx"
        ) from None


def _directory(value: Any) -> str:
    return "." if value in (".", "./") else _path(value, "params.cwd")


def _plain_name(name: str, where: str) -> str:
    if not name or not all(part.isidentifier() for part in name.replace("-", "_").split(".")):
        raise UsageError(f"{where}: '{printable(name)}' is no name.", hint="Letters, digits, - and _.")
    return name


def _variable(name: str) -> str:
    if not name.isidentifier() or not name.isascii():
        raise UsageError(f"params.env: '{printable(name)}' is no name of a variable.")
    return name


def _scalar(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{where} must be text or a number.", hint="Put it in quotes.")
    return str(value)


def _seconds(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise UsageError(f"{where} must be a number of seconds above 0.")
    return float(value)
