"""Given a file with such a name or in such a place, this rule speaks; given plain names, none does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from strata_git.checks.engine import judge_workspace
from strata_git.checks.layout import judge_places
from strata_git.repo.tree import MemoryTree
from tests.checks.judging import IRIS, judge, only, rules, told
from tests.support import artifacts

LAYOUT = "STR-L"


def names_told(*names: str | tuple[str, str]) -> list[str]:
    """The layout rules that speak when a valid dataset also has files called `names` (or `(name, mode)`)."""
    files: dict[str, bytes | tuple[bytes, str]] = dict(artifacts.dataset())
    for name in names:
        path, mode = name if isinstance(name, tuple) else (name, "100644")
        files[f"{IRIS.path}/{path}"] = (b"x", mode)
    return [rule for rule in told(files) if rule.startswith(LAYOUT)]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a\x1bb.csv", "STR-L001"),
        ("a\nb.csv", "STR-L001"),
        ("a\u202eb.csv", "STR-L001"),
        (os.fsdecode(b"caf\xe9.csv"), "STR-L002"),
        ("-", "STR-L003"),
        ("data/-/x.csv", "STR-L003"),
        ("CON", "STR-L005"),
        ("aux.csv", "STR-L005"),
        ("com1.tar.gz", "STR-L005"),
        ("a:b.csv", "STR-L005"),
        ("a\\b.csv", "STR-L005"),
        ("what?.csv", "STR-L005"),
        ("dot.", "STR-L006"),
        ("space ", "STR-L006"),
        ("cafe\u0301.csv", "STR-L017"),
        (".gitattributes", "STR-L018"),
        ("data/.GIT/x", "STR-L018"),
        ("a" * 225, "STR-L007"),
    ],
)
def test_a_name_that_some_system_or_tool_stumbles_over(name: str, rule: str) -> None:
    assert names_told(name) == [rule]


@pytest.mark.parametrize(
    "name",
    [
        "data.csv",
        "Data File (1).csv",
        "caf\u00e9.csv",
        "\u6570\u636e.csv",
        "-x.csv",
        ".hidden",
        "console.log",
        "a" * 220,
    ],
)
def test_a_name_that_is_fine(name: str) -> None:
    assert names_told(name) == []


def test_a_name_longer_than_file_systems_hold_is_an_error() -> None:
    files = dict(artifacts.dataset()) | {IRIS.path + "/" + "\u00e9" * 128: b"x"}
    told_ = [finding for finding in judge(files).findings if finding.rule == "STR-L007"]
    assert sorted(finding.severity for finding in told_) == ["error", "warning"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("a.csv", "A.csv"), ("data/x.csv", "Data/y.csv"), ("caf\u00e9.csv", "CAF\u00c9.csv"), ("sub/a", "SUB")],
)
def test_twins_are_one_file_on_some_systems(one: str, other: str) -> None:
    assert "STR-L004" in names_told(one, other)


def test_different_names_are_no_twins() -> None:
    assert names_told("data/a.csv", "data/b.csv", "data2/a.csv", "data/sub/a.csv") == []


def test_links_and_submodules_have_no_place_in_an_artifact() -> None:
    assert names_told(("link", "120000")) == ["STR-L008"]
    assert names_told(("module", "160000")) == ["STR-L009"]


@pytest.mark.parametrize(
    ("path", "rule", "place"),
    [
        ("datasets/README.md", "STR-L010", "datasets/README.md"),
        ("runs/notes.txt", "STR-L010", "runs/notes.txt"),
        ("datasets/iris/README.md", "STR-L010", "datasets/iris/README.md"),
        ("models/forest/v1", "STR-L010", "models/forest/v1"),
        ("datasets/Iris/v1/metadata.yaml", "STR-L011", "datasets/Iris"),
        ("models/a.b/v1/x", "STR-L011", "models/a.b"),
        ("services/-x/service.yaml", "STR-L011", "services/-x"),
        ("datasets/iris/1/metadata.yaml", "STR-L012", "datasets/iris/1"),
        ("models/forest/v01/x", "STR-L012", "models/forest/v01"),
        ("prompts/p/v1.0/deep/x", "STR-L012", "prompts/p/v1.0"),
        ("runs/run-1/run.yaml", "STR-L013", "runs/run-1"),
        ("runs/run-2026-1-5-001/run.yaml", "STR-L013", "runs/run-2026-1-5-001"),
    ],
)
def test_a_file_where_none_should_be(path: str, rule: str, place: str) -> None:
    finding = only(judge_places([path]))
    assert (finding.rule, finding.path) == (rule, place)


def test_files_in_their_place() -> None:
    paths = [*artifacts.dataset(), *artifacts.model(), *artifacts.run(), *artifacts.prompt()]
    around = [
        "README.md",
        "src/Any Name/-",
        "services/scoring/service.yaml",
        "datasets/.gitkeep",
        "models",
        "datasetsx/a",
    ]
    assert list(judge_places([*paths, *around])) == []


def test_a_wrong_directory_is_told_once() -> None:
    paths = [f"datasets/Iris/v{n}/{name}" for n in (1, 2) for name in ("a", "b")]
    assert rules(judge_places(paths)) == ["STR-L011"]


def test_a_services_names_are_judged() -> None:
    good = artifacts.service()
    assert told(good) == []
    assert told(good | {"services/scoring/aux.py": b""}) == ["STR-L005"]
    assert judge(good).summary["reference"] == "services/scoring"


WHOLE = {**artifacts.workspace(), **artifacts.dataset(), **artifacts.model(), **artifacts.run()}


def workspace_told(changes: dict[str, bytes | tuple[bytes, str] | None]) -> list[str]:
    files = {path: data for path, data in {**WHOLE, **changes}.items() if data is not None}
    return rules(judge_workspace(MemoryTree(files)))


def test_a_valid_workspace_is_silent() -> None:
    assert workspace_told({}) == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"strata.yaml": None}, "STR-L015"),
        ({"strata.yaml": b"lfs: [\n"}, "STR-L016"),
        ({"strata.yaml": b"lsf: true\n"}, "STR-L016"),
        ({"strata.yaml": b"#" * (1 << 21)}, "STR-L016"),
        ({"strata.yaml": (b"elsewhere", "120000")}, "STR-L020"),
        ({"Strata.yaml": b""}, "STR-L020"),
        ({".Strata/trust/policy.yaml": b""}, "STR-L020"),
        ({".strata/trust/policy.yaml": (b"x", "120000")}, "STR-L020"),
        ({"Datasets/iris/v1/x": b"", "Datasets/iris/v1/y": b""}, "STR-L020"),
        ({"prompts": (b"elsewhere", "120000")}, "STR-L020"),
        ({"datasets/notes.txt": b""}, "STR-L010"),
    ],
)
def test_a_workspace_that_is_not_as_it_seems(changes: dict[str, bytes | tuple[bytes, str] | None], rule: str) -> None:
    assert set(workspace_told(changes)) == {rule}


def test_a_settings_error_names_its_line() -> None:
    finding = only(judge_workspace(MemoryTree({**WHOLE, "strata.yaml": b"lfs: true\nnonsense: 1\n"})))
    assert (finding.path, finding.line) == ("strata.yaml", 2)


def test_absent_objects_are_said_not_to_be_judged() -> None:
    from tests.checks.judging import WithoutObjects

    findings = judge_workspace(WithoutObjects(WHOLE, "strata.yaml", ".gitattributes"))
    assert {(finding.rule, finding.severity) for finding in findings} == {("STR-Y003", "info")}
    assert {finding.path for finding in findings} == {"strata.yaml", ".gitattributes"}


def test_missing_roots_are_only_information() -> None:
    finding = only(judge_workspace(MemoryTree(artifacts.workspace())))
    assert (finding.rule, finding.severity) == ("STR-L014", "info")
    assert judge_workspace(MemoryTree({})) == (finding,)


@pytest.mark.parametrize(
    ("text", "unprotected"),
    [
        (b"", ["datasets", "models", "runs"]),
        (b"# datasets/** -text\n\n", ["datasets", "models", "runs"]),
        (b"*.csv text\n/datasets/** -text\nmodels/** binary\n", ["runs"]),
        (b"* -text\n", []),
        (b"#" * (1 << 21), ["datasets", "models", "runs"]),
    ],
)
def test_attributes_keep_the_bytes_of_every_root(text: bytes, unprotected: list[str]) -> None:
    findings = judge_workspace(MemoryTree({**WHOLE, ".gitattributes": text}))
    assert {finding.rule for finding in findings} <= {"STR-L019"}
    assert [finding.fix for finding in findings] == [
        f"add to .gitattributes: `{root}/** -text`" for root in unprotected
    ]


def test_no_attributes_at_all() -> None:
    assert workspace_told({".gitattributes": None}) == ["STR-L019"] * 3


def test_importing_the_doors_loads_neither_yaml_nor_pydantic() -> None:
    code = (
        "import sys; from strata_git.checks import engine, finding, catalog, formats;"
        "print(sorted({'yaml', 'pydantic', 'subprocess', 'json', 'logging'} & set(sys.modules)))"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_belongs_to_one_machine_is_not_committed() -> None:
    assert workspace_told({".strata/local/mlflow.db": b"", ".strata/local/pending/x": b""}) == ["STR-L023"]
    assert workspace_told({".env": b"A=1\n"}) == ["STR-L023"]
    assert workspace_told({".env.example": b"A=1\n", ".strata/trust/keys/a.asc": b"", ".strata/localities": b""}) == []
