"""The pages in a real browser: nothing runs that is not ours, everybody can use them, and they do what they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from strata_git.dashboard.static import write_site
from tests.dashboard.browser import Told, drive, strangers
from tests.dashboard.conftest import opened
from tests.dashboard.malice import PAYLOADS
from tests.dashboard.screenshots import IMAGES, LARGEST, SHOTS, measure, take
from tests.dashboard.serving import serving
from tests.support.builder import RepositoryBuilder

pytestmark = pytest.mark.heavy

KINDS = (
    "index.html", "models.html", "models/forest/index.html", "models/forest/v2.html", "runs.html",
    "runs/run-2026-01-06-007.html", "datasets.html", "datasets/iris/index.html", "datasets/iris-clean/v1.html",
    "prompts.html", "prompts/summarise/v1.html", "services.html", "services/scoring.html", "lineage.html",
    "promotions.html", "findings.html", "search.html",
)  # fmt: skip
"""One page of each kind."""
NARROW = ("index.html", "models/forest/v2.html", "runs.html", "lineage.html", "promotions.html")
MALICIOUS = (
    "models/forest/v1.html", "runs/run-2026-01-05-001.html", "datasets/iris/v1.html", "prompts/summarise/v1.html",
    "index.html", "models/forest/index.html", "services/scoring.html", "runs.html", "promotions.html", "findings.html",
    "lineage.html", "findings/str-y002.html",
)  # fmt: skip
"""Pages on which other people's words stand."""


