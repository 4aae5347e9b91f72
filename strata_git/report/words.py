"""The words and signs that all renderings of a report share. Pure."""

from __future__ import annotations

from strata_git.index.records import StageRecord
from strata_git.index.render import signature_text
from strata_git.report.values import Report

HOW = {"added": "+ added", "removed": "- removed", "changed": "~ changed", "signed": "signed"}
SEVERITIES = {"error": "❌", "warning": "⚠️", "info": "🛈"}
TOPICS = {
    "leakage": "leakage",
    "dirty": "dirty tree",
    "missing": "not released",
    "differs": "other digest",
    "failed": "run",
    "unmeasured": "no metrics",
}
VERDICTS = {
    "new": "nothing to compare with",
    "same": "the same",
    "better": "better",
    "tolerated": "worse, tolerated",
    "worse": "worse",
    "unclear": "not comparable",
}
ROLE_SIGNS = {"new": "", "same": "=", "better": "🟢", "tolerated": "🟡", "worse": "🔴", "unclear": "?"}
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def headline(report: Report) -> str:
    """One line that says the most important things."""
    counted = {how: sum(change.how == how for change in report.changes) for how in ("added", "changed", "removed")}
    told = [f"{number} {how}" for how, number in counted.items() if number] or ["no artifact changes"]
    failed = len(report.failed_gates)
    if report.gated:
        told.append(f"{failed} of {len(report.gated)} gates not passed" if failed else "all gates passed")
    worse = sum(each.verdict == "worse" and each.kind == "model" for each in report.measured)
    told += [f"{worse} metrics worse"] if worse else []
    told += [f"{len(report.doubts)} to look at"] if report.doubts else []
    errors = len(report.verdict.errors)
    told += [f"{errors} errors"] if errors else []
    return ", ".join(told)


def bytes_text(size: int) -> str:
    """`1.5 MiB`."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{size} bytes" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def way(direction: str) -> str:
    """Which way is better, as an arrow."""
    return {"higher": "↑", "lower": "↓"}.get(direction, "")


def event_text(event: StageRecord) -> str:
    """`models/forest@v2 enters production, 2026-01-06T00:00:00Z, Alice …: good`."""
    moved = {
        "registration": "is registered",
        "entering": f"enters {event.stage}",
        "leaving": f"leaves {event.origin} for {event.stage}",
    }.get(event.action, event.action)
    who = signature_text(event.signature) or "not signed"
    doubt = "" if event.sound else " (DOES NOT COUNT)"
    reason = f": {event.reason}" if event.reason else ""
    return f"{event.model.reference} {moved}{doubt}, {event.date}, {who}{reason}"
