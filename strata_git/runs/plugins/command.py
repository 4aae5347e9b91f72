"""The built-in plugin for programs: a script in any language, its inputs and outputs declared.

    plugin: command
    inputs: {table: file:data.csv}
    params:
      argv: ["${python}", train.py, --data, "${inputs.table}", --model, "${outputs.model}", --seed, "${seed}"]
      outputs: {model: model.onnx}
      metrics: metrics.json

The program is started without a shell, in the root of the work tree unless `cwd` says otherwise. All that it makes goes
to artifact_dir; what it says goes to logs.txt as it says it. docs/experiments.md is the guide.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError, UsageError, printable
from strata_git.runs.plugin import RunContext, RunResult
from strata_git.runs.plugins.command_environment import child_environment
from strata_git.runs.plugins.command_metrics import Measured
from strata_git.runs.plugins.command_params import SHARED, Told, read_told, refuse_unknown
from strata_git.runs.plugins.command_process import Ended, run_command
from strata_git.runs.plugins.command_results import check_model, described_model, make_places, require_outputs
from strata_git.runs.plugins.command_text import Values, expanded, expanded_list
from strata_git.runs.plugins.command_worktree import changed_files, worktree_state

if TYPE_CHECKING:
    from strata_git.runs.spec import RunSpec

KNOWN = SHARED | {"argv"}
_SHOWN = 20


class CommandPlugin:
    """Runs a program or script in any language, with its inputs, outputs and metrics declared."""

    name = "command"
    requires: Mapping[str, Sequence[str]] = {}

    def check(self, spec: RunSpec) -> None:
        """Refuse what cannot be meant: unknown keys, placeholders for nothing, paths that lead out."""
        told = read_told(spec.params)
        check_model(told.model)
        argv = _argv(spec)
        refuse_unknown(spec.params, KNOWN, (*argv, *told.env.values()))
        values = assumed_values(spec, told)
        expanded_list(argv, values, "params.argv")
        for name, text in told.env.items():
            expanded(text, values, f"params.env.{name}")

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Start the program, listen, and take in what it made."""
        told = read_told(spec.params)
        values = actual_values(spec, context, told)
        argv = expanded_list(_argv(spec), values, "params.argv")
        measured = Measured(context.tracking.log_metrics, context.log)
        before = worktree_state(context.workspace, context.environ)
        ended = _perform(argv, told, values, spec, context, measured)
        warn_of_changes(before, context)
        if ended.left:
            context.log(f"warning: {ended.left} processes that the program left running were ended")
        _require_success(ended, argv[0], told)
        require_outputs(told, context.artifact_dir)
        if told.metrics.file:
            measured.read(context.artifact_dir / told.metrics.file, told.metrics.file)
        metrics = measured.result(told.metrics)
        model = described_model(told.model, context.artifact_dir)
        context.tracking.log_artifacts(context.artifact_dir)
        return RunResult(metrics, model)


@dataclass(frozen=True, slots=True)
class _Listener:
    """Where lines go: metrics to tracking, everything to the log."""

    measured: Measured

    def __call__(self, channel: str, lines: Sequence[str]) -> None:
        if channel == "out":
            for line in lines:
                self.measured.hear(line)
        stream = sys.stdout if channel == "out" else sys.stderr
        stream.write("\n".join((*lines, "")))  # a run's own, which end in logs.txt


def _argv(spec: RunSpec) -> list[str]:
    said = spec.params.get("argv")
    words = isinstance(said, list) and said and all(isinstance(one, str | int | float) for one in said)
    if not isinstance(said, list) or not words or any(isinstance(one, bool) for one in said) or not str(said[0]):
        raise UsageError(
            "params.argv must list the program and its arguments.",
            hint='For example argv: ["${python}", train.py, --seed, "${seed}"]. There is no shell.',
        )
    return [str(one) for one in said]


