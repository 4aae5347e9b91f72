"""What descends from what: through every citation, by digest where names are not enough."""

from __future__ import annotations

from dataclasses import replace

from strata_git.contracts.layout import Artifact
from strata_git.index.impact import Impact, impact, impact_document, impact_text
from strata_git.index.records import ArtifactRecord, Cited, Index, StageRecord
from strata_git.index.storage import unused_versions

ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "123")


def dataset(name: str = "iris", version: str = "v1", digest: str = ONE, *inputs: Cited) -> ArtifactRecord:
    return ArtifactRecord(Artifact("dataset", name, version), f"t{digest[-1]}{name}", digest=digest, inputs=inputs)


def run(number: int, *inputs: Cited) -> ArtifactRecord:
    return ArtifactRecord(Artifact("run", f"run-2026-01-05-00{number}"), f"r{number}", inputs=inputs)


def model(name: str, made_by: ArtifactRecord, *inputs: Cited, version: str = "v1") -> ArtifactRecord:
    return ArtifactRecord(Artifact("model", name, version), f"m{name}{version}", inputs=inputs, run=made_by.reference)


def service(name: str, *inputs: Cited) -> ArtifactRecord:
    return ArtifactRecord(Artifact("service", name), f"s{name}", inputs=inputs)


def placed(record: ArtifactRecord, stage: str) -> StageRecord:
    return StageRecord(record.artifact, "entering", stage, "t", "o", "c", "", None, None, current=True)


def told(found: Impact) -> list[str]:
    return [one.record.reference for one in found.descendants]


IRIS = dataset()
CITES = Cited("datasets/iris@v1", ONE)
RUN = run(1, CITES)
FOREST = model("forest", RUN, CITES)


def test_everything_that_came_of_it_is_told_nearest_first() -> None:
    derived = dataset("iris-clean", "v1", TWO, CITES)
    other = run(2, Cited("datasets/iris-clean@v1", TWO))
    far = model("oak", other)
    index = Index("e", artifacts=(IRIS, derived, RUN, other, FOREST, far, service("scoring", Cited("models/oak@v1"))))
    found = impact(index, "iris", [IRIS])
    assert told(found) == [
        "datasets/iris-clean@v1", RUN.reference, "models/forest@v1", other.reference, "models/oak@v1",
        "services/scoring",
    ]  # fmt: skip
    assert [one.steps for one in found.descendants] == [1, 1, 1, 2, 3, 4]
    assert not any(one.doubtful for one in found.descendants)


def test_of_several_contents_under_one_name_the_digest_decides() -> None:
    forged = replace(dataset(digest=TWO), tree="other")
    index = Index("e", artifacts=(IRIS, RUN), elsewhere=(forged, run(2, Cited("datasets/iris@v1", TWO))))
    assert told(impact(index, "iris", [IRIS])) == [RUN.reference]
    assert told(impact(index, "iris", [forged])) == [run(2).reference]


def test_a_digest_that_fits_nothing_counts_and_is_doubtful() -> None:
    lost = run(2, Cited("datasets/iris@v1", THREE))
    found = impact(Index("e", artifacts=(IRIS, lost, model("oak", lost))), "iris", [IRIS])
    assert [(one.record.artifact.name, one.doubtful) for one in found.descendants] == [
        (lost.artifact.name, True), ("oak", True)
    ]  # fmt: skip
    assert "DOUBTFUL" in impact_text(found)


def test_what_is_in_production_is_told_first_with_the_services_that_follow_the_stage() -> None:
    live, idle = service("live"), service("idle")
    index = Index("e", artifacts=(IRIS, RUN, FOREST, live, idle), events=(placed(FOREST, "production"),))
    served = {"services/live": ["models/forest@production"], "services/idle": ["models/forest@staging"]}
    found = impact(index, "iris", [IRIS], served=served)
    assert [one.record.reference for one in found.in_production] == ["models/forest@v1", "services/live"]
    lines = impact_text(found).splitlines()
    assert lines.index("IN PRODUCTION") < lines.index("runs")
    assert impact_document(found, "e")["production"] == ["models/forest@v1", "services/live"]
    unsound = replace(index, events=(replace(placed(FOREST, "production"), sound=False),))
    assert impact(unsound, "iris", [IRIS]).in_production == ()


def test_a_circle_of_parents_ends() -> None:
    one = dataset("a", "v1", ONE, Cited("datasets/b@v1"))
    two = dataset("b", "v1", TWO, Cited("datasets/a@v1"))
    assert told(impact(Index("e", artifacts=(one, two)), "a", [one])) == ["datasets/b@v1"]


def test_a_long_chain_needs_no_stack() -> None:
    chain = [IRIS]
    for number in range(2, 3000):
        chain.append(dataset("iris", f"v{number}", TWO, Cited(chain[-1].reference)))
    assert len(told(impact(Index("e", artifacts=tuple(chain)), "iris", [IRIS]))) == 2998


def test_only_versions_that_nobody_uses_are_unused() -> None:
    old_run = run(2)
    old = model("forest", old_run, version="v2")
    gone = model("oak", RUN)
    listed = [IRIS, RUN, old_run, FOREST, old, gone]
    present = {(one.reference, one.tree) for one in listed if one is not gone}
    stages = {old.reference: "archived", FOREST.reference: "production"}
    unused = unused_versions(listed, lambda one: stages.get(one.reference, ""), present)
    assert {reference for reference, _ in unused} == {old.reference, gone.reference, old_run.reference}
    stages[gone.reference] = "production"  # whoever removed it from the tree: it answers to somebody
    listed.append(service("scoring", Cited(old.reference)))
    assert (
        unused_versions(listed, lambda one: stages.get(one.reference, ""), {*present, ("services/scoring", "sscoring")})
        == set()
    )


def test_an_event_vouches_for_one_content_of_a_name() -> None:
    mine, other = (replace(model("forest", RUN, CITES), digest=digest, tree=digest) for digest in (ONE, TWO))
    vouched = replace(placed(mine, "production"), digest=ONE)
    found = impact(Index("e", artifacts=(IRIS, RUN, other), elsewhere=(mine,), events=(vouched,)), "iris", [IRIS])
    assert [(one.record.digest, one.stage) for one in found.of_kind("model")] == [(TWO, ""), (ONE, "production")]
