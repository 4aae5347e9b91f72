"""References between artifacts: what is cited is there, and is what it was (TFC-0006 section 4).

Judged from summaries alone; no artifact is read again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import isclose

from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import dig, items, number, numbers, text
from strata_git.contracts.layout import METADATA, RUN_RECORD, SERVICE_RECORD

METRICS = "metrics.yaml"
Summary = Mapping[str, object]


def judge_references(
    summaries: Mapping[str, Summary], touched: Collection[str] | None, removed: Collection[str]
) -> Iterator[Finding]:
    """Judge every citation of what is touched, and every citation that names something touched."""
    for reference, summary in summaries.items():
        for cited in _citations(summary):
            target = text(cited.get("ref")) or ""
            if touched is None or reference in touched or target in touched:
                yield from _judge_citation(_place(summary), cited, target, summaries.get(target), removed)
        if touched is None or reference in touched or text(summary.get("run")) in touched:
            yield from _judge_lineage(summary, summaries)


def _citations(summary: Summary) -> Iterator[Summary]:
    for cited in items(summary.get("inputs")):
        if isinstance(cited, Mapping):
            yield cited
    run = text(summary.get("run"))
    if run is not None:
        yield {"ref": run}


def _place(summary: Summary) -> str:
    record = {"run": RUN_RECORD, "service": SERVICE_RECORD}.get(str(summary.get("kind")), METADATA)
    return f"{text(summary.get('path')) or ''}/{record}"


def _judge_citation(
    place: str, cited: Summary, target: str, summary: Summary | None, removed: Collection[str]
) -> Iterator[Finding]:
    if summary is None:
        if target in removed:
            yield found("STR-X004", place, f"{target} was removed from the repository")
        else:
            yield found("STR-X001", place, f"{target} is not in the repository")
        return
    for key, rule, name in (("digest", "STR-X002", "digest"), ("content_hash", "STR-X003", "content hash")):
        recorded, true = text(cited.get(key)), text(summary.get(key))
        if recorded is not None and true is not None and recorded != true:
            yield found(rule, place, f"records {name} {recorded} for {target}, which has {true}")


def _judge_lineage(summary: Summary, summaries: Mapping[str, Summary]) -> Iterator[Finding]:
    """The data a model claims is data that its run read."""
    run = text(summary.get("run"))
    if run is None or run not in summaries:
        return
    written = {dig(output, "sha256") for output in items(summaries[run].get("outputs"))}
    made = text(summary.get("artifact_sha256"))
    if made is not None and made not in written and summaries[run].get("judged", True):
        message = f"{run} wrote no file with the digest of {text(summary.get('artifact'))}"
        yield found("STR-X006", _place(summary), message)
    yield from _judge_size(summary, run, summaries[run])
    yield from _judge_figures(summary, run, summaries[run])
    read = {dig(cited, "ref") for cited in items(summaries[run].get("inputs"))}
    for cited in items(summary.get("inputs")):
        target = text(dig(cited, "ref"))
        if target is not None and target not in read:
            yield found("STR-X005", _place(summary), f"{target} is not among the inputs of {run}")


def _judge_size(summary: Summary, run: str, made_by: Summary) -> Iterator[Finding]:
    """A pointer's digest names the content, and nothing but a record tells whether its size is true."""
    size = number(summary.get("artifact_bytes"))
    for output in items(made_by.get("outputs")):
        recorded = number(dig(output, "bytes"))
        same = dig(output, "sha256") == summary.get("artifact_sha256")
        if same and None not in (size, recorded) and size != recorded:
            place = f"{text(summary.get('path')) or ''}/{text(summary.get('artifact'))}"
            yield found("STR-F004", place, f"has {size} bytes here, {recorded} in {run}")


def _judge_figures(summary: Summary, run: str, made_by: Summary) -> Iterator[Finding]:
    """What a model says it was measured at, its run measured: promotion compares by these figures."""
    told, measured = dict(numbers(summary.get("metrics"))), dict(numbers(made_by.get("metrics")))
    for name in sorted(told.keys() & measured.keys()):
        if not isclose(told[name], measured[name], rel_tol=1e-9, abs_tol=1e-12):
            message = f"metric '{name}' is {told[name]} here, {measured[name]} in {run}"
            yield found("STR-X007", f"{text(summary.get('path')) or ''}/{METRICS}", message)
