"""Several repositories on one site: who holds what, whose word it is, and what goes from one to another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strata_git.contracts.layout import Artifact
from strata_git.dashboard.federated import FederatedSite, federation_state
from strata_git.dashboard.html import e, render
from strata_git.dashboard.pages.together import overview
from strata_git.dashboard.together import Membership, together_of
from strata_git.index.federation import Federation, Part
from strata_git.index.records import ArtifactRecord, Index
from tests.dashboard.neighbours import SECRET, federated, fetch, names_of, said_by
from tests.dashboard.parsed import Parsed, parse
from tests.dashboard.serving import serving
from tests.support.builder import RepositoryBuilder

MODEL, IRIS = "m/train/models/forest/v1.html", "m/data/datasets/iris/v1.html"


@pytest.fixture(scope="module")
def site(desk: RepositoryBuilder) -> FederatedSite:
    return federated(desk)


@pytest.fixture(scope="module")
def made(site: FederatedSite) -> dict[str, Parsed]:
    """Every page, read by a parser."""
    return {path: parse(path, make()) for path, make in site.files.items() if path.endswith(".html")}


def page(site: FederatedSite, address: str) -> Parsed:
    return parse(address, site.files[address]())


def test_nothing_anywhere_is_told_on_every_page() -> None:
    alone = Federation((Part("here", "", "here", Index()),))
    site = FederatedSite(together_of(alone, [Membership("here", "", "", None)], "Alone"))
    shown = {path: parse(path, make()) for path, make in site.files.items() if path.endswith(".html")}
    assert [path for path, page in shown.items() if page.wrong or not page.text("h1")] == []
    assert "No repository has one" in shown["models.html"].text()
    assert "1 repository as one" in shown["index.html"].text()


def test_what_nobody_vouches_for_cannot_push_out_the_rest() -> None:
    def part(name: str, origin: str, trusted: bool, many: int) -> Part:
        runs = [
            ArtifactRecord(Artifact("run", f"run-2026-01-05-{n:03d}"), "1" * 40, created=f"{many}") for n in range(many)
        ]
        return Part(name, "", origin, Index(artifacts=tuple(runs)), trusted)

    both = Federation((part("here", "here", True, 1), part("evil", "published", False, 99)))
    latest = overview(together_of(both, [], "Two")).body
    text = parse("index.html", render(e("div", latest)).encode()).text()
    assert text.index("here") < text.index("evil")


def test_the_first_page_tells_whose_word_each_member_is(site: FederatedSite) -> None:
    text = " ".join(page(site, "index.html").text().split())
    assert "5 repositories as one" in text
    for told in ("here this repository", "data its own index verified Alice Tester", "train built from its objects",
                 "evil its own index unverified not signed", "lost nothing can be used"):  # fmt: skip
        assert told in text, told
    assert "forest@v1 here" in text  # what is in production
    assert "was never fetched" in text


def test_no_password_is_shown_anywhere(made: dict[str, Parsed]) -> None:
    assert [path for path, shown in made.items() if SECRET in f"{shown.text()} {shown.tags}"] == []
    assert "https://ada:...@example.org/" in made["m/lost/index.html"].text()


def test_equal_names_are_pages_of_their_own(site: FederatedSite) -> None:
    for root, name in (("models", "forest"), ("datasets", "iris")):
        rows = [row for row in names_of(site) if row[0].endswith(f":{root}/{name}@v1")]
        holders = ("evil", "here", "train") if name == "forest" else ("data", "here")
        assert rows == [[f"{who}:{root}/{name}@v1", f"m/{who}/{root}/{name}/v1.html"] for who in holders]
    assert set(site.files) >= {address for _, address in names_of(site)}
    assert len({address for _, address in names_of(site)}) == len(names_of(site))


def test_every_link_leads_to_a_page(site: FederatedSite, made: dict[str, Parsed]) -> None:
    for path, shown in made.items():
        assert {link for link in shown.links() if link not in site.files and link != "."} == set(), path


def test_the_way_leads_from_one_repository_to_another(site: FederatedSite) -> None:
    assert IRIS in page(site, MODEL).links()
    assert "taken from" in page(site, MODEL).text()
    assert MODEL in page(site, IRIS).links()
    text = " ".join(page(site, IRIS).text().split())
    assert "Same content" in text
    assert "here:datasets/iris@v1" in text
    assert {MODEL, IRIS} <= set(page(site, "lineage.html").links())


def test_lists_tell_the_repository_and_whose_word_it_is(site: FederatedSite) -> None:
    for name in ("models", "runs", "datasets", "prompts", "services"):
        shown = page(site, f"{name}.html")
        assert "Repository" in shown.text("th")
        assert "m/evil/index.html" in shown.links()
        assert "unverified" in shown.text()
    iris = " ".join(page(site, IRIS).text().split())
    assert "its own index verified Alice Tester" in iris
    assert "evil:datasets/x-6@v1 unverified" in iris  # of the same content, as it says
    assert "evil (unverified)" in iris  # in the picture
    assert "here:datasets/iris@v1 unverified" not in iris


def test_a_claimed_signature_counts_as_not_checked(site: FederatedSite) -> None:
    shown = page(site, "m/evil/models/x-0/v1.html").text()
    assert "not checked" in shown
    assert "valid" not in shown.split("Check it yourself")[0]
    assert "what evil says of itself" in shown


def test_doubts_are_findings(site: FederatedSite) -> None:
    text = " ".join(page(site, "findings.html").text().split())
    assert "train error train:models/forest@v1 STR-X001" in text
    assert "lost warning was never fetched" in text
    assert "evil warning its published index is unverified: nobody signed it" in text
    stages = " ".join(page(site, "promotions.html").text().split())
    assert "forest@v1 here production" in stages


def test_the_command_writes_it(desk: RepositoryBuilder, place: Path) -> None:
    done = desk.strata("dashboard", "--federation", "--static", str(place)).expect(0)
    assert f"open {place}/index.html" in done.out
    assert (place / MODEL).is_file()
    assert b"<title>desk and 4 others</title>" in (place / "index.html").read_bytes()
    refused = desk.strata("dashboard", "--federation", "--at", "HEAD~1", "--static", str(place)).expect(64)
    assert "--at" in refused.err


def test_live_it_follows_what_is_fetched(desk: RepositoryBuilder) -> None:
    with serving(desk, "--federation", "--title", "All teams") as live:
        first = live.ask("/index.html")
        assert first.body == said_by(federated(desk), "index.html").encode()
        etag = first.headers["etag"]
        assert live.ask("/index.html", If_None_Match=etag).code == 304
        assert live.ask("/m/train/runs/run-2026-01-05-001.html").code == 200
        assert live.ask("/m/nobody/index.html").code == 404
        document = json.loads(live.ask("/api/index.json").body)
        assert document["schema"] == "strata/federated-index/v1"
        assert SECRET not in json.dumps(document)
        train = RepositoryBuilder(desk.path.parent / "train", desk.environ)
        train.dataset("fresh")
        train.commit("Fresh", None, "--no-verify")
        assert live.ask("/index.html", If_None_Match=etag).code == 304  # nobody is asked
        before = federation_state(desk.repository())
        assert fetch(desk, "train") == {"train": ""}
        assert federation_state(desk.repository()) != before
        again = live.ask("/m/train/datasets/fresh/v1.html", If_None_Match=etag)
        assert (again.code, again.headers["etag"] != etag) == (200, True)
    (desk.path / ".git/strata/federation/train.git/HEAD").unlink()
    site = federated(desk)
    assert "cannot be used: it is damaged." in page(site, "m/train/index.html").text()
    assert MODEL not in site.files
