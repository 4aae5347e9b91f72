"""What pages are put together from: badges, facts, tables, commands, signatures. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from strata_git.checks.finding import Finding
from strata_git.dashboard.addresses import ROWS, link, listing_page, pages_of, rule_page
from strata_git.dashboard.html import Content, Element, Node, e
from strata_git.dashboard.snapshot import Snapshot
from strata_git.dashboard.words import NOTHING, brief, counted, figure, moment
from strata_git.index.records import UNVERIFIED, ArtifactRecord, Signature

STATUS = {
    "succeeded": "good", "failed": "bad", "killed": "bad", "interrupted": "warn", "running": "note",
    "error": "bad", "warning": "warn", "info": "note",
}  # fmt: skip
SIGNED = {
    "good": ("valid", "good"),
    "bad": ("does not fit the content", "bad"),
    "expired-key": ("the key has expired", "warn"),
    "expired-signature": ("the signature has expired", "warn"),
    "revoked": ("the key was revoked", "bad"),
    "unknown-key": ("the key is unknown here", "warn"),
    "weak-hash": ("too weak to count", "bad"),
    "text-mode": ("a text signature", "warn"),
    "malformed": ("unreadable", "bad"),
    UNVERIFIED: ("not checked", "quiet"),
}
"""What is said of a signature, and in which tone."""


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column; `numeric` ones are set flush right and sorted by value."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a table, and by what it is sorted where that is not its text."""

    content: Content
    key: str | float | int | None = None


def badge(text: str, tone: str = "quiet") -> Element:
    """A word in a coloured frame; the tone never says more than the word does."""
    return e("span", text, class_=f"badge {tone}")


def stages(record: ArtifactRecord) -> list[Element]:
    """The stages a model version is in."""
    return [badge(stage, f"stage-{stage}") for stage in record.stages]


def section(title: str, *content: Content, id_: str, note: Content = None) -> Element:
    """A titled part of a page that can be linked to."""
    told = e("p", note, class_="quiet") if note else None
    return e("section", e("h2", title, id=f"{id_}-title"), told, *content, id=id_, aria_labelledby=f"{id_}-title")


def facts(pairs: Iterable[tuple[str, Content]], class_: str = "") -> Element:
    """Names and values, those without a value left out."""
    rows = [e("div", e("dt", name), e("dd", value)) for name, value in pairs if value not in (None, "", [], ())]
    return e("dl", rows, class_=f"facts {class_}".strip())


def command(text: str, label: str) -> Element:
    """A command to be copied; `label` says what it does."""
    return e(
        "div",
        e("p", label),
        e("pre", e("code", text), tabindex="0", role="group", aria_label=f"Command: {label}"),
        class_="command",
    )


def digest(value: str | None) -> Node:
    """A digest or object id in full, breakable anywhere."""
    return e("code", value, class_="digest") if value else e("span", "unknown", class_="quiet")


def short(value: str | None) -> Node:
    """A digest or object id cut short, with all of it at hand."""
    return e("code", brief(value), class_="digest", title=value) if value else e("span", NOTHING, class_="quiet")


def when(date: str) -> Node:
    """A time in UTC."""
    return e("time", moment(date), datetime=date) if date[10:11] == "T" else e("span", date or NOTHING, class_="quiet")


def signature(signed: Signature | None) -> Node:
    """Who signed, and what came of checking it."""
    if signed is None:
        return badge("not signed")
    words, tone = SIGNED.get(signed.status, (signed.status, "warn"))
    who = signed.user or "somebody"
    key = e("code", signed.fingerprint, class_="digest") if signed.fingerprint else None
    return e("span", badge(words, tone), " ", who, " ", key, class_="signature")


def reference(snapshot: Snapshot, path: str, name: str, words: str = "") -> Node:
    """A link to an artifact's page; its name alone where the revision does not have it."""
    target = snapshot.address(name)
    if target is None:
        return e("span", words or name, " ", badge("not here"), class_="reference")
    led = e("a", words or name, href=link(path, target), class_="reference")
    return led if snapshot.vouched(name) else e("span", led, " ", badge("unverified", "warn"))


def listed(nodes: Sequence[Node], class_: str = "plain") -> Element | None:
    """A list, or nothing where there is nothing to list."""
    return e("ul", [e("li", node) for node in nodes], class_=class_) if nodes else None


