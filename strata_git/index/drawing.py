"""A lineage as a Mermaid flowchart and as a Graphviz graph. Pure.

Names come from the repository and may be hostile: ids are numbers of our own, and in labels whatever either language
could read as its own is written as a character reference.
"""

from __future__ import annotations

import re

from strata_git.errors import printable
from strata_git.index.lineage import Edge, Lineage, Node

RELATIONS = {
    "input": "read by", "prompt": "asked in", "code": "ran in", "output": "made", "dataset": "trained",
    "parent": "became", "use": "used by", "stage": "promoted by",
}  # fmt: skip
"""An edge in words, from cause to result."""
_SHAPES = {
    "dataset": ("[(", ")]"), "run": ("[[", "]]"), "model": ("([", "])"), "prompt": ("[/", "/]"),
    "service": ("{{", "}}"), "commit": ("(", ")"), "event": (">", "]"),
}  # fmt: skip
_FORMS = {
    "dataset": "cylinder", "run": "component", "model": "box3d", "prompt": "note", "service": "hexagon",
    "commit": "ellipse", "event": "cds",
}  # fmt: skip
_COLOURS = {
    "dataset": "#dbeafe", "run": "#fef3c7", "model": "#dcfce7", "prompt": "#fae8ff", "service": "#ffe4e6",
    "commit": "#f3f4f6", "event": "#e0e7ff", "unknown": "#ffffff",
}  # fmt: skip
_MERMAID_UNSAFE = re.compile(r"[^A-Za-z0-9 @./_,:-]")
_LONGEST = 80


def lineage_mermaid(lineage: Lineage) -> str:
    """A Mermaid flowchart (`flowchart LR`), causes on the left. Broken edges are dotted."""
    names = {node.id: f"n{place}" for place, node in enumerate(lineage.nodes)}
    lines = ["flowchart LR"]
    for node in lineage.nodes:
        left, right = _SHAPES.get(node.kind, ("[", "]"))
        lines.append(f'    {names[node.id]}{left}"{mermaid_label(_title(node))}"{right}:::{_class(node)}')
    for edge in lineage.edges:
        arrow = "-.->" if edge.matches is False else "-->"
        lines.append(f'    {names[edge.source]} {arrow}|"{mermaid_label(_relation(edge))}"| {names[edge.target]}')
    used = sorted({_class(node) for node in lineage.nodes})
    lines += [f"    classDef {kind} fill:{_COLOURS[kind]},stroke:#374151,color:#111827" for kind in used]
    lines.append(f"    style {names[lineage.target.reference]} stroke-width:3px")
    return "\n".join(lines)


def lineage_dot(lineage: Lineage) -> str:
    """A Graphviz digraph, causes on the left. Broken edges are red and dashed."""
    names = {node.id: f"n{place}" for place, node in enumerate(lineage.nodes)}
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [style=filled, fontname="sans-serif", fontsize=10];']
    for node in lineage.nodes:
        wide = ", penwidth=2.5" if node.id == lineage.target.reference else ""
        form, colour = _FORMS.get(node.kind, "box"), _COLOURS[_class(node)]
        lines.append(
            f'  {names[node.id]} [label="{dot_label(_title(node))}", shape={form}, fillcolor="{colour}"{wide}];'
        )
    for edge in lineage.edges:
        broken = ', color="#b91c1c", style=dashed' if edge.matches is False else ""
        lines.append(f'  {names[edge.source]} -> {names[edge.target]} [label="{dot_label(_relation(edge))}"{broken}];')
    return "\n".join([*lines, "}"])


def mermaid_label(text: str) -> str:
    """Text inside quotes of a Mermaid label: everything but plain words is a numeric entity (`#35;`)."""
    return _MERMAID_UNSAFE.sub(lambda match: f"#{ord(match.group())};", _cut(text))


def dot_label(text: str) -> str:
    """Text inside quotes of a Graphviz label: no escape sequence and no entity but our own."""
    safe = _cut(text).replace("&", "&amp;").replace("\\", "&#92;")
    return safe.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str) -> str:
    flat = printable(" ".join(text.split()))
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"


def _title(node: Node) -> str:
    title = f"{node.id[:12]} {node.commit.subject}" if node.commit is not None else node.id
    if node.record is not None and node.record.stages:
        title += f", {', '.join(node.record.stages)}"
    return title if node.state == "present" else f"{title} ({node.state})"


def _relation(edge: Edge) -> str:
    return RELATIONS.get(edge.relation, edge.relation) + (" NOT AS RECORDED" if edge.matches is False else "")


def _class(node: Node) -> str:
    return node.kind if node.kind in _COLOURS else "unknown"
