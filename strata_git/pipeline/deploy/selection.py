"""From objects that came to be in a bucket to what a chain selects, and what a chain on a platform may write to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from strata_git.contracts.chain import Chain
from strata_git.contracts.pipeline import Pipelines, S3Connector, S3Sink, Sink
from strata_git.errors import StrataError, printable
from strata_git.pipeline.sources.catalog import named
from strata_git.pipeline.sources.patterns import composed, patterns


def selected(objects: Sequence[tuple[str, str]], chain: Chain, pipelines: Pipelines) -> list[str]:
    """Patterns for just those objects that the chain and its connector would take; empty when it is none of them.

    Raises StrataError when they are not in the chain's source, or when what the chain writes would call it again.
    """
    source = named(pipelines.connectors, chain.inputs.connector, "connector", "connectors")
    if not isinstance(source, S3Connector):
        raise StrataError(
            f"The chain reads {printable(chain.inputs.connector)}, which is no bucket: events of S3 are not for it."
        )
    prefix = _directory(source.prefix)
    _require_no_circle(source, prefix, chain, pipelines)
    chosen = patterns(chain.inputs.select, chain.inputs.exclude, source.include, source.exclude)
    found = []
    for bucket, key in objects:
        if bucket != source.bucket:
            raise StrataError(
                f"s3://{printable(bucket)} is not the bucket of {printable(chain.inputs.connector)}.",
                hint="Which bucket calls the function, and which does strata.yaml name?",
            )
        name = composed(key.removeprefix(prefix))
        if key.startswith(prefix) and name and not name.endswith("/") and chosen.take(name):
            found.append(exactly(name))
    return found


def exactly(name: str) -> str:
    """A pattern that fits that name alone."""
    return re.sub(r"[*?\[]", lambda wild: f"[{wild[0]}]", name)


def require_kept(chain: Chain, pipelines: Pipelines) -> None:
    """Raise StrataError for a sink on the function's own disk: what is written there is gone with it."""
    for name, sink in _sinks(chain, pipelines):
        place = getattr(sink, "path", "") if sink.type == "files" else getattr(sink, "uri", "")
        own = sink.type in ("files", "duckdb") or (sink.type == "delta" and "://" not in place)
        if own:
            raise StrataError(
                f"sinks.{name} writes to the function's own disk, which nobody keeps.",
                hint="Say in profiles.aws_lambda.sinks where answers go there: docs/deployment.md",
            )


def _require_no_circle(source: S3Connector, prefix: str, chain: Chain, pipelines: Pipelines) -> None:
    records = [("records", sink) for name, sink in pipelines.sinks.items() if name == "records"]
    for name, sink in (*_sinks(chain, pipelines), *records):
        if isinstance(sink, S3Sink) and sink.bucket == source.bucket and _directory(sink.prefix).startswith(prefix):
            raise StrataError(
                f"sinks.{name} writes to where the chain reads: each answer would call the function again.",
                hint="Give answers another bucket, or a prefix beside the documents'.",
            )


def _directory(prefix: str) -> str:
    return f"{prefix.strip('/')}/" if prefix.strip("/") else ""


def _sinks(chain: Chain, pipelines: Pipelines) -> list[tuple[str, Sink]]:
    names = [output.export for output in chain.outputs if output.export]
    return [(name, named(pipelines.sinks, name, "sink", "sinks")) for name in names]