@pytest.fixture(scope="module")
def written(story: RepositoryBuilder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site") / "site"
    write_site(opened(story), place)
    return place


def test_axe_finds_nothing_serious(written: Path, story: RepositoryBuilder) -> None:
    rule = next((written / "findings").glob("*.html")).relative_to(written).as_posix()
    steps = [{"url": f"{written.as_uri()}/{page}", "axe": True} for page in (*KINDS, rule)]
    steps += [{"url": f"{written.as_uri()}/{page}", "axe": True, "width": 390, "dark": True} for page in NARROW]
    for step, one in zip(steps, drive(steps, story.environ), strict=True):
        serious = [fault for fault in one["axe"] if fault["impact"] in ("serious", "critical", "moderate")]
        assert (serious, one["overflow"], one["complaints"]) == ([], 0, []), step


def test_nothing_that_anybody_wrote_runs(malice: RepositoryBuilder, tmp_path: Path) -> None:
    place = tmp_path / "site"
    write_site(opened(malice, PAYLOADS[0]), place)
    steps: list[dict[str, object]] = [{"url": f"{place.as_uri()}/{page}", "poke": 30} for page in MALICIOUS]
    steps += [{"url": f"{place.as_uri()}/search.html?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "poke": 30}]
    with serving(malice) as served:
        steps += [{"url": f"{served.url}/{page}", "poke": 30} for page in MALICIOUS[:4]]
        steps += [{"url": f"{served.url}/search.html?q=%3Cscript%3Ealert(1)%3C/script%3E", "poke": 30}]
        told = drive(steps, malice.environ)
    for step, one in zip(steps, told, strict=True):
        home = served.url if str(step["url"]).startswith("http:") else place.as_uri()
        assert (one["canary"], one["dialogs"], strangers(one, home)) == ([], [], []), step
        assert (one["url"], one["complaints"]) == (step["url"], [])


def test_the_policy_stops_what_would_get_in(written: Path, story: RepositoryBuilder) -> None:
    """What if we failed to escape: a page with a script in it, under our policy."""
    attack = (
        "<script>window.strataCanary.push(1)</script><img src=x onerror=window.strataCanary.push(2)>"
        "<img src=https://evil.example/x.png><iframe srcdoc='<script>parent.strataCanary.push(3)</script>'></iframe>"
        "<base href=https://evil.example/><style>body{color:red}</style>"
    )
    page = (written / "search.html").read_text().replace("<h1>", f"{attack}<h1>")
    evil = written / "evil.html"
    evil.write_text(page)
    bare = written / "bare.html"
    bare.write_text(page.replace("Content-Security-Policy", "Nothing"))
    told, unguarded = drive([{"url": evil.as_uri(), "poke": 50}, {"url": bare.as_uri(), "poke": 50}], story.environ)
    evil.unlink()
    bare.unlink()
    assert (told["canary"], strangers(told, written.as_uri())) == ([], told["stopped"])
    assert len([text for text in told["complaints"] if "Content Security Policy" in text]) >= 4
    assert unguarded["canary"]  # without the policy the attack works, so this test can fail


WAY = (
    ["click", "#production tbody th a"],
    ["click", "#lineage .facts a:has-text('run-')"],
    ["click", "#lineage .facts dd a:has-text('datasets/')"],
)
TYPING = (["press", "/"], ["type", "#q", "iris cl"], ["wait", ".answers a"])
VIEW = ["read", "svg.lineage", "viewBox"]
FIRST = ["read", "tbody tr:not([hidden]) th"]
HEADING = "th:has-text('test_log_loss')"
ACTIONS: dict[str, tuple[str, tuple[list[str], ...]]] = {
    "file": ("index.html", WAY),
    "arrows": ("models/forest/v1.html", (*TYPING, ["press", "ArrowDown"], ["press", "ArrowDown"], ["press", "Enter"],
                                         ["wait", "h1:has-text('iris-clean@v1')"])),
    "enter": ("index.html", (*TYPING, ["press", "Enter"], ["wait", "#search-found a"])),
    "sort": ("runs.html", (FIRST, ["click", f"{HEADING} button"], ["read", HEADING, "aria-sort"],
                           ["click", f"{HEADING} button"], ["read", HEADING, "aria-sort"], FIRST)),
    "filter": ("runs.html", (["type", ".filter input", "failed"], FIRST, ["read", ".filter [role=status]"],
                             ["run", "document.querySelectorAll('.parallel .run.dim').length"])),
    "compare": ("runs.html", (["type", ".filter input", "test_accuracy<0.8"], ["read", ".filter [role=status]"])),
    "lineage": ("lineage.html", (VIEW, ["click", "button:has-text('Zoom in')"], VIEW, ["drag", ".canvas"], VIEW,
                                 ["run", "document.querySelector('.canvas').focus()"], ["press", "ArrowRight"], VIEW,
                                 ["press", "0"], ["click", "a.node:has-text('forest@v2')"])),
    "tab": ("index.html", (["press", "Tab"], ["run", "document.activeElement.textContent"],
                           ["run", "getComputedStyle(document.activeElement).outlineStyle"], ["press", "Enter"],
                           ["run", "document.activeElement.id"])),
    "copy": ("models/forest/v2.html", (["click", "#check button"], ["wait", "#check button:has-text('Copied')"],
                                       ["read", "#check button"])),
}  # fmt: skip
"""What somebody does, and on which page it begins."""


@pytest.fixture(scope="module")
def acted(written: Path, story: RepositoryBuilder) -> dict[str, Told]:
    """What came of each action on the written site; `plain` is the way without scripts, `http` over the live site."""
    home = written.as_uri()
    steps = {name: {"url": f"{home}/{page}", "actions": actions} for name, (page, actions) in ACTIONS.items()}
    steps["plain"] = {"url": f"{home}/index.html", "actions": WAY, "script": False}
    with serving(story) as served:
        steps["http"] = {"url": f"{served.url}/index.html", "actions": WAY}
        steps["typed"] = {"url": f"{served.url}/index.html", "actions": ACTIONS["enter"][1]}
        told = dict(zip(steps, drive(list(steps.values()), story.environ), strict=True))
    for name, one in told.items():
        one["home"] = served.url if name in ("http", "typed") else home
        assert (one["complaints"], strangers(one, one["home"])) == ([], []), name
    return told


@pytest.mark.parametrize("door", ["file", "http", "plain"])
def test_from_the_overview_to_the_data_by_clicking(acted: dict[str, Told], door: str) -> None:
    told = acted[door]
    assert (told["url"], told["heading"]) == (f"{told['home']}/datasets/iris/v1.html", "iris@v1")
    assert door != "http" or told["headers"]["content-security-policy"].startswith("default-src 'none'")


def test_tables_sort_and_filter(acted: dict[str, Told]) -> None:
    first, _, down, _, up, then = acted["sort"]["read"]
    assert (first, down, up, then) == ("run-2026-01-08-012", "descending", "ascending", "run-2026-01-08-012")
    assert acted["filter"]["read"][1:] == ["run-2026-01-06-007", "1 of 12", 11]
    assert acted["compare"]["read"][1] == "2 of 12"


def test_names_are_found_with_the_keyboard(acted: dict[str, Told]) -> None:
    assert acted["arrows"]["url"].endswith("/datasets/iris-clean/v1.html")
    for name in ("enter", "typed"):
        assert acted[name]["url"] == f"{acted[name]['home']}/search.html?q=iris+cl"


def test_the_lineage_moves(acted: dict[str, Told]) -> None:
    views = [acted["lineage"]["read"][at] for at in (0, 2, 4, 7)]
    assert len(set(views)) == 4
    assert acted["lineage"]["url"].endswith("/models/forest/v2.html")


def test_the_first_tab_skips_to_the_content(acted: dict[str, Told]) -> None:
    assert [acted["tab"]["read"][at] for at in (1, 2, 4)] == ["Skip to content", "solid", "main"]


def test_commands_are_copied(acted: dict[str, Told]) -> None:
    assert acted["copy"]["read"][-1] == "Copied"


def test_the_pictures_of_the_guide_can_be_made(written: Path, story: RepositoryBuilder, tmp_path: Path) -> None:
    take(written, tmp_path, story.environ)
    for name in SHOTS:
        assert measure(tmp_path / name) == measure(IMAGES / name), f"{name}: python -m tests.dashboard.screenshots"
        assert 10_000 < (IMAGES / name).stat().st_size < LARGEST
    assert {path.name for path in IMAGES.glob("dashboard-*.png")} == set(SHOTS)
