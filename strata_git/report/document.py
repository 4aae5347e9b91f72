"""A report on a change as JSON data (schema strata/report/v1). Pure."""

from __future__ import annotations

from strata_git.checks.formats import as_plain
from strata_git.index.export import encodable
from strata_git.index.records import Introduction, Signature, StageRecord
from strata_git.integrity.metric_gates import Figure
from strata_git.report.values import Measured, Report

SCHEMA = "strata/report/v1"
Plain = dict[str, object]


def report_document(report: Report, code: int) -> Plain:
    """All of it, unshortened; `code` is the exit code that it ends with."""
    size = report.size
    return encodable({
        "schema": SCHEMA,
        "base": report.base,
        "head": report.head,
        "fork": report.fork,
        "exit_code": code,
        "changes": [
            {"reference": c.reference, "kind": c.kind, "how": c.how, "description": c.description, "files": c.files,
             "bytes": c.bytes, "digest": c.digest, "signers": list(c.signers)}
            for c in report.changes
        ],
        "metrics": [_measured(each) for each in report.measured],
        "gates": [{"model": g.reference, "gate": g.gate, "passed": g.why is None, "why": g.why} for g in report.gated],
        "doubts": [{"topic": d.topic, "reference": d.reference, "message": d.message} for d in report.doubts],
        "findings": [as_plain(finding) for finding in report.verdict.findings],
        "unjudged": list(report.verdict.unjudged),
        "history": [
            {"model": s.name, "metric": s.metric, "direction": s.direction or None,
             "points": [{"version": version, "value": value} for version, value in s.points]}
            for s in report.series
        ],
        "events": [_event(event) for event in report.events],
        "commits": [_commit(commit) for commit in report.commits],
        "size": {"files": size.files, "bytes": size.bytes, "lfs_files": size.lfs_files, "lfs_bytes": size.lfs_bytes,
                 "unknown": size.unknown},
        "notes": list(report.notes),
    })  # fmt: skip


def _measured(each: Measured) -> Plain:
    return {
        "reference": each.reference,
        "metric": each.metric,
        **_figure(each.figure),
        "against": each.against or None,
        "role": each.role or None,
        "before": _figure(each.before) if each.before else None,
        "delta": each.delta,
        "verdict": each.verdict,
    }


def _figure(figure: Figure) -> Plain:
    return {
        "value": figure.value,
        "direction": figure.direction or None,
        "tolerance": figure.tolerance,
        "n": figure.n,
    }


def _event(event: StageRecord) -> Plain:
    return {
        "tag": event.tag,
        "model": event.model.reference,
        "action": event.action,
        "from": event.origin,
        "to": event.stage,
        "date": event.date,
        "commit": event.commit,
        "sound": event.sound,
        "current": event.current,
        "reason": event.reason,
        "signer": _signature(event.signature),
    }


def _commit(commit: Introduction) -> Plain:
    return {
        "commit": commit.commit,
        "author": commit.author,
        "date": commit.date,
        "subject": commit.subject,
        "signature": _signature(commit.signature),
    }


def _signature(signature: Signature | None) -> Plain | None:
    if signature is None:
        return None
    return {"user": signature.user, "fingerprint": signature.fingerprint, "status": signature.status}
