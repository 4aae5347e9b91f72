"""What is to be run: the experiment file with the command line's overrides applied, once, before anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.load import Document


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A fully resolved run, handed to the plugin and written to config.yaml.

    `dataset_id` names a committed version (`iris@v1`), data the plugin brings along (`sklearn:iris`) or nothing (`""`).
    `inputs` maps names to further committed artifacts, or to `file:PATH`; `resources` says what the run may take
    (`cpus`, `gpus`, `memory_mb`, `time_limit_s`), without what is not bounded. `sweep` is empty for a single run; for
    many it is what `contracts.sweep.Sweep` says.
    """

    experiment: str
    plugin: str
    seed: int = 0
    dataset_id: str = ""
    data_spec: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    sweep: Mapping[str, Any] = field(default_factory=dict)

    @property
    def committed_dataset(self) -> str | None:
        """The reference of the committed version this run reads, if it reads one."""
        return None if not self.dataset_id or ":" in self.dataset_id else self.dataset_id


def load_spec(data: bytes, *, file: str, overrides: Iterable[str] = (), tags: Iterable[str] = ()) -> RunSpec:
    """The run that the experiment file `file` (its bytes: `data`) describes, with overrides and tags applied.

    An override is `a.b=c`, its value read as a YAML scalar or flow list; a tag is `name=text`. Without `experiment` in
    the file, its stem is the name. Raises UsageError for an override that cannot be read, StrataError (naming file and
    line) for an experiment that breaks its contract.
    """
    from strata_git.load import Unloadable, load_yaml

    try:
        document = load_yaml(data)
    except Unloadable as error:
        raise _refused(f"{file}:{error.line}" if error.line else file, error.message) from None
    if not isinstance(document.value, dict):
        raise _refused(file, "a mapping of keys to values is expected")
    value: dict[str, Any] = document.value
    for key, default in resolved(RunSpec(PurePosixPath(file).stem, "")).items():
        if key != "plugin":
            value.setdefault(key, default)
    for override in overrides:
        change(value, override)
    for tag in tags:
        label(value, tag)
    return _validated(document, file)


def resolved(spec: RunSpec) -> dict[str, object]:
    """config.yaml's content: every field of the spec, nothing left to defaults."""
    return {
        "experiment": spec.experiment,
        "plugin": spec.plugin,
        "seed": spec.seed,
        "dataset_id": spec.dataset_id,
        "data_spec": dict(spec.data_spec),
        "params": dict(spec.params),
        "tags": dict(spec.tags),
        "inputs": dict(spec.inputs),
        "resources": dict(spec.resources),
        **({"sweep": dict(spec.sweep)} if spec.sweep else {}),
    }


def flattened(spec: RunSpec) -> dict[str, object]:
    """The spec as flat parameters for a tracker (`params.model`, `data_spec.target`, ...), tags left out."""
    flat: dict[str, object] = {}
    pending: list[tuple[str, object]] = [(key, value) for key, value in resolved(spec).items() if key != "tags"]
    while pending:
        key, value = pending.pop(0)
        if isinstance(value, Mapping):
            pending[:0] = [(f"{key}.{inner}", part) for inner, part in value.items()]
        else:
            flat[key] = value
    return flat


def change(value: dict[str, Any], text: str) -> None:
    """Apply an override `a.b=c` to a document; numbers name places in lists that are there. Raises UsageError."""
    from strata_git.load import Unloadable, load_yaml

    path, scalar = pair(text, "--set")
    try:
        said = load_yaml(scalar.encode(errors="surrogateescape") or b"''").value
    except Unloadable as error:
        raise UsageError(f"--set {printable(text)}: {error.message}", hint="Put text in quotes.") from None
    *above, last = path.split(".")
    place: Any = value
    for key in above:
        place = place.setdefault(key, {}) if isinstance(place, dict) else place[_index(place, key, text)]
        if not isinstance(place, dict | list):
            raise UsageError(f"--set {printable(text)}: '{printable(key)}' is a value, not a section.")
    place[last if isinstance(place, dict) else _index(place, last, text)] = said


def label(value: dict[str, Any], text: str) -> None:
    """Add a tag `name=text` to a document. Raises UsageError."""
    name, said = pair(text, "--tag")
    tags = value.setdefault("tags", {})
    if not isinstance(tags, dict):
        raise UsageError(f"--tag {printable(text)}: 'tags' is a value, not a section.")
    tags[name] = said


def pair(text: str, option: str) -> tuple[str, str]:
    """The two sides of `NAME=VALUE`. Raises UsageError."""
    name, found, value = text.partition("=")
    if not found or not all(name.strip().split(".")):
        raise UsageError(f"{option} {printable(text)} is not NAME=VALUE.", hint=f"For example {option} params.C=0.5")
    return name.strip(), value.strip()


def _index(place: list[Any], key: str, text: str) -> int:
    if not key.isdecimal() or int(key) >= len(place):
        raise UsageError(f"--set {printable(text)}: there is no '{printable(key)}' among {len(place)}.")
    return int(key)


def _validated(document: Document, file: str) -> RunSpec:
    from strata_git.contracts.base import ContractError, parse
    from strata_git.contracts.experiment import RunConfig

    try:
        config = parse(RunConfig, document)
    except ContractError as error:
        first = error.complaints[0]
        message = "; ".join(complaint.message for complaint in error.complaints[:5])
        raise _refused(f"{file}:{first.line}" if first.line else file, message) from None
    return RunSpec(
        experiment=config.experiment,
        plugin=config.plugin,
        seed=config.seed,
        dataset_id=config.dataset_id,
        data_spec=config.data_spec,
        params=config.params,
        tags=config.tags,
        inputs=config.inputs,
        resources=config.resources.model_dump(exclude_none=True),
        sweep=config.sweep.model_dump(mode="json", exclude_none=True) if config.sweep else {},
    )


def _refused(place: str, message: str) -> StrataError:
    return StrataError(f"{printable(place)}: {message}.")
