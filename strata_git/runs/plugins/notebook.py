"""The built-in plugin for notebooks: parameters put in, executed from top to bottom, kept with its outputs.

    plugin: notebook
    params:
      notebook: notebooks/train.ipynb
      parameters: {depth: 5, table: "${inputs.table}", model: "${outputs.model}"}
      outputs: {model: model.onnx}

Metrics are a variable `strata_metrics` (a dictionary) at the end, lines `strata-metric NAME=VALUE` that cells print, or
a file. The executed notebook lies beside the outputs. docs/experiments.md is the guide.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError, UsageError, printable
from strata_git.runs.plugin import RunContext, RunResult
from strata_git.runs.plugins.command import (
    actual_values,
    assumed_values,
    program_environment,
    warn_of_changes,
    working_directory,
)
from strata_git.runs.plugins.command_metrics import Measured
from strata_git.runs.plugins.command_params import SHARED, Told, read_told, refuse_unknown
from strata_git.runs.plugins.command_results import check_model, described_model, require_outputs
from strata_git.runs.plugins.command_text import Values, expanded, named, value_of
from strata_git.runs.plugins.command_worktree import worktree_state
from strata_git.runs.plugins.notebook_cells import inject, language_of, read_notebook, settled, written

if TYPE_CHECKING:
    from strata_git.runs.spec import RunSpec

KNOWN = (SHARED - {"grace"}) | {"notebook", "parameters", "kernel", "cell_timeout"}
REQUIRES: Mapping[str, Sequence[str]] = {"notebook": ("nbclient", "ipykernel")}


class NotebookPlugin:
    """Executes a Jupyter notebook with parameters, and keeps it with its outputs."""

    name = "notebook"
    requires = REQUIRES

    def check(self, spec: RunSpec) -> None:
        """Refuse what cannot be meant: no notebook, unknown keys, placeholders for nothing."""
        told = read_told(spec.params)
        check_model(told.model)
        _path(spec)
        _cell_timeout(spec)
        if not isinstance(spec.params.get("kernel", ""), str):
            raise UsageError("params.kernel must be the name of a kernel.")
        parameters = spec.params.get("parameters", {})
        if not isinstance(parameters, Mapping):
            raise UsageError("params.parameters must map names of variables to values.")
        refuse_unknown(spec.params, KNOWN, (*told.env.values(), *_texts(parameters)))
        values = assumed_values(spec, told)
        _filled(parameters, values, "params.parameters")
        for name, text in told.env.items():
            expanded(text, values, f"params.env.{name}")

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Execute the notebook; it is kept however far it came."""
        told = read_told(spec.params)
        name = _path(spec)
        values = actual_values(spec, context, told)
        notebook = read_notebook(_read(name, context), name)
        parameters = _filled(spec.params.get("parameters", {}), values, "params.parameters")
        if parameters and language_of(notebook) != "python":
            raise StrataError(f"{printable(name)} is no Python: parameters can be put into Python notebooks only.")
        inject(notebook, parameters, name)
        measured = Measured(context.tracking.log_metrics, context.log)
        before = worktree_state(context.workspace, context.environ)
        try:
            measured.add(_execute(notebook, name, told, values, spec, context, measured))
        finally:
            _keep(notebook, name, context)
            warn_of_changes(before, context)
        require_outputs(told, context.artifact_dir)
        if told.metrics.file:
            measured.read(context.artifact_dir / told.metrics.file, told.metrics.file)
        metrics = measured.result(told.metrics)
        model = described_model(told.model, context.artifact_dir)
        context.tracking.log_artifacts(context.artifact_dir)
        return RunResult(metrics, model)


