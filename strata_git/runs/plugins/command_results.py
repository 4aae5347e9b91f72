"""What a program was to leave in artifact_dir: the declared outputs, and the model, described for a release."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from strata_git.contracts.layout import NAME
from strata_git.errors import StrataError, UsageError, printable
from strata_git.runs.plugin import ModelOutput
from strata_git.runs.plugins.command_params import RESERVED, Told

_FROM_FILE = ("framework_version", "task", "inputs", "outputs", "trusted_types", "companions")
_TASK = "other"


def check_model(said: Mapping[str, Any] | None) -> None:
    """UsageError where the experiment can be seen to describe no model that could be released."""
    if said is None:
        return
    if not NAME.fullmatch(said["format"]):
        raise UsageError(
            f"params.model.format '{printable(said['format'])}' is no name.", hint="For example onnx or safetensors."
        )
    if "framework_version" not in said and "description" not in said:
        raise UsageError(
            "params.model must say framework_version, or name a description that the program writes.",
            hint='description: about.json, holding {"framework_version": "2.1", "inputs": [...], "outputs": [...]}',
        )
    if {said["file"], said.get("description")} & set(RESERVED):
        raise UsageError(
            "params.model names a file that the record itself has.", hint=f"Another name than {' and '.join(RESERVED)}."
        )
    for key in ("inputs", "outputs"):
        _columns(said.get(key, []), f"params.model.{key}", UsageError)


def make_places(told: Told, artifact_dir: Path) -> dict[str, str]:
    """Absolute paths of the outputs by name, the directories above them made."""
    places = {}
    for name, path in told.outputs.items():
        place = artifact_dir / path
        place.parent.mkdir(parents=True, exist_ok=True)
        places[name] = str(place)
    return places


def require_outputs(told: Told, artifact_dir: Path) -> None:
    """StrataError where an output is missing: not there, or a directory without a file."""
    for name, path in told.outputs.items():
        place = artifact_dir / path
        if not os.path.lexists(place):
            raise StrataError(
                f"The output '{printable(name)}' (artifacts/{printable(path)}) was not written.",
                hint=f"The program writes it to ${{outputs.{name}}}; nothing else than artifact_dir is kept.",
            )
        if place.is_dir() and not any(files for _, _, files in os.walk(place)):
            raise StrataError(f"The output '{printable(name)}' (artifacts/{printable(path)}) is an empty directory.")


def described_model(said: Mapping[str, Any] | None, artifact_dir: Path) -> ModelOutput | None:
    """The model as the experiment says, completed by the description that the program wrote. StrataError where it does
    not say enough, or the description cannot be read."""
    if said is None:
        return None
    whole = dict(said)
    if "description" in said:
        written = _description(artifact_dir / said["description"], said["description"])
        whole = {**{key: written[key] for key in _FROM_FILE if key in written}, **said}
        if not said["companions"]:
            whole["companions"] = written.get("companions", [])
    where = f"artifacts/{said.get('description', said['file'])}"
    for key in ("inputs", "outputs"):
        _columns(whole.get(key, []), f"{where}: {key}", StrataError)
    version = whole.get("framework_version")
    if not isinstance(version, str) or not version:
        raise StrataError(f"{printable(where)} does not say the model's framework_version.")
    return ModelOutput(
        artifact=whole["file"],
        format=whole["format"],
        framework=whole["framework"],
        framework_version=version,
        inputs=whole.get("inputs", []),
        outputs=whole.get("outputs", []),
        trusted_types=[str(one) for one in whole.get("trusted_types", [])],
        task=str(whole.get("task", _TASK)),
        companions=[str(one) for one in whole.get("companions", [])],
    )


def _description(path: Path, name: str) -> Mapping[str, Any]:
    from strata_git.load import Unloadable, load_json

    try:
        value = load_json(path.read_bytes()).value
    except OSError as error:
        raise StrataError(
            f"The program wrote no description of its model: artifacts/{printable(name)} ({error.strerror})."
        ) from None
    except Unloadable as error:
        raise StrataError(f"artifacts/{printable(name)}:{error.line}: {error.message}.") from None
    if not isinstance(value, Mapping):
        raise StrataError(f"artifacts/{printable(name)}: a mapping is expected.")
    return value


def _columns(value: Any, where: str, error: type[StrataError]) -> None:
    good = isinstance(value, list) and all(
        isinstance(one, Mapping) and set(one) == {"name", "type"} and all(isinstance(v, str) for v in one.values())
        for one in value
    )
    if not good:
        raise error(f"{printable(where)} must list columns.", hint="For example [{name: age, type: float64}]")
