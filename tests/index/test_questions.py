"""The questions through the command line, in this process, on one repository with a past."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strata_git.cli.main import main
from strata_git.contracts.layout import Artifact
from strata_git.index.records import ArtifactRecord
from strata_git.index.render import list_rows
from tests.index.asked import CAT_TEST, past, run_id
from tests.support.builder import FIRST, Clock, RepositoryBuilder, create
from tests.support.environment import sealed, short_directory

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home, base = short_directory(), tmp_path_factory.mktemp("asked")
    yield past(create(base / "repo", sealed(base, home, os.environ), "--initial-branch=main")).path
    home.rmdir()


@pytest.fixture
def repo(made: Path, hermetic: dict[str, str]) -> RepositoryBuilder:
    return RepositoryBuilder(made, hermetic, Clock(FIRST + 10_000))


@pytest.fixture
def ask(repo: RepositoryBuilder, capfd: pytest.CaptureFixture[str]) -> Ask:
    """`git strata WORDS` in this process: exit code, standard output, standard error."""

    def asked(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(["-C", str(repo.path), *words])
        out, err = capfd.readouterr()
        return code, out, err

    return asked


def answer(ask: Ask, *words: str, code: int = 0) -> dict[str, object]:
    got, out, err = ask(*words, "--format", "json")
    assert got == code, err
    value = json.loads(out)
    assert value["schema"] == f"strata/{words[0]}/v1"
    return value


def rows(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


# --- diff


def test_datasets_differ_by_files_labels_schema_and_leak(ask: Ask) -> None:
    found = answer(ask, "diff", "pets@v1", "pets@v2", "--exit-code", code=2)
    files = found["files"]
    assert isinstance(files, dict)
    assert [row["path"] for row in files["added"]] == ["test/dog/4.bin"]
    assert [(row["before"]["path"], row["after"]["path"]) for row in files["renamed"]] == [
        ("test/cat/3.bin", "train/cat/3.bin"), ("train/dog/2.bin", "train/dog/two.bin")
    ]  # fmt: skip
    assert (files["kept"], files["bytes"]) == (1, {"before": 21, "after": 30})
    assert found["overlaps"] == [{"before": "test", "after": "train", "files": 1, "example": "train/cat/3.bin"}]
    facts = {(row["topic"], row["name"]): (row["before"], row["after"]) for row in rows(found["facts"])}
    assert facts["splits", "train label cat"] == (1, 2)
    assert facts["splits", "train rows"] == (10, 12)
    assert facts["splits", "test label dog"] == (None, 1)
    assert facts["schema", "age"] == ("string", None)
    assert facts["schema", "weight"] == (None, "string")
    text = ask("diff", "pets@v1", "pets@v2")[1]
    assert "LEAKAGE" in text
    assert "> train/dog/2.bin → train/dog/two.bin" in text


def test_models_differ_by_metrics_in_their_direction_code_and_run(ask: Ask) -> None:
    found = answer(ask, "diff", "forest@v2", "forest@v3")
    metrics = {row["metric"]: (row["verdict"], row["delta"]) for row in rows(found["metrics"])}
    assert metrics == {"accuracy": ("worse", -0.13), "loss": ("worse", 0.13)}
    assert [str(line)[13:] for line in rows(found["commits"])] == ["Train forest v2", "Tune 3"]
    facts = {(row["topic"], row["name"]): (row["before"], row["after"]) for row in rows(found["facts"])}
    assert facts.pop(("said", "run")) == (run_id(2), run_id(3))
    assert facts.pop(("parameters", "params.trees")) == (20, 30)
    assert facts.pop(("packages", "numpy")) == ("2.0.2", "2.0.3")
    assert set(facts) == {("code", "commit")}
    assert answer(ask, "diff", "forest@v1", "forest@v1", "--exit-code")["same"] is True
    markdown = ask("diff", "forest@v2", "forest@v3", "--format", "markdown")[1]
    assert "| accuracy ↑ | 0.93 | 0.8 | &#45;0.13 | WORSE |" in markdown


def test_runs_differ_by_parameters_packages_and_inputs(ask: Ask) -> None:
    found = answer(ask, "diff", run_id(1), run_id(2), "--exit-code", code=1)
    facts = {(row["topic"], row["name"]): (row["before"], row["after"]) for row in rows(found["facts"])}
    assert facts["parameters", "params.trees"] == (10, 20)
    assert facts["packages", "numpy"] == ("2.0.1", "2.0.2")
    assert ("packages", "scipy") not in facts
    assert {row["metric"]: row["verdict"] for row in rows(found["metrics"])} == {"accuracy": "better", "loss": "better"}


def test_prompts_differ_line_by_line_and_by_variable(ask: Ask) -> None:
    text = ask("diff", "ask@v1", "ask@v2")[1]
    assert "-  Is this a cat?" in text
    assert "+  Is this a DOG?" in text
    assert "+ variable tone: declared" in text


def test_services_differ_by_what_service_yaml_says(ask: Ask) -> None:
    found = answer(ask, "diff", "services/scoring", "services/live")
    facts = {row["name"]: (row["before"], row["after"]) for row in rows(found["facts"])}
    assert facts == {"model": ("forest@v1", "forest@production"), "name": ("scoring", "live")}


def test_a_version_of_another_branch_is_compared_too(ask: Ask) -> None:
    found = answer(ask, "diff", "forest@v4", "forest@v5")
    assert {row["metric"]: row["verdict"] for row in rows(found["metrics"])} == {"accuracy": "better", "loss": "better"}
    topics = {(row["topic"], row["name"]) for row in rows(found["facts"])}
    assert topics >= {("datasets", "datasets/old@v1"), ("inputs", "datasets/old@v1"), ("parameters", "params.trees")}


def test_what_cannot_be_compared_is_said(ask: Ask) -> None:
    code, _, err = ask("diff", "pets@v1", "forest@v1")
    assert (code, "different kinds" in err) == (3, True)
    code, _, err = ask("diff", "pets@v1", "petz@v2")
    assert (code, "Near it: datasets/pets@v" in err) == (3, True)


# --- compare, list


def test_the_best_is_marked_in_its_direction_and_within_tolerance(ask: Ask) -> None:
    found = answer(ask, "compare", "forest@v1", "forest@v2", "forest@v4", "forest@v5")
    best = {row["metric"]: (row["direction"], row["best"]) for row in rows(found["metrics"])}
    assert best == {"accuracy": ("higher", ["models/forest@v5"]), "loss": ("lower", ["models/forest@v5"])}
    tied = answer(ask, "compare", "forest@v1", "forest@v4", "forest@v5", "--tolerance", "0.02", "-m", "accuracy")
    assert [row["best"] for row in rows(tied["metrics"])] == [["models/forest@v4", "models/forest@v5"]]
    text = ask("compare", "forest@v1", run_id(2))[1].splitlines()
    assert text[1].split() == ["accuracy", "higher", "0.9", "0.93", "*"]
    assert "**0.93**" in ask("compare", "forest@v1", run_id(2), "--format", "markdown")[1]
    code, _, err = ask("compare", "forest@v1", "forest@v2", "-m", "f1")
    assert (code, "They have: accuracy, loss" in err) == (3, True)
    assert ask("compare", "forest@v1")[0] == 64


def test_lists_are_filtered_sorted_and_given_columns(ask: Ask) -> None:
    def listed(*words: str) -> list[str]:
        return [line.split()[0] for line in ask("list", "models", "--columns", "version", *words)[1].splitlines()[1:]]

    assert listed("--where", "metrics.accuracy>0.9") == ["v2", "v4"]
    assert listed("--where", "metrics.accuracy>=0.9", "--where", "version<v4") == ["v1", "v2"]
    assert listed("--sort", "-metrics.accuracy") == ["v4", "v2", "v1", "v3"]
    assert listed("--sort", "metrics.loss", "--all") == ["v5", "v4", "v2", "v1", "v3"]
    assert listed("--where", f"run={run_id(3)}") == ["v3"]
    assert listed("--where", "inputs~PETS", "--where", "stage!=production") == ["v1", "v2", "v3", "v4"]
    assert ask("list", "models", "--where", "metrics.accuracy>1")[2] == "None of the models fits.\n"
    for wrong, said in (("nonsense", "no filter"), ("stag=x", "Near it: stage"), ("stage=prod", "no stage 'prod'")):
        code, _, err = ask("list", "models", "--where", wrong)
        assert (code, said in err) == (64, True)


def test_a_line_of_a_list_tells_a_few_metrics() -> None:
    many = {f"train_{letter}": 1.0 for letter in "abcd"} | {"test_z": 0.5}
    record = ArtifactRecord(Artifact("model", "m", "v1"), "t", metrics=many)
    assert list_rows("model", [record])[0][4] == "test_z=0.5 train_a=1 train_b=1 train_c=1 +1 more"


def test_a_list_of_all_tells_where(ask: Ask) -> None:
    text = ask("list", "datasets", "--all")[1]
    assert [line.split()[0] for line in text.splitlines() if line.endswith("elsewhere")] == ["old@v1"]
    found = json.loads(ask("list", "models", "--all", "--format", "json")[1])
    assert found["where"] == ["here"] * 4 + ["elsewhere"]
    assert [one["reference"] for one in found["artifacts"]][-1] == "models/forest@v5"


# --- log, bisect


def test_the_history_of_a_metric_is_plotted_in_the_order_of_commits(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = ask("log", "forest", "--metric", "accuracy")[1]
    assert "●" in text
    assert all(len(line) <= 60 for line in text.split("\n\n")[0].splitlines())
    assert [line.split()[4:6] for line in text.splitlines() if "Train forest" in line][:2] == [
        ["Train", "forest"],
        ["+0.03", "Train"],
    ]
    plain = ask("log", "forest", "-m", "accuracy", "--ascii")[1]
    assert plain.isascii()
    assert "*" in plain
    found = answer(ask, "log", run_id(2), "--metric", "loss", "--all")
    assert (found["name"], found["kind"], found["direction"]) == ("forest", "run", "lower")
    assert [row["value"] for row in rows(found["points"])] == [0.1, 0.07, 0.2, 0.05, 0.03]
    assert [row["here"] for row in rows(found["points"])] == [True] * 4 + [False]


def test_a_history_begins_at_a_day_or_after_a_commit(ask: Ask, repo: RepositoryBuilder) -> None:
    commit = repo.git("rev-parse", "main^{/Train forest v2}")
    found = answer(ask, "log", "forest", "--since", commit)
    assert [row["reference"] for row in rows(found["points"])] == ["models/forest@v3", "models/forest@v4"]
    assert "since 2027-01-01" in ask("log", "forest", "--since", "2027-01-01")[2]
    assert ask("log", "forest", "--since", "yesterday")[0] == 64
    code, _, err = ask("log", "forrest")
    assert (code, "Near it: forest" in err) == (3, True)
    code, _, err = ask("log", "forest", "-m", "acc")
    assert (code, "It has: accuracy, loss" in err) == (3, True)
    assert "v2" in ask("log", "datasets/pets", "-m", "bytes")[1]


def test_the_first_commit_in_which_a_metric_dropped_is_found(ask: Ask, repo: RepositoryBuilder) -> None:
    found = answer(ask, "bisect", "forest", "--metric", "accuracy", "--drop", "0.05", code=2)
    places = {key: found[key] for key in ("first", "before", "best", "recovered")}
    assert {key: row["reference"] for key, row in places.items() if isinstance(row, dict)} == {
        "first": "models/forest@v3", "before": "models/forest@v2", "best": "models/forest@v2",
        "recovered": "models/forest@v4",
    }  # fmt: skip
    first = found["first"]
    assert isinstance(first, dict)
    assert first["commit"] == repo.git("rev-parse", "main^{/Train forest v3}")
    assert [str(line)[13:] for line in rows(found["silent"])] == ["Tune 3"]
    assert answer(ask, "bisect", "forest", "-m", "loss", "--above", "0.15", code=2)["crossed"] is True
    assert answer(ask, "bisect", "forest", "-m", "accuracy", "--below", "0.5")["crossed"] is False
    text = ask("bisect", "forest", "-m", "accuracy", "--drop", "0.05")[1]
    assert "is the first commit in which accuracy got worse by more than 0.05" in text
    assert ask("bisect", "forest", "-m", "accuracy")[0] == 64
    assert ask("bisect", "forest", "-m", "accuracy", "--below", "1", "--above", "0")[0] == 64


# --- lineage, impact


def test_lineage_goes_down_and_both_ways(ask: Ask) -> None:
    down = ask("lineage", "pets@v1", "--down")[1]
    assert down.startswith("datasets/pets@v1")
    assert "trained models/forest@v1, as recorded" in down
    assert "used by services/scoring" in down
    both = ask("lineage", run_id(1), "--both")[1]
    assert "read datasets/pets@v1" in both
    assert "made models/forest@v1" in both
    assert ask("lineage", "pets@v1", "--down", "--both")[0] == 64


def test_the_impact_of_a_dataset_reaches_other_branches(ask: Ask) -> None:
    found = answer(ask, "impact", "pets@v1")
    models = {row["reference"]: row["places"] for row in rows(found["descendants"]) if row["kind"] == "model"}
    assert models == {f"models/forest@v{n}": [] for n in range(1, 5)} | {"models/forest@v5": ["side"]}
    assert found["production"] == []
    assert ask("impact", "pets@v1", "--fail-on", "production")[0] == 0
    assert ask("impact", "pets@v1", "--fail-on", "any")[0] == 2


def test_the_impact_of_what_was_removed_is_known(ask: Ask) -> None:
    found = answer(ask, "impact", "datasets/old@v1")
    assert {row["reference"] for row in rows(found["descendants"])} == {"models/forest@v5", run_id(5)}
    text = ask("impact", "datasets/old@v1")[1]
    assert "models/forest@v5, directly, on side" in text


def test_the_impact_of_bytes_is_that_of_all_who_hold_them(ask: Ask) -> None:
    assert ask("impact", hashlib.sha256(b"nobody").hexdigest())[0] == 3
    found = answer(ask, "impact", hashlib.sha256(CAT_TEST).hexdigest()[:12])
    assert {row["reference"] for row in rows(found["origins"])} == {"datasets/pets@v1", "datasets/pets@v2"}


def test_what_is_ambiguous_here_is_not_looked_for_elsewhere(ask: Ask) -> None:
    for words in (("impact", "forest"), ("diff", "forest", "forest@v1"), ("compare", "forest@v1", "models/forest")):
        code, _, err = ask(*words)
        assert (code, "is ambiguous: models/forest@v1" in err) == (3, True)
    assert ask("compare", "forest@v1", "old")[0] == 0  # of that there is one, elsewhere


# --- whois, search, storage


def test_bytes_are_found_by_file_digest_and_prefix(ask: Ask) -> None:
    found = answer(ask, "whois", "datasets/pets/v1/test/cat/3.bin")
    told = [(row["path"], row["true"], row["places"]) for row in rows(found["holders"])]
    assert told == [
        ("datasets/pets/v1/test/cat/3.bin", True, ["main", "side"]),
        ("datasets/pets/v2/train/cat/3.bin", True, ["main"]),
    ]
    assert answer(ask, "whois", str(found["sha256"])[:8].upper())["holders"] == found["holders"]
    assert ask("whois", "f" * 64)[0] == 1
    code, _, err = ask("whois", "fff")
    assert (code, "at least 8 hex digits" in err) == (64, True)
    assert ask("whois", "datasets")[0] == ask("whois", "/dev/null")[0] == 64
    gone = answer(ask, "whois", answer(ask, "whois", "services/scoring/service.yaml")["sha256"])  # type: ignore[arg-type]
    assert [row["reference"] for row in rows(gone["holders"])] == ["services/scoring"]


def test_words_are_found_in_names_cards_prompts_and_subjects(ask: Ask) -> None:
    found = answer(ask, "search", "is", "this", "a", "dog")
    assert [(row["path"], row["line"]) for row in rows(found["hits"])] == [("prompts/ask/v2/prompt.yaml", 2)]
    hits = rows(answer(ask, "search", "SMALL FOREST", "--kind", "models")["hits"])
    assert {row["reference"] for row in hits} == {f"models/forest@v{number}" for number in range(1, 5)}
    assert all(str(row["path"]).endswith("card.md") for row in hits)
    everywhere = rows(answer(ask, "search", "small forest", "--all")["hits"])
    assert {row["reference"] for row in everywhere if not row["here"]} == {"models/forest@v5"}
    assert ask("search", "nothing says this")[0] == 1
    assert ask("search", " ")[0] == 64


def test_storage_counts_each_object_once(ask: Ask) -> None:
    found = answer(ask, "storage", "--by", "version")
    versions = {row["name"]: row for row in rows(found["versions"])}
    assert set(versions) >= {"models/forest@v5", "datasets/old@v1", "datasets/pets@v2"}
    assert all(int(str(versions[f"models/forest@v{n}"]["shared"])) >= 540 for n in range(1, 6))
    total = found["total"]
    assert isinstance(total, dict)
    assert total["listed"] > total["bytes"] > total["disk"] > 0
    assert total["absent"] == 0
    names = [row["name"] for row in rows(answer(ask, "storage", "--kind", "models")["names"])]
    assert names == ["models/forest"]
    assert "each object once" in ask("storage")[1]


def test_any_revision_is_asked(ask: Ask) -> None:
    past = "main~3"  # before forest v4 and pets v2
    assert [row["reference"] for row in rows(answer(ask, "log", "forest", "--at", past)["points"])] == [
        f"models/forest@v{number}" for number in (1, 2, 3)
    ]
    found = answer(ask, "impact", "pets@v1", "--at", past)
    assert {row["reference"]: row["here"] for row in rows(found["descendants"])}["models/forest@v4"] is False
    assert ask("lineage", "old@v1", "--down", "--at", past)[1].startswith("datasets/old@v1")
    assert ask("list", "models", "--at", "nowhere")[0] == 3
    assert answer(ask, "bisect", "forest", "-m", "accuracy", "--drop", "0.05", "--at", "main~5")["crossed"] is False
