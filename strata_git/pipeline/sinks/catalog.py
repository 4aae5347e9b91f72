"""The sinks of strata.yaml, by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from strata_git.contracts.pipeline import Pipelines, Sink
from strata_git.pipeline.secrets.resolve import filled
from strata_git.pipeline.sinks.exporter import Exporter
from strata_git.pipeline.sources.catalog import Place, named, require
from strata_git.pipeline.sources.connector import Secrets

_ROOMS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # type: (module here, optional extra, what shows that the extra is installed)
    "files": ("files", "", ()),
    "s3": ("files", "aws", ("boto3",)),
    "delta": ("delta", "delta", ("deltalake", "pyarrow")),
    "fabric-delta": ("delta", "delta", ("deltalake", "pyarrow")),
    "postgres": ("postgres", "warehouse", ("psycopg2",)),
    "duckdb": ("duckdb_file", "warehouse", ("duckdb",)),
    "redshift": ("redshift", "warehouse", ("psycopg2", "boto3")),
    "dynamodb": ("dynamodb", "aws", ("boto3",)),
    "sharepoint-excel": ("excel", "sharepoint", ("msal", "httpx", "openpyxl")),
}


def exporter(pipelines: Pipelines, name: str, *, root: Path, secrets: Secrets, environ: Mapping[str, str]) -> Exporter:
    """The sink that strata.yaml calls `name`. Nothing is asked of the network yet.

    Raises StrataError when there is none of that name, its settings cannot be meant, or a secret cannot be had;
    MissingExtra when its packages are not installed.
    """
    settings = named(pipelines.sinks, name, "sink", "sinks")
    return exporter_of(settings, Place(name, root, secrets, environ))


def exporter_of(settings: Sink, place: Place) -> Exporter:
    """The sink for one entry of the section."""
    module, extra, needs = _ROOMS[settings.type]
    require(extra, needs, f"A sink of type {settings.type}")
    parquet = getattr(settings, "format", "") == "parquet" or getattr(settings, "compression", "") == "zstd"
    require("pipeline", ("pyarrow",) if parquet else (), f"{place.name}: Parquet or zstd")
    made: Exporter = import_module(f"strata_git.pipeline.sinks.{module}").exporter(
        filled(settings, place.secrets), place
    )
    return made