def table(
    caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell | Content]], *,
    sortable: bool = False, filtered: bool = False, rows_marked: Sequence[str] = (), narrow: bool = False,
) -> Element:  # fmt: skip
    """A table that scrolls by itself where it is too wide. `rows_marked` are names by which scripts know the rows."""
    head = [e("th", c.title, scope="col", class_="number" if c.numeric else None) for c in columns]
    body = []
    for number, row in enumerate(rows):
        cells = [_cell(column, cell, first=at == 0) for at, (column, cell) in enumerate(zip(columns, row, strict=True))]
        body.append(e("tr", cells, data_row=rows_marked[number] if rows_marked else None))
    return e(
        "div",
        e(
            "table",
            e("caption", caption, class_="hidden"),
            e("thead", e("tr", head)),
            e("tbody", body),
            data_sortable=sortable,
            data_filtered=filtered,
        ),
        class_="scroll narrow" if narrow else "scroll", tabindex="0", role="group", aria_label=caption,
    )  # fmt: skip


def _cell(column: Column, cell: Cell | Content, *, first: bool) -> Element:
    content, key = (cell.content, cell.key) if isinstance(cell, Cell) else (cell, None)
    kind = "number" if column.numeric else None
    if first:
        return e("th", content, scope="row", class_=kind, data_key=None if key is None else str(key))
    return e("td", content, class_=kind, data_key=None if key is None else str(key))


def pager(path: str, base: str, number: int, count: int) -> Element | None:
    """The way to the other pages of a long list."""
    last = pages_of(count)
    if last == 1:
        return None
    near = sorted({1, last, *(n for n in range(number - 2, number + 3) if 1 <= n <= last)})
    links: list[Node] = []
    for before, page in zip([0, *near], near, strict=False):
        if page > before + 1:
            links.append(e("li", "…", class_="gap"))
        target = link(path, listing_page(base, page))
        current = "page" if page == number else None
        links.append(e("li", e("a", str(page), href=target, aria_current=current, aria_label=f"Page {page}")))
    first = (number - 1) * ROWS + 1
    told = f"{first} to {min(count, number * ROWS)} of {count}; sorting and filtering are within this page."
    return e("nav", e("ol", links), e("p", told, class_="quiet"), aria_label="Pages of this list", class_="pager")


def leading(records: Iterable[ArtifactRecord], most: int) -> list[str]:
    """The names of the metrics worth a column: those that most records have, tests before training."""
    counts = Counter(name for record in records for name in record.metrics)
    return sorted(counts, key=lambda name: (-counts[name], not name.startswith("test"), name))[:most]


def metrics(record: ArtifactRecord, names: Sequence[str]) -> Element:
    """Some metrics in one line."""
    told = [
        e("span", e("span", name, class_="quiet"), " ", e("b", figure(record.metrics[name])))
        for name in names
        if name in record.metrics
    ]
    return e("span", _spaced(told), class_="metrics")


def _spaced(nodes: Sequence[Node]) -> list[Node]:
    return [part for node in nodes for part in (node, " ")]


def verdict(found: Sequence[Finding]) -> Element:
    """What the doctor says of something, in a word."""
    errors = sum(finding.severity == "error" for finding in found)
    warnings = sum(finding.severity == "warning" for finding in found)
    if errors:
        return badge(counted(errors, "error"), "bad")
    return badge(counted(warnings, "warning"), "warn") if warnings else badge("sound", "good")


def finding(path: str, found: Finding, where: str | None) -> Element:
    """One finding: what, where, and what to do. `where` is the page of the artifact it lies in."""
    place = f"{found.path}:{found.line}" if found.line else found.path
    return e(
        "li",
        badge(found.severity, STATUS[found.severity]), " ",
        e("a", found.rule, href=link(path, rule_page(found.rule))), " ",
        e("a", place, href=link(path, where)) if where else e("code", place),
        e("p", found.message),
        e("p", "To do: ", found.fix, class_="quiet"),
        class_="finding",
    )  # fmt: skip


def by_severity(found: Iterable[Finding]) -> Mapping[str, int]:
    """How many findings there are of each severity."""
    return Counter(finding.severity for finding in found)
