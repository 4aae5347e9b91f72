"""The connectors of strata.yaml, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from strata_git.contracts.pipeline import Connector, Pipelines
from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.pipeline.secrets.resolve import filled
from strata_git.pipeline.sources.connector import DataConnector, Secrets
from strata_git.pipeline.vocabulary import nearest

_ROOMS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # type: (module here, optional extra, what shows that the extra is installed)
    "local": ("local", "", ()),
    "s3": ("s3", "aws", ("boto3",)),
    "azure-blob": ("azure", "azure", ("azure.storage.blob", "azure.identity")),
    "sharepoint": ("sharepoint", "sharepoint", ("msal", "httpx")),
    "fsspec": ("fsspec_url", "pipeline", ("fsspec",)),
    "sql": ("sql", "warehouse", ("sqlalchemy",)),
    "redshift-unload": ("redshift", "warehouse", ("psycopg2", "boto3")),
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connector works: its name, the workspace's root, and whence it has secrets and variables.

    `state` is a directory of this machine alone (Git ignores it) for what is worth keeping between commands.
    """

    name: str
    root: Path
    secrets: Secrets
    environ: Mapping[str, str] = field(repr=False)

    @property
    def state(self) -> Path:
        """Made by whoever writes there."""
        return self.root / ".strata" / "local" / "sources"


def connect(
    pipelines: Pipelines, name: str, *, root: Path, secrets: Secrets, environ: Mapping[str, str]
) -> DataConnector:
    """The connector that strata.yaml calls `name`. Nothing is asked of the network yet.

    Raises StrataError when there is none of that name, its settings cannot be meant, or a secret cannot be had;
    MissingExtra when its packages are not installed.
    """
    settings = named(pipelines.connectors, name, "connector", "connectors")
    return connector_of(settings, Place(name, root, secrets, environ))


def connector_of(settings: Connector, place: Place) -> DataConnector:
    """The connector for one entry of the section."""
    module, extra, needs = _ROOMS[settings.type]
    require(extra, needs, f"A connector of type {settings.type}")
    made: DataConnector = import_module(f"strata_git.pipeline.sources.{module}").connector(
        filled(settings, place.secrets), place
    )
    return made


def named(entries: Mapping[str, T], name: str, what: str, section: str) -> T:
    """The entry of that name; StrataError, with the nearest names, when there is none."""
    if name in entries:
        return entries[name]
    near = nearest(name, tuple(entries))
    known = ", ".join(sorted(entries)) or "none"
    raise StrataError(
        f"strata.yaml has no {what} '{printable(name)}'.",
        hint=(f"Did you mean '{near}'? " if near else "") + f"The section {section} has: {known}.",
    )


def require(extra: str, modules: Sequence[str], what: str) -> None:
    """Raise MissingExtra when one of `modules` cannot be found. Nothing is imported but their parents."""
    for module in modules:
        try:
            found = find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise MissingExtra(extra, what)
