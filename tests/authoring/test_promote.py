"""Moving a version: what is asked before, what is recorded after, and what each command says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from strata_git.authoring.promote import Refused, in_production
from strata_git.checks.finding import found
from strata_git.config import Settings
from strata_git.contracts.layout import Artifact
from strata_git.doctor.verdict import Verdict
from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from tests.ledger.lab import NOW, SETTINGS, Lab, lab_in
from tests.support.artifacts import REPOSITORY
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

SIGNED = Settings(repository=REPOSITORY, lfs=False, signing_required=True)


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    return lab_in(builder(), keys)


def sick(repo: Repository, commit: str, artifact: Artifact) -> Verdict:
    return Verdict("", (found("STR-C001", artifact.path, "is broken"),))


def blind(repo: Repository, commit: str, artifact: Artifact) -> Verdict:
    return Verdict("", (), unjudged=("1 artifacts with absent objects",))


def refused(lab: Lab, *words: str | None, **options: object) -> set[str]:
    """The rules that stand against it; nothing is written."""
    before = lab.repo.git("for-each-ref")
    with pytest.raises(Refused) as refusal:
        lab.promote(*words, **options)
    assert lab.repo.git("for-each-ref") == before
    assert refusal.value.exit_code == 2
    return {finding.rule for finding in refusal.value.findings}


def stages(lab: Lab) -> dict[str, str]:
    assert lab.told() == set()
    return {version: placed.stage for version, placed in lab.state().versions.items()}


# --- what moves


def test_the_highest_version_moves_to_the_next_stage(lab: Lab) -> None:
    made = lab.promote()
    assert (made.artifact.version, made.origin, made.target) == ("v2", "experimental", "staging")
    assert [event.tag for event in made.events] == ["forest@v2.0.0", "forest#staging#1"]
    made = lab.promote()
    assert (made.origin, made.target, made.displaced) == ("staging", "production", None)
    assert stages(lab) == {"v2": "production"}


def test_versions_count_as_numbers(lab: Lab) -> None:
    lab.repo.model("forest", "v10")
    lab.repo.commit("Add v10")
    assert lab.promote().artifact.version == "v10"


def test_a_version_in_production_is_displaced(lab: Lab) -> None:
    for version in ("v1", "v1", "v2"):
        lab.promote(version)
    made = lab.promote("v2")
    assert made.displaced == "v1"
    assert [event.tag for event in made.events] == [
        "forest#staging!#5", "forest#production!#6", "forest#production#7",
    ]  # fmt: skip
    assert stages(lab) == {"v1": "experimental", "v2": "production"}
    record = made.events[1].record
    assert record is not None
    assert (record.commit, record.version) == (lab.oid("HEAD^"), "v1")


def test_demoting_and_archiving(lab: Lab) -> None:
    lab.promote("v1")
    lab.promote("v1")
    lab.promote("v1", "staging", reason="It drifts.")
    assert stages(lab) == {"v1": "staging"}
    lab.promote("v1", "archived")
    lab.promote("v2", "archived")
    assert stages(lab) == {"v1": "archived", "v2": "archived"}


def test_a_displaced_version_comes_back_through_staging(lab: Lab) -> None:
    for version in ("v1", "v1", "v2", "v2", "v1", "v1"):
        lab.promote(version)
    assert stages(lab) == {"v1": "production", "v2": "experimental"}


# --- what is refused


@pytest.mark.parametrize(
    ("before", "target"),
    [([], "production"), (["staging"], "staging"), (["archived"], "staging"), (["archived"], "archived")],
)
def test_moves_that_are_not_allowed(lab: Lab, before: list[str], target: str) -> None:
    for stage in before:
        lab.promote("v1", stage)
    assert refused(lab, "v1", target) == {"STR-P009"}


def test_there_is_nothing_above_production(lab: Lab) -> None:
    lab.promote("v1")
    lab.promote("v1")
    with pytest.raises(StrataError, match="no stage above") as error:
        lab.promote("v1")
    assert error.value.hint == "git strata archive forest@v1"
    lab.promote("v1", "archived")
    with pytest.raises(StrataError, match="is in archived; there is no stage above"):
        lab.promote("v1")


@pytest.mark.parametrize("stage", ["experimental", "Production", "dev", "\x1b[31m"])
def test_other_words_are_no_stages(lab: Lab, stage: str) -> None:
    with pytest.raises(StrataError, match="is not a stage a version can move to") as error:
        lab.promote("v1", stage)
    assert "\x1b" not in error.value.message


def test_a_changed_file_of_the_version(lab: Lab) -> None:
    lab.repo.write({"models/forest/v1/card.md": b"changed"})
    assert refused(lab, "v1") == {"STR-P014"}
    lab.repo.git("add", "--all")
    assert refused(lab, "v1") == {"STR-P014"}


def test_a_new_file_in_the_version(lab: Lab) -> None:
    lab.repo.write({"models/forest/v1/new.txt": b"new"})
    assert refused(lab, "v1") == {"STR-P014"}


def test_a_file_changed_in_the_index_alone(lab: Lab) -> None:
    card = lab.repo.read("models/forest/v1/card.md")
    lab.repo.write({"models/forest/v1/card.md": b"changed"})
    lab.repo.git("add", "--all")
    lab.repo.write({"models/forest/v1/card.md": card})
    assert refused(lab, "v1") == {"STR-P014"}


def test_other_dirt_is_fine(lab: Lab) -> None:
    lab.repo.write({"models/forest/v2/card.md": b"changed", "notes.txt": b"x"})
    lab.repo.git("add", "notes.txt")
    lab.promote("v1")


def test_errors_of_doctor(lab: Lab) -> None:
    assert refused(lab, "v1", judge=sick) == {"STR-P012", "STR-C001"}
    assert refused(lab, "v1", judge=blind) == {"STR-P012"}


def test_a_sick_version_can_be_taken_down(lab: Lab) -> None:
    lab.promote("v1")
    lab.promote("v1")
    lab.repo.write({"models/forest/v1/card.md": b"changed"})
    lab.promote("v1", "staging", judge=sick)
    assert stages(lab) == {"v1": "staging"}


def sign(lab: Lab, *people: str, data: bytes | None = None) -> None:
    sums = lab.repo.read("models/forest/v1/CHECKSUMS.txt")
    lab.repo.write({"models/forest/v1/SIGNATURE.asc": lab.keys.sign(data or sums, *people)})


def test_signatures_where_they_are_asked_for(lab: Lab) -> None:
    assert refused(lab, "v1", settings=SIGNED) == {"STR-P013"}
    sign(lab, "bob")
    assert refused(lab, "v1", settings=SIGNED) == {"STR-P013", "STR-P014"}
    lab.repo.commit("Sign v1")
    made = lab.promote("v1", settings=SIGNED)
    assert made.commit == lab.oid("HEAD^^")
    assert made.events[0].record is not None
    assert made.events[0].record.judged_at == lab.oid("HEAD")


def test_a_bad_signature_is_refused_even_where_none_is_asked_for(lab: Lab) -> None:
    sign(lab, "alice", data=b"something else")
    lab.repo.commit("Sign v1")
    assert refused(lab, "v1") == {"STR-P013"}


def test_two_versions_of_one_commit(lab: Lab) -> None:
    lab.repo.model("tree", "v1")
    lab.repo.model("tree", "v2")
    lab.repo.commit("Add two")
    assert refused(lab, "v1", model="tree") == {"STR-I009"}


def test_a_version_that_changed_after_its_release(lab: Lab) -> None:
    lab.repo.model("forest", "v1", metrics={"accuracy": 0.99})
    lab.repo.commit("Change v1")
    assert refused(lab, "v1") == {"STR-P011"}


def test_a_policy_that_cannot_be_read_is_not_passed_over(lab: Lab) -> None:
    lab.repo.commit("Trust", {".strata/trust/policy.yaml": b"version: 1\n"})
    assert refused(lab, "v1") == {"STR-P034"}


def test_a_damaged_ledger(lab: Lab) -> None:
    lab.promote("v1")
    lab.promote("v1")
    lab.delete("forest#staging!#2")
    assert "STR-P006" in refused(lab, "v2")


def test_history_rewritten_under_a_registration(lab: Lab) -> None:
    lab.promote("v1")
    lab.repo.git("checkout", "--quiet", "--orphan", "other")
    lab.repo.commit("Everything anew", {"models/forest/v2/card.md": b""})
    lab.repo.git("rm", "-r", "--quiet", "models/forest/v2")
    lab.repo.git("commit", "--quiet", "--amend", "--message", "Only v1")
    assert refused(lab, "v1") == {"STR-P010"}
    made = lab.promote("v1", "archived")
    assert made.commit == lab.oid("main^")
    assert stages(lab) == {"v1": "archived"}


# --- what cannot be done


def test_a_shallow_clone(lab: Lab) -> None:
    clone = Lab(lab.repo.clone("shallow", "--depth=1"), lab.keys)
    with pytest.raises(StrataError, match="clone is shallow"):
        clone.promote()


def test_no_commit_yet(builder: Builder, keys: Keys) -> None:
    with pytest.raises(StrataError, match="no commit yet"):
        Lab(builder().workspace(), keys).promote()


def test_no_identity_of_the_repository(lab: Lab) -> None:
    with pytest.raises(StrataError, match="no identity"):
        lab.promote(settings=Settings())


@pytest.mark.parametrize("model", ["tree", "Forest", "../x", "forest/v1"])
def test_no_such_model(lab: Lab, model: str) -> None:
    with pytest.raises(StrataError, match="HEAD holds no model"):
        lab.promote(model=model)


def test_no_such_version(lab: Lab) -> None:
    with pytest.raises(StrataError, match="HEAD holds no forest@v7") as error:
        lab.promote("v7")
    assert error.value.hint == "It has v1, v2 of forest."


def test_a_reason_that_would_mislead(lab: Lab) -> None:
    with pytest.raises(StrataError, match="cannot be recorded"):
        lab.promote("v1", reason="Strata-Record: {}")
    assert lab.repo.git("tag") == ""


def test_a_detached_head_and_a_bare_repository_will_do(lab: Lab) -> None:
    lab.repo.git("checkout", "--quiet", "--detach", "HEAD^")
    lab.promote("v1")
    bare = Lab(lab.repo.clone("bare", "--bare"), lab.keys)
    bare.promote("v1")
    assert stages(bare) == {"v1": "production"}


def test_a_model_that_came_by_a_merge(lab: Lab) -> None:
    lab.repo.git("checkout", "--quiet", "-b", "side", "HEAD^")
    lab.repo.model("tree", "v1")
    introduced = lab.repo.commit("Add tree")
    lab.repo.git("checkout", "--quiet", "main")
    lab.repo.git("merge", "--quiet", "--no-ff", "--no-edit", "side")
    assert lab.promote(model="tree").commit == introduced
    assert lab.ledger().model("tree").complaints == ()


def test_in_production(lab: Lab) -> None:
    with pytest.raises(StrataError, match="No version of forest is in production"):
        in_production(lab.repo.repository(), SETTINGS, "forest")
    lab.promote("v1")
    lab.promote("v1")
    assert in_production(lab.repo.repository(), SETTINGS, "forest") == "v1"


def test_the_clock_is_ours_when_none_is_given(lab: Lab) -> None:
    made = lab.promote("v1", now=None)
    assert made.events[0].when > (NOW + timedelta(days=1)).timestamp()


# --- the commands


@pytest.fixture
def told(builder: Builder, keys: Keys) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.story()
    repo.commit("A story")
    repo.git("config", "user.signingkey", keys.alice)
    return repo


def test_the_commands_tell_the_story(told: RepositoryBuilder) -> None:
    assert "No version is registered" in told.strata("stages").expect(0).err
    assert "has no events" in told.strata("history", "forest").expect(0).err
    done = told.strata("promote", "forest", "--reason", "It is good.").expect(0)
    assert done.out.splitlines()[0] == "forest@v1: experimental → staging"
    assert "git push --atomic REMOTE 'refs/tags/forest@v1.0.0' 'refs/tags/forest#staging#1'" in done.err
    told.strata("promote", "forest@v1", "production").expect(0)
    rows = told.strata("stages").expect(0).out.splitlines()
    assert rows[0].split() == ["MODEL", "VERSION", "STAGE", "SINCE", "TAG", "SIGNER"]
    assert rows[1].split()[:3] == ["forest", "v1", "production"]
    told.strata("demote", "forest").expect(0)
    told.strata("archive", "models/forest@v1", "--reason", "Done.").expect(0)
    events = told.strata("history", "forest", "--format", "json").expect(0).json()
    assert events["schema"] == "strata/history/v1"
    assert isinstance(events["events"], list)
    assert [event["tag"].removeprefix("forest") for event in events["events"]] == [
        "@v1.0.0", "#staging#1", "#staging!#2", "#production#3", "#production!#4", "#staging#5", "#staging!#6",
        "#archived#7",
    ]  # fmt: skip
    text = told.strata("history", "forest").expect(0).out.splitlines()
    assert text[1].split()[:5] == ["forest@v1.0.0", "v1", "-", "→", "experimental"]
    assert text[1].endswith("It is good.")
    assert text[-1].endswith("Done.")


def test_json_of_promote_and_stages(told: RepositoryBuilder) -> None:
    made = told.strata("promote", "forest", "--format", "json").expect(0).json()
    assert (made["schema"], made["from"], made["to"]) == ("strata/promotion/v1", "experimental", "staging")
    stages = told.strata("stages", "forest", "--format", "json").expect(0).json()
    assert stages["schema"] == "strata/stages/v1"
    assert isinstance(stages["models"], list)
    assert stages["models"][0]["versions"][0]["tag"] == "forest#staging#1"
    refusal = told.strata("promote", "forest@v1", "staging", "--format", "json").expect(2).json()
    assert isinstance(refusal["findings"], list)
    assert [finding["rule"] for finding in refusal["findings"]] == ["STR-P009"]


def test_a_refusal_in_words(told: RepositoryBuilder) -> None:
    done = told.strata("promote", "forest", "production").expect(2)
    assert "forest@v1 cannot move to production" in done.err
    assert "STR-P009" in done.err
    assert done.out == ""


def test_complaints_are_verdicts(told: RepositoryBuilder) -> None:
    told.strata("promote", "forest").expect(0)
    told.git("tag", "forest#production#2")
    for command in (
        ["stages"],
        ["stages", "--format", "json"],
        ["history", "forest"],
        ["history", "forest", "--format", "json"],
    ):
        done = told.strata(*command).expect(2)
        assert "error STR-P001 forest#production#2: it is a lightweight tag of a commit" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["promote", "Forest"], ["promote", "forest@production"], ["archive", "forest"], ["demote", "datasets/iris@v1"],
        ["stages", "a b"], ["history", "forest@staging"], ["promote"],
    ],
)  # fmt: skip
def test_arguments_that_name_no_model(told: RepositoryBuilder, words: list[str]) -> None:
    told.strata(*words).expect(64)


def test_demoting_needs_something_in_production(told: RepositoryBuilder) -> None:
    assert "No version of forest is in production" in told.strata("demote", "forest").expect(3).err


def test_notes_that_fail_are_told(told: RepositoryBuilder) -> None:
    (told.path / ".git" / "strata").mkdir(exist_ok=True)
    (told.path / ".git" / "refs" / "notes").mkdir(parents=True)
    (told.path / ".git" / "refs" / "notes" / "strata.lock").write_text("")
    done = told.strata("promote", "forest").expect(0)
    assert "The notes could not be written" in done.err
    (told.path / ".git" / "refs" / "notes" / "strata.lock").unlink()
    told.strata("promote", "forest").expect(0)
    assert len(told.git("notes", "--ref=strata", "show", "HEAD").splitlines()) == 7
