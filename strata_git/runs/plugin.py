"""The contract between execution and what computes: `Plugin` in, `RunResult` out, `RunContext` in between.

A plugin needs nothing of ours but this module. It imports its heavy packages inside `run`, writes files below
`context.artifact_dir` only, reads committed data through `context.dataset`, reports through `context.tracking`, and
knows neither git, nor MLflow, nor where a run is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from strata_git.errors import StrataError
from strata_git.runs.masking import Mask

if TYPE_CHECKING:
    from logging import Logger

    from strata_git.runs.inputs import Dataset, Input
    from strata_git.runs.spec import RunSpec
    from strata_git.runs.tracking import Tracking


class Plugin(Protocol):
    """Something that can be run.

    `name` is what an experiment calls it. `requires` maps each optional extra of this package to the top-level modules
    that show it is installed: execution refuses with the exact `pip install` before anything is written.
    """

    @property
    def name(self) -> str: ...
    @property
    def requires(self) -> Mapping[str, Sequence[str]]: ...

    def run(self, spec: RunSpec, context: RunContext) -> RunResult | None:
        """Compute. Any exception ends the run as `failed`, with the exception's text in its record."""


@runtime_checkable
class Checked(Protocol):
    """A plugin that can tell a senseless experiment before a run number is taken."""

    def check(self, spec: RunSpec) -> None:
        """Raise StrataError when `spec` cannot work. Must be quick and import nothing heavy."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A measurement and what is needed to compare it: `direction` is `higher` or `lower` (which one is better),
    `tolerance` the difference that does not count, `split` and `n` (rows) say on what it was measured."""

    value: float
    direction: str = "higher"
    tolerance: float = 0.0
    split: str = ""
    n: int | None = None


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """A model that a run made, described well enough to be released.

    `artifact` is a path below `artifact_dir`, `inputs` and `outputs` are `{"name", "type"}` columns, `trusted_types`
    the types that loading a skops file must be told to trust, `task` a task name as the Hugging Face hub spells it.
    `companions` are further files that a version takes along: the same model in another format, a report about it.
    """

    artifact: str
    format: str
    framework: str
    framework_version: str
    inputs: Sequence[Mapping[str, str]]
    outputs: Sequence[Mapping[str, str]]
    trusted_types: Sequence[str] = ()
    task: str = "tabular-classification"
    companions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a plugin hands back: measurements, the model if it made one, and what run.yaml must say besides.

    `inputs` are things found and read while working, each a mapping with `ref` (a committed artifact) or `uri` (a
    source outside: `sha256`, `bytes`, `etag`, `version`, `name` as far as they are known); `files` committed files
    read, by path; `prompts` references of the prompt versions used, or mappings with `ref`, `digest` and `content_hash`
    of versions that were verified and may not be committed yet; `exports` what was given to sinks, each a mapping with
    `sink`, `uri`, `part`, `rows` and `digest`; `tokens` and `counts` (documents, chunks) by name;
    `cost` an amount and its currency.
    """

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    model: ModelOutput | None = None
    inputs: Sequence[Mapping[str, object]] = ()
    files: Sequence[str] = ()
    prompts: Sequence[str | Mapping[str, str]] = ()
    exports: Sequence[Mapping[str, object]] = ()
    tokens: Mapping[str, int] | None = None
    counts: Mapping[str, int] | None = None
    cost: tuple[float, str] | None = None


def _unwatched(done: int, total: int | None = None) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """All a plugin may touch while it runs.

    `log` takes one line for logs.txt; `progress(done, total)` tells whoever watches how far the work is (`total` is
    None where nobody knows), and is not recorded. `inputs` are the committed artifacts and files the run reads, by the
    names the experiment gives them (`dataset`: that of `dataset_id`), all verified. `mask` keeps secrets out of what is
    recorded: a plugin that comes to know one adds it. `resume` is the directory of files that an earlier attempt left,
    where this run takes it up. `workspace` (the work tree, to be read) and `environ` (a snapshot) are for plugins that
    start programs or resolve secrets: what they compute must not depend on variables (TFC-0002 4.5). `run_id` is the
    run's own, for what is given to others under that name.
    """

    tracking: Tracking
    artifact_dir: Path
    seed: int
    log: Callable[[str], None]
    source: Dataset | None = None
    progress: Callable[[int, int | None], None] = _unwatched
    inputs: Mapping[str, Input] = field(default_factory=dict)
    mask: Mask = field(default_factory=Mask)
    resume: Path | None = None
    workspace: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""

    @property
    def logger(self) -> Logger:
        """A standard logger whose lines end in logs.txt."""
        return line_logger(self.log)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the committed dataset's splits; empty without a dataset."""
        return tuple(self.source.splits) if self.source else ()

    @property
    def metadata(self) -> Mapping[str, object]:
        """The dataset's metadata.yaml; empty without a dataset."""
        return self.source.metadata if self.source else {}

    def dataset(self, split: str) -> list[Path]:
        """Files of a split of the committed dataset, verified against its CHECKSUMS.txt.

        Raises StrataError when there is no such split, or a file changed after it was verified.
        """
        if self.source is None:
            raise StrataError(
                "This experiment names no committed dataset.", hint="Set dataset_id, for example iris@v1."
            )
        return self.source.files(split)


def line_logger(log: Callable[[str], None]) -> Logger:
    """A logger of its own (no global one is touched) that hands each record to `log`, its level first."""
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log(f"{record.levelname.lower()}: {self.format(record)}")

    logger = logging.Logger("strata.run")  # not one of the global ones, which others configure
    logger.addHandler(Lines())
    return logger
