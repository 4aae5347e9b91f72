"""The pages of several repositories in a real browser: one way through them, nothing that runs, nothing in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from strata_git.dashboard.static import write_site
from tests.dashboard.browser import drive, strangers
from tests.dashboard.neighbours import federated
from tests.support.builder import RepositoryBuilder

pytestmark = pytest.mark.heavy

PAGES = (
    "index.html", "models.html", "runs.html", "datasets.html", "prompts.html", "services.html", "lineage.html",
    "promotions.html", "findings.html", "search.html", "m/train/index.html", "m/evil/index.html",
    "m/lost/index.html", "m/train/models/forest/v1.html", "m/data/datasets/iris/v1.html", "m/evil/models/x-0/v1.html",
)  # fmt: skip
"""One page of each kind, and those on which a stranger's words stand."""
NARROW = ("index.html", "models.html", "findings.html", "m/evil/models/x-0/v1.html")
WAY = (
    ["click", "#members tbody a:text-is('train')"],
    ["click", "#models tbody th a"],
    ["click", "#lineage .facts a:has-text('data:datasets/iris')"],
)


def test_from_the_overview_over_a_members_model_to_the_data_of_another(desk: RepositoryBuilder, tmp_path: Path) -> None:
    place = tmp_path / "site"
    write_site(federated(desk), place)
    home = place.as_uri()
    steps: list[dict[str, object]] = [{"url": f"{home}/index.html", "actions": WAY, "script": script}
                                      for script in (True, False)]  # fmt: skip
    steps += [{"url": f"{home}/{page}", "axe": True, "poke": 30} for page in PAGES]
    steps += [{"url": f"{home}/{page}", "axe": True, "width": 390, "dark": True} for page in NARROW]
    told = drive(steps, desk.environ)
    for one in told[:2]:
        assert (one["url"], one["heading"]) == (f"{home}/m/data/datasets/iris/v1.html", "iris@v1")
    for step, one in zip(steps, told, strict=True):
        serious = [fault for fault in one.get("axe", ()) if fault["impact"] in ("serious", "critical", "moderate")]
        assert (serious, one.get("overflow", 0), one["complaints"]) == ([], 0, []), step
        assert (one.get("canary", []), one["dialogs"], strangers(one, home)) == ([], [], []), step
