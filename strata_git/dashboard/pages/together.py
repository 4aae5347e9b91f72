"""Several repositories as one: the first page, the lists, what is in which stage, and what is doubtful. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from strata_git.contracts.layout import KINDS, ROOT_OF
from strata_git.dashboard.addresses import ROWS, link, listing_page, member_page, pages_of
from strata_git.dashboard.html import Content, Element, Node, e
from strata_git.dashboard.page import Page
from strata_git.dashboard.pages.lineage import drawn
from strata_git.dashboard.pages.listings import TITLES, Name
from strata_git.dashboard.pages.overview import signed_by, tile
from strata_git.dashboard.parts import (
    STATUS,
    Cell,
    Column,
    badge,
    command,
    leading,
    metrics,
    pager,
    reference,
    section,
    signature,
    stages,
    table,
    when,
)
from strata_git.dashboard.together import Membership, Together, Trouble
from strata_git.dashboard.words import NOTHING, counted, cut, figure, size, whole
from strata_git.index.federation import Found, Part
from strata_git.index.records import StageRecord

PATH, FINDINGS, SAID = "index.html", "findings.html", 300
FOOTER = (
    "Read-only pages of git-strata, computed from this repository and from what was fetched of the others; what stands "
    "on them is what the members say, each by its objects or by the index it published."
)
_RECENT, _TROUBLE, _LIVE = 8, 8, 20
Row = list[Cell | Content]
Pages = list[tuple[str, Callable[[], Page]]]


def overview(view: Together) -> Page:
    """The first page: the members, what is in production anywhere, what is doubtful, the latest runs.

    What nobody vouches for comes last, so that a member that lies cannot push out the others.
    """
    lead = f"{counted(len(view.members), 'repository', 'repositories')} as one; nobody is talked to to show this."
    body = (
        _tiles(view),
        section("Repositories", _members(view), id_="members"),
        section("In production", _production(view), id_="production"),
        e("div", section("Trouble", _trouble(view), id_="trouble"),
          section("Latest runs", _latest(view), id_="latest"), class_="halves"),
    )  # fmt: skip
    return Page(PATH, view.title, "overview", body, lead)


def belongs(path: str, part: Part) -> Node:
    """The repository that something is of, and a word where nobody whose key counts here vouches for it."""
    doubt = None if part.trusted else badge("unverified", "warn")
    return e("span", e("a", part.name, href=link(path, member_page(part.name)), class_="reference"), " ", doubt)


def origin(part: Part | None) -> Node:
    """Where what is known of a repository comes from, and who vouches for it."""
    if part is None:
        return badge("nothing can be used", "bad")
    if part.origin != "published":
        return {"here": "this repository"}.get(part.origin, "built from its objects")
    if part.trusted and part.signature is not None:
        return e("span", "its own index ", badge("verified", "good"), " ", part.signature.user)
    return e("span", "its own index ", badge("unverified", "warn"), " ", signature(part.signature))


def named(view: Together, path: str, identities: Sequence[str], most: int = 4) -> Element:
    """Links to artifacts of any repository, the first few of them."""
    shown: list[Node] = [part for identity in identities[:most]
                         for part in (reference(view, path, identity, _brief(identity)), " ")]  # fmt: skip
    more = f"and {len(identities) - most} more" if len(identities) > most else None
    return e("span", shown or e("span", NOTHING, class_="quiet"), more)


def _brief(identity: str) -> str:
    """`data:iris@v1`."""
    member, _, name = identity.partition(":")
    return f"{member}:{name.partition('/')[2] or name}"


def _own(view: Together, path: str, found: Found) -> Node:
    return e("a", found.record.artifact.short, href=link(path, view.address(found.id) or PATH))


def _tiles(view: Together) -> Element:
    tiles = []
    for root in ("models", "runs", "datasets", "prompts", "services"):
        count = sum(1 for _ in view.federation.artifacts(KINDS[root]))
        tiles.append(tile(root, f"{root}.html", whole(count), ""))
    errors = sum(trouble.severity == "error" for trouble in view.troubles)
    told = ", ".join(
        counted(count, word)
        for count, word in ((errors, "error"), (len(view.troubles) - errors, "warning"))
        if count
    )  # fmt: skip
    tone = "bad" if errors else "warn" if view.troubles else "good"
    tiles.append(tile("findings", FINDINGS, whole(len(view.troubles)), told or "nothing wrong", tone))
    return e("ul", tiles, class_="tiles")


def _members(view: Together) -> Element:
    columns = [Column("Name"), Column("Source"), Column("Fetched"), Column("Doubts"),
               *(Column(TITLES[root], numeric=True) for root in _COUNTED), Column("Place")]  # fmt: skip
    return table("Repositories", columns, [_member(view, member) for member in view.members], sortable=True)


_COUNTED = ("models", "runs", "datasets", "prompts", "services")


def _member(view: Together, member: Membership) -> Row:
    index = member.part.index if member.part else None
    counts = [len(index.of_kind(KINDS[root])) if index else None for root in _COUNTED]
    return [
        e("a", member.name, href=link(PATH, member_page(member.name))),
        origin(member.part),
        when(member.fetched),
        doubted(view, member.name),
        *(Cell(NOTHING if count is None else whole(count), count) for count in counts),
        e("code", member.place, class_="said") if member.place else None,
    ]


def doubted(view: Together, member: str) -> Node:
    """How much is wrong or doubtful about a member, in a word."""
    mine = [trouble.severity for trouble in view.troubles if trouble.member == member]
    if not mine:
        return badge("none", "good")
    errors = mine.count("error")
    return badge(counted(errors, "error"), "bad") if errors else badge(counted(len(mine), "warning"), "warn")


def _production(view: Together) -> Element:
    live = [row for row in view.federation.stages() if row[1].stage == "production"]
    if not live:
        return e("p", "No model of any repository is in production.", class_="empty")
    live.sort(key=lambda row: (not row[0].trusted, row[1].model.short, row[0].name))
    columns = [Column("Model"), Column("Repository"), Column("Since"), Column("Promoted by"), Column("Metrics"),
               Column("Trained on")]  # fmt: skip
    rows: list[Row] = []
    for part, event in live[:_LIVE]:
        identity = f"{part.name}:{event.model.reference}"
        found = view.found.get(identity)
        rows.append([
            _moved(view, PATH, part, event),
            belongs(PATH, part),
            when(event.date),
            _word(event),
            metrics(found.record, leading([found.record], 2)) if found else None,
            named(view, PATH, view.sources(identity, "dataset")),
        ])  # fmt: skip
    more = e("p", e("a", f"All {len(live)}", href=link(PATH, "promotions.html"))) if len(live) > _LIVE else None
    return e("div", table("Models in production", columns, rows), more)


def _moved(view: Together, path: str, part: Part, event: StageRecord) -> Node:
    """The model of an event, in a row that names its repository besides."""
    found = view.found.get(f"{part.name}:{event.model.reference}")
    return _own(view, path, found) if found else e("span", event.model.short, " ", badge("not here"))


def _word(event: StageRecord) -> Node:
    return e("span", badge("unsound", "bad"), " ", signed_by(event)) if not event.sound else signed_by(event)


def _trouble(view: Together) -> Element:
    if not view.troubles:
        return e("p", badge("sound", "good"), " Nothing is doubtful.", class_="empty")
    rows = [
        e("li", badge(each.severity, STATUS.get(each.severity, "quiet")), " ",
          e("a", each.member, href=link(PATH, member_page(each.member))), " ", cut(each.message, SAID))
        for each in view.troubles[:_TROUBLE]
    ]  # fmt: skip
    more = e("p", e("a", f"All {len(view.troubles)}", href=link(PATH, FINDINGS)))
    return e("div", e("ul", rows, class_="rows"), more if len(view.troubles) > _TROUBLE else None)


def _latest(view: Together) -> Element:
    runs = sorted(_ordered(view, "run"), key=lambda run: not run.part.trusted)[:_RECENT]
    if not runs:
        return e("p", "No repository has a run yet.", class_="empty")
    names = leading([run.record for run in runs], 2)
    rows = [
        e("li", _own(view, PATH, run), " ", belongs(PATH, run.part), " ", _status(run), " ",
          metrics(run.record, names), class_="run")
        for run in runs
    ]  # fmt: skip
    return e("ul", rows, class_="rows")


def _status(found: Found) -> Element:
    told = cut(found.record.status or "unknown", 40)
    return badge(told, STATUS.get(told, "quiet"))


def listings(view: Together, kind: str) -> Pages:
    """The pages of the list of one kind: every version that a HEAD holds, with its repository."""
    found, root = _ordered(view, kind), ROOT_OF[kind]
    return [
        (listing_page(root, number), lambda number=number: _listing(view, kind, found, number))  # type: ignore[misc]
        for number in range(1, pages_of(len(found)) + 1)
    ]


def _ordered(view: Together, kind: str) -> list[Found]:
    """By name and repository, the latest version first; runs by time, the latest first."""
    found = list(view.federation.artifacts(kind))
    if kind == "run":
        return sorted(found, key=lambda each: (each.record.created, each.id), reverse=True)
    return sorted(found, key=lambda e: (e.record.artifact.name, e.part.name, -e.record.artifact.number))


def _listing(view: Together, kind: str, found: Sequence[Found], number: int) -> Page:
    root = ROOT_OF[kind]
    path = listing_page(root, number)
    shown = found[(number - 1) * ROWS : number * ROWS]
    title = TITLES[root] if number == 1 else f"{TITLES[root]}, page {number}"
    if not shown:
        return Page(path, title, root, (e("p", "No repository has one.", class_="empty"),))
    columns, rows = tabled(view, path, kind, shown)
    body = (
        table(TITLES[root], columns, rows, sortable=True, filtered=True, rows_marked=[each.id for each in shown]),
        pager(path, root, number, len(found)),
    )
    several = len({each.part.name for each in found})
    noun = kind if kind in ("run", "service") else "version"
    return Page(
        path, title, root, body, f"{counted(len(found), noun)} in {counted(several, 'repository', 'repositories')}"
    )


def tabled(view: Together, path: str, kind: str, shown: Sequence[Found]) -> tuple[list[Column], list[Row]]:
    """Columns and rows of artifacts of one kind, wherever they are."""
    names = leading([found.record for found in shown], 4) if kind == "run" else []
    titles = _COLUMNS[kind]
    columns = [Column(TITLES[ROOT_OF[kind]].removesuffix("s")), Column("Repository"),
               *(Column(title.removesuffix("#"), numeric=title.endswith("#")) for title in titles),
               *(Column(cut(name, 80), numeric=True) for name in names)]  # fmt: skip
    rows: list[Row] = []
    for found in shown:
        measured = [found.record.metrics.get(name) for name in names]
        rows.append([
            _own(view, path, found),
            belongs(path, found.part),
            *(_cell(view, path, found, title) for title in titles),
            *(Cell(NOTHING if value is None else figure(value), value) for value in measured),
        ])  # fmt: skip
    return columns, rows


_COLUMNS = {
    "model": ("Stage", "Metrics", "Trained on", "Made"),
    "run": ("Status", "Read", "Made"),
    "dataset": ("What it is", "Files#", "Size#", "Used by#", "Also in", "Made"),
    "prompt": ("What it is", "Used by#", "Also in", "Made"),
    "service": ("Answers with", "Made"),
}


def _cell(view: Together, path: str, found: Found, title: str) -> Cell | Content:
    record = found.record
    if title == "Also in":
        return named(view, path, view.twins(found.id), 3)
    if title in ("Trained on", "Read", "Answers with"):
        return named(view, path, view.sources(found.id, "dataset" if title == "Trained on" else ""))
    if title == "Used by#":
        return Cell(str(count := len(view.users(found.id))), count)
    plain: dict[str, Callable[[], Cell | Content]] = {
        "Stage": lambda: e("span", [part for node in stages(record) for part in (node, " ")]),
        "Metrics": lambda: metrics(record, leading([record], 3)),
        "Status": lambda: _status(found),
        "What it is": lambda: e("span", cut(record.description, SAID), class_="said"),
        "Files#": lambda: Cell(whole(record.files), record.files),
        "Size#": lambda: Cell(size(record.bytes), record.bytes),
        "Made": lambda: when(record.created or (record.introduced.date if record.introduced else "")),
    }
    return plain[title]()


def promotions(view: Together) -> Pages:
    """Where every model is now, in pages."""
    rows = sorted(view.federation.stages(), key=lambda row: (row[1].date, row[0].name, row[1].tag), reverse=True)
    return [
        (listing_page("promotions", number), lambda number=number: _promotions(view, rows, number))  # type: ignore[misc]
        for number in range(1, pages_of(len(rows)) + 1)
    ]


def _promotions(view: Together, all_: Sequence[tuple[Part, StageRecord]], number: int) -> Page:
    path = listing_page("promotions", number)
    title = "Stages" if number == 1 else f"Stages, page {number}"
    rows: list[Row] = [
        [
            _moved(view, path, part, event),
            belongs(path, part),
            badge(event.stage, f"stage-{event.stage}"),
            when(event.date),
            _word(event),
            e("span", cut(event.reason, SAID), class_="said"),
            e("code", event.tag),
        ]
        for part, event in all_[(number - 1) * ROWS : number * ROWS]
    ]
    if not rows:
        return Page(path, title, "promotions", (e("p", "No model of any repository has a stage.", class_="empty"),))
    columns = [Column(word) for word in ("Model", "Repository", "Stage", "Since", "By", "Reason", "Tag")]
    body = (
        table("Stages", columns, rows, sortable=True, filtered=True),
        pager(path, "promotions", number, len(all_)),
        section("Check it yourself", command("git strata federate stages", "The same in a terminal"), id_="check"),
    )
    lead = f"{counted(len(all_), 'version')} by the latest event of each; a model's own page tells all of them."
    return Page(path, title, "promotions", body, lead)


def findings(view: Together) -> Pages:
    """All that is wrong or doubtful, in pages."""
    return [
        (listing_page("findings", number), lambda number=number: _findings(view, number))  # type: ignore[misc]
        for number in range(1, pages_of(len(view.troubles)) + 1)
    ]


def _findings(view: Together, number: int) -> Page:
    path = listing_page("findings", number)
    title = "Findings" if number == 1 else f"Findings, page {number}"
    shown = view.troubles[(number - 1) * ROWS : number * ROWS]
    if not shown:
        told = e("p", badge("sound", "good"), " Nothing is doubtful about any of the repositories.", class_="empty")
        return Page(path, title, "findings", (told,))
    columns = [Column("Repository"), Column("Severity"), Column("Where"), Column("What")]
    body = (
        table("Findings", columns, [_row(view, path, each) for each in shown], sortable=True, filtered=True),
        pager(path, "findings", number, len(view.troubles)),
        e("p", "What is said of a member tells how far its word goes; a rule is one that its objects break, and ",
          e("code", "git strata explain RULE"), " tells more.", class_="quiet"),
    )  # fmt: skip
    return Page(path, title, "findings", body, counted(len(view.troubles), "finding"))


def _row(view: Together, path: str, trouble: Trouble) -> Row:
    weight = {"error": 0, "warning": 1}.get(trouble.severity, 2)
    where = trouble.where
    return [
        e("a", trouble.member, href=link(path, member_page(trouble.member))),
        Cell(badge(trouble.severity, STATUS.get(trouble.severity, "quiet")), weight),
        e("a", where, href=link(path, page)) if (page := view.address(where)) else e("code", where) if where else None,
        e("span", trouble.message, class_="said"),
    ]


def lineage(view: Together) -> Page:
    """The picture of all repositories: around what is in production first, then around the latest models."""
    first = [f"{part.name}:{event.model.reference}" for part, event in view.federation.stages()
             if event.stage in ("production", "staging")]  # fmt: skip
    rest = [found.id for kind in ("model", "service", "run") for found in reversed(_ordered(view, kind))]
    return drawn(view, [*first, *rest], "git strata federate lineage NAME:MODEL@production")


def names_of(view: Together) -> list[Name]:
    """Every artifact and every member, for the search."""
    told = [(found.id, member_page(found.part.name, found.record.artifact), cut(found.record.description, SAID))
            for found in view.found.values()]  # fmt: skip
    return sorted([*told, *((member.name, member_page(member.name), "repository") for member in view.members)])