def _perform(
    argv: list[str], told: Told, values: Values, spec: RunSpec, context: RunContext, measured: Measured
) -> Ended:
    env = program_environment(told, values, spec, context)
    cwd = working_directory(told, context)
    context.log(f"starting {printable(' '.join(argv))[:2000]}")
    return run_command(argv, cwd=cwd, env=env, tell=_Listener(measured), timeout=told.timeout, grace=told.grace)


def _require_success(ended: Ended, program: str, told: Told) -> None:
    """StrataError where the program failed, with what it said last."""
    if not ended.timed_out and ended.code == 0:
        return
    import signal

    name = printable(Path(program).name)
    if ended.timed_out:
        what = f"{name} was ended: it took longer than params.timeout, {told.timeout:g} s"
    elif ended.code < 0:
        what = f"{name} was ended by {signal.Signals(-ended.code).name}"
    else:
        what = f"{name} ended with exit code {ended.code}"
    said = " | ".join(ended.last_words)[-1500:]
    raise StrataError(f"{what}: {said}" if said else f"{what}.")


def program_environment(told: Told, values: Values, spec: RunSpec, context: RunContext) -> dict[str, str]:
    """The environment of what an experiment starts, its placeholders replaced."""
    env = child_environment(
        context.environ,
        told,
        seed=context.seed,
        artifact_dir=context.artifact_dir,
        resources=spec.resources,
    )
    return {**env, **{name: expanded(text, values, f"params.env.{name}") for name, text in told.env.items()}}


def working_directory(told: Told, context: RunContext) -> Path:
    """Where a program starts. StrataError where that directory is not there, or leads out of the work tree."""
    root = (context.workspace or context.artifact_dir).resolve()
    place = (root / told.cwd).resolve()
    if not place.is_dir() or not place.is_relative_to(root):
        raise StrataError(f"params.cwd '{printable(told.cwd)}' is no directory of the work tree.")
    return place


def assumed_values(spec: RunSpec, told: Told) -> Values:
    """Values with the names that the real ones will have, to check placeholders with."""
    inputs = {**dict.fromkeys(spec.inputs, "."), **({"dataset": "."} if spec.committed_dataset else {})}
    single = dict.fromkeys(("artifact_dir", "experiment", "python", "seed", "workspace"), ".")
    splits = _AnySplit() if spec.committed_dataset else {}
    return Values(single, {"inputs": inputs, "outputs": dict(told.outputs), "params": spec.params, "splits": splits})


def actual_values(spec: RunSpec, context: RunContext, told: Told) -> Values:
    """What placeholders stand for in this run. Files of splits are verified when they are asked for."""
    single = {
        "artifact_dir": str(context.artifact_dir),
        "experiment": spec.experiment,
        "python": sys.executable,
        "seed": str(context.seed),
        "workspace": str(context.workspace or ""),
    }
    inputs = {name: str(one.path) for name, one in context.inputs.items()}
    splits = {name: [str(path) for path in context.dataset(name)] for name in context.splits}
    places = make_places(told, context.artifact_dir)
    return Values(single, {"inputs": inputs, "outputs": places, "params": spec.params, "splits": splits})


def warn_of_changes(before: Any, context: RunContext) -> None:
    """Say which files of the work tree the program changed: nobody will find them by the record."""
    changed = changed_files(before, worktree_state(context.workspace, context.environ))
    if not changed:
        return
    named_ones = printable(", ".join(changed[:_SHOWN])) + (" ..." if len(changed) > _SHOWN else "")
    context.log(f"warning: the program changed {len(changed)} files of the work tree: {named_ones}")
    context.log("warning: what it makes belongs into ${artifact_dir}, where the run keeps it")
    context.tracking.set_tag("strata.changed_files", named_ones[:400])


class _AnySplit(dict[str, Any]):
    """Splits are known when the dataset is opened; until then any name may be one."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __getitem__(self, name: str) -> Any:
        return "."
