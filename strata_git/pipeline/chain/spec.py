"""From a chain's file to the run that it is: the chain with the command line's overrides, whole in the run's config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from strata_git.contracts.base import ContractError, parse
from strata_git.contracts.chain import Chain
from strata_git.contracts.pipeline import SECTIONS
from strata_git.errors import StrataError, UsageError, printable
from strata_git.load import Document, Unloadable, dump_yaml, load_yaml
from strata_git.runs.spec import RunSpec, change, label

PLUGIN = "chain"


def load_chain(
    data: bytes, *, file: str, overrides: Sequence[str] = (), tags: Sequence[str] = (), profile: str | None = None
) -> RunSpec:
    """The run that the chain in `file` (its bytes: `data`) describes.

    An override `steps.0.params.temperature=0` changes the chain, one that begins with a section of strata.yaml
    (`inference.default.model=echo`) the settings. Raises UsageError for an override that cannot be read, StrataError
    (naming file and line) for a chain that breaks its contract.
    """
    try:
        document = load_yaml(data)
    except Unloadable as error:
        raise StrataError(f"{printable(file)}:{error.line}: {printable(error.message)}") from None
    if not isinstance(document.value, dict):
        raise StrataError(f"{printable(file)}: a mapping of keys to values is expected.")
    value: dict[str, Any] = document.value
    value.setdefault("name", PurePosixPath(file).stem)
    settings = [text for text in overrides if text.partition(".")[0] in SECTIONS]
    for text in overrides:
        if text not in settings:
            change(value, text)
    for text in tags:
        label(value, text)
    chain = _parsed(document, file)
    params: dict[str, Any] = {
        "file": file,
        "chain": chain.model_dump(mode="json", by_alias=True, exclude_unset=True),
        **({"settings": settings} if settings else {}),
        **({"profile": profile} if profile else {}),
    }
    return RunSpec(chain.name, PLUGIN, seed=chain.seed, params=params, tags=dict(chain.tags))


def chain_of(spec: RunSpec) -> Chain:
    """The chain in a run's config. Raises StrataError where it breaks its contract."""
    said = spec.params.get("chain")
    if not isinstance(said, Mapping):
        raise UsageError("params.chain: which chain?", hint="git strata run --chain chains/NAME.yaml")
    return _parsed(load_yaml(dump_yaml(dict(said))), str(spec.params.get("file") or "params.chain"))


def _parsed(document: Document, file: str) -> Chain:
    try:
        return parse(Chain, document)
    except ContractError as error:
        told = [f"{printable(file)}:{one.line}: {printable(one.message)}" for one in error.complaints]
        if len(told) == 1:
            raise StrataError(f"{told[0]}.", hint="The contract: tfc/0011, section 4.") from None
        raise StrataError(f"{printable(file)} has {len(told)} faults:", hint="\n".join(told[:20])) from None
