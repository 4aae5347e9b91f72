"""W3C PROV of an artifact's lineage: PROV-JSON (member submission) and PROV-N (recommendation).

Artifacts, commits and files are entities, runs and signed events activities, signing keys agents (by fingerprint
alone). Names are those of the repository, under a prefix that holds its UUID.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from strata_git.checks.plain import text
from strata_git.contracts.layout import RUN_RECORD
from strata_git.exchange.subject import Subject, moment, plain, uri
from strata_git.index.export import Plain
from strata_git.index.lineage import Edge, Node

_DERIVED = frozenset({"dataset", "parent", "use"})
_ORDER = (
    "entity",
    "activity",
    "agent",
    "wasGeneratedBy",
    "used",
    "wasDerivedFrom",
    "wasAssociatedWith",
    "wasAttributedTo",
)
_ARGUMENTS = {
    "wasGeneratedBy": ("prov:entity", "prov:activity", "prov:time"),
    "used": ("prov:activity", "prov:entity", "prov:time"),
    "wasDerivedFrom": ("prov:generatedEntity", "prov:usedEntity", "prov:activity", "prov:generation", "prov:usage"),
    "wasAssociatedWith": ("prov:activity", "prov:agent", "prov:plan"),
    "wasAttributedTo": ("prov:entity", "prov:agent"),
}
"""Positional arguments of each relation in PROV-N; those without a value are `-`."""


@dataclass(slots=True)
class _Bundle:
    """What is said, by the sort of statement and its identifier, in the order in which it came."""

    said: dict[str, dict[str, Plain]] = field(default_factory=lambda: {sort: {} for sort in _ORDER})

    def relate(self, sort: str, **ends: str) -> None:
        """A relation, once; its parts are PROV's own (`entity=`, `activity=`, ...)."""
        facts: Plain = {f"prov:{name}": value for name, value in ends.items()}
        if facts not in self.said[sort].values():
            self.said[sort][f"_:{sort}{len(self.said[sort]) + 1}"] = facts


def prov_json(subject: Subject) -> Plain:
    """The lineage as PROV-JSON."""
    told = {sort: facts for sort, facts in _bundle(subject).said.items() if facts}
    return {"prefix": _prefixes(subject), **told}


def prov_n(subject: Subject) -> str:
    """The lineage as PROV-N."""
    lines = ["document", *(f"  prefix {name} <{where}>" for name, where in _prefixes(subject).items())]
    for sort, statements in _bundle(subject).said.items():
        for identity, facts in statements.items():
            lines.append(f"  {_statement(sort, identity, facts)}")
    return "\n".join([*lines, "endDocument", ""])


def _prefixes(subject: Subject) -> dict[str, str]:
    return {"strata": f"urn:git-strata:{uri(subject.repository) or 'unnamed'}:"}


def _name(identity: str) -> str:
    """A name of ours as a qualified name; what PROV-N's grammar does not take stands percent-encoded."""
    return f"strata:{uri(identity)}"


def _bundle(subject: Subject) -> _Bundle:
    bundle = _Bundle()
    nodes = {node.id: node for node in subject.lineage.nodes}
    for node in subject.lineage.nodes:
        _add(bundle, subject, node)
    for edge in subject.lineage.edges:
        _relate(bundle, edge, nodes)
    return bundle


def _add(bundle: _Bundle, subject: Subject, node: Node) -> None:
    name = _name(node.id)
    facts: Plain = {"prov:type": {"$": f"strata:{node.kind}", "type": "prov:QUALIFIED_NAME"}}
    if node.state != "present":
        facts["strata:state"] = node.state
    if node.kind in ("run", "event"):
        bundle.said["activity"][name] = _times(subject, node) | facts
    else:
        bundle.said["entity"][name] = facts
    if node.record is not None:
        facts = bundle.said["activity" if node.kind == "run" else "entity"][name]
        marks = {"digest": node.record.digest, "contentHash": node.record.content_hash, "status": node.record.status}
        facts |= {f"strata:{key}": value for key, value in marks.items() if value}
        for signature in node.record.signers:
            if node.kind != "run" and signature.status == "good":
                bundle.relate("wasAttributedTo", entity=name, agent=_agent(bundle, signature.fingerprint))
    if node.event is not None and node.event.signature and node.event.sound:
        agent = _agent(bundle, node.event.signature.fingerprint)
        bundle.relate("wasAssociatedWith", activity=name, agent=agent)
        bundle.said["activity"][name] |= {"strata:stage": node.event.stage, "strata:action": node.event.action}


def _agent(bundle: _Bundle, fingerprint: str) -> str:
    name = _name(f"key/{fingerprint.replace(':', '/')}")
    bundle.said["agent"][name] = {"strata:fingerprint": fingerprint}
    return name


def _times(subject: Subject, node: Node) -> Plain:
    if node.event is not None:
        return {"prov:startTime": node.event.date, "prov:endTime": node.event.date} if moment(node.event.date) else {}
    record: Mapping[str, object] = subject.runs.get(node.id, {}).get(RUN_RECORD, {})
    times = {"prov:startTime": moment(record.get("started")), "prov:endTime": moment(record.get("finished"))}
    return {name: when for name, when in times.items() if when}


def _relate(bundle: _Bundle, edge: Edge, nodes: Mapping[str, Node]) -> None:
    source, target = _name(edge.source), _name(edge.target)
    if edge.relation in _DERIVED:
        made_by_run = nodes[edge.source].kind == "run"
        if made_by_run:
            bundle.relate("wasGeneratedBy", entity=target, activity=source)
        elif nodes[edge.target].kind != "run":
            bundle.relate("wasDerivedFrom", generatedEntity=target, usedEntity=source)
    elif edge.relation == "output":
        bundle.relate("wasGeneratedBy", entity=target, activity=source)
    elif nodes[edge.source].kind not in ("run", "event"):  # input, prompt, code, stage
        bundle.relate("used", activity=target, entity=source)


# -- PROV-N ----------------------------------------------------------------------------------------------------------


def _statement(sort: str, identity: str, facts: Plain) -> str:
    facts = dict(facts)
    if sort == "activity":
        words = [identity, *(str(facts.pop(name, "-")) for name in ("prov:startTime", "prov:endTime"))]
    elif sort in _ARGUMENTS:
        words = [str(facts.pop(name, "-")) for name in _ARGUMENTS[sort]]
    else:
        words = [identity]
    attributes = ", ".join(f"{name}={_literal(value)}" for name, value in facts.items())
    return f"{sort}({', '.join(words)}{f', [{attributes}]' if attributes else ''})"


def _literal(value: object) -> str:
    if isinstance(value, Mapping):
        return f"'{value['$']}'"
    return json.dumps(plain(text(value) or ""), ensure_ascii=False)