def _execute(
    notebook: dict[str, Any],
    name: str,
    told: Told,
    values: Values,
    spec: RunSpec,
    context: RunContext,
    measured: Measured,
) -> dict[str, float]:
    from strata_git.runs.plugins.notebook_kernel import Session, execute_notebook

    def tell(channel: str, line: str) -> None:
        if channel == "out":
            measured.hear(line)
        (sys.stdout if channel == "out" else sys.stderr).write(f"{line}\n")

    cwd = working_directory(told, context)
    if "cwd" not in spec.params:  # as Jupyter does it
        cwd = (cwd / name).parent
    session = Session(
        cwd=cwd,
        env=program_environment(told, values, spec, context),
        kernel=_kernel(spec, notebook, context),
        seed=context.seed,
        cell_timeout=_cell_timeout(spec),
        timeout=told.timeout,
        tell=tell,
        progress=context.progress,
    )
    return execute_notebook(notebook, name, session)


def _kernel(spec: RunSpec, notebook: Mapping[str, Any], context: RunContext) -> str:
    """The kernel that the experiment names, else the notebook's; any Python's where that one is not installed here."""
    from jupyter_client.kernelspec import KernelSpecManager

    there = set(KernelSpecManager().find_kernel_specs())
    asked = spec.params.get("kernel")
    wanted = str(asked or notebook["metadata"].get("kernelspec", {}).get("name") or "python3")
    if wanted in there:
        return wanted
    if asked or language_of(notebook) != "python":
        raise StrataError(
            f"There is no kernel '{printable(wanted)}'.", hint=f"Installed: {printable(', '.join(sorted(there)))}."
        )
    context.log(f"the kernel '{printable(wanted)}' is not installed here: python3 takes its place")
    return "python3"


def _keep(notebook: dict[str, Any], name: str, context: RunContext) -> None:
    """Write the executed notebook to artifact_dir, without this machine's paths and what is secret."""
    places = [(str(context.artifact_dir), "${artifact_dir}")]
    if context.workspace is not None:
        roots = dict.fromkeys((str(context.workspace), str(context.workspace.resolve())))
        places += [(root, "${workspace}") for root in roots]
    if len(home := context.environ.get("HOME", "")) > 1:
        places.append((home.rstrip("/"), "~"))
    places.sort(key=lambda place: -len(place[0]))
    settled(notebook, places, context.mask.text)
    (context.artifact_dir / PurePosixPath(name).name).write_text(written(notebook), encoding="utf-8")


def _read(name: str, context: RunContext) -> bytes:
    root = (context.workspace or context.artifact_dir).resolve()
    place = (root / name).resolve()
    if not place.is_file() or not place.is_relative_to(root):
        raise StrataError(
            f"There is no notebook {printable(name)} in the work tree.", hint="params.notebook is a path from its root."
        )
    return Path(place).read_bytes()


def _path(spec: RunSpec) -> str:
    from strata_git.contracts.words import path_inside

    said = spec.params.get("notebook")
    try:
        if isinstance(said, str) and said.endswith(".ipynb"):
            return path_inside(said)
    except ValueError:
        pass
    raise UsageError(
        "params.notebook must name a notebook of the work tree.", hint="For example notebook: notebooks/train.ipynb"
    )


def _cell_timeout(spec: RunSpec) -> float | None:
    said = spec.params.get("cell_timeout")
    if said is not None and (isinstance(said, bool) or not isinstance(said, int | float) or said <= 0):
        raise UsageError("params.cell_timeout must be a number of seconds above 0.")
    return None if said is None else float(said)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts(part)]


def _filled(value: Any, values: Values, where: str) -> Any:
    """A parameter with its placeholders replaced; one that is nothing but a placeholder keeps the value's type."""
    if isinstance(value, str):
        names = list(named(value))
        if len(names) == 1 and value.strip() == f"${{{names[0]}}}":
            found = value_of(names[0], values, where)
            return int(found) if names[0] == "seed" and str(found).isdigit() else found
        return expanded(value, values, where)
    if isinstance(value, Mapping):
        return {key: _filled(part, values, f"{where}.{key}") for key, part in value.items()}
    return [_filled(part, values, where) for part in value] if isinstance(value, list) else value
