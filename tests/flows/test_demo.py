"""The demo, run once as `make demo` runs it, and judged with stock tools alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.builder import RepositoryBuilder
from tests.support.environment import remove_home, sealed, short_directory

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Demo:
    """What the demo left: its directory, what it printed, and an environment with its keys."""

    path: Path
    out: str
    environ: dict[str, str]

    @property
    def workspace(self) -> Path:
        return self.path / "workspace"

    def run(self, *words: str, cwd: Path | None = None, code: int = 0) -> str:
        done = subprocess.run(
            words, cwd=cwd or self.workspace, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{words}: {done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def events(self) -> list[str]:
        """Every event tag of the model, in chain order by what their records say."""
        return sorted(
            (tag for tag in self.run("git", "tag", "--list").split() if tag.startswith("tumour")), key=self.position
        )

    def record(self, tag: str) -> dict[str, object]:
        body = self.run("git", "cat-file", "tag", f"refs/tags/{tag}")
        match = re.search(r"^Strata-Record: (.*)$", body, re.MULTILINE)
        assert match is not None, body
        record: dict[str, object] = json.loads(match[1])
        return record

    def position(self, tag: str) -> int:
        body = self.run("git", "cat-file", "tag", f"refs/tags/{tag}")
        match = re.search(r"^tagger .* (\d+) [+-]\d{4}$", body, re.MULTILINE)
        assert match is not None
        return int(match[1])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    gnupg = short_directory()
    environ = sealed(tmp_path_factory.mktemp("sealed"), gnupg, os.environ)
    around = tmp_path_factory.mktemp("demo")  # as with `make demo`, whose DIR lies in a clone of this project
    subprocess.run(["git", "init", "--quiet", str(around)], env=environ, check=True)
    path = around / "made"
    script = ROOT / "examples" / "breast_cancer" / "demo.sh"
    done = subprocess.run(
        ["sh", str(script), str(path)],
        env=environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    shutil.copytree(path / "keys", gnupg, dirs_exist_ok=True)
    yield Demo(path, done.stdout, environ)
    remove_home(gnupg)


@pytest.fixture(scope="module", params=["workspace", "clone"])
def place(demo: Demo, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's repository, and a fresh clone of it with its Git LFS files."""
    if request.param == "workspace":
        return demo.workspace
    path = tmp_path_factory.mktemp("fresh") / "clone"
    demo.run("git", "clone", "--quiet", demo.workspace.as_uri(), str(path), cwd=demo.path)
    demo.run("git", "lfs", "install", "--local", cwd=path)
    demo.run("git", "lfs", "pull", cwd=path)
    return path


@pytest.mark.heavy
def test_the_demo_needs_no_route_and_its_dashboard_is_clicked_through(tmp_path: Path, hermetic: dict[str, str]) -> None:
    """In a network namespace of its own, where not even loopback is up; then its pages in a real browser."""
    script = ROOT / "examples" / "breast_cancer" / "demo.sh"
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    done = subprocess.run(
        [*alone, "sh", str(script), str(tmp_path / "made")],
        env=hermetic | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    click_through(tmp_path / "made", hermetic)


def click_through(made: Path, environ: dict[str, str]) -> None:
    """From the overview to the model in production, its run and its data, as files and live."""
    from tests.dashboard.browser import drive, strangers
    from tests.dashboard.serving import serving
    from tests.dashboard.test_browser import WAY

    shutil.copytree(made / "keys", environ["GNUPGHOME"], dirs_exist_ok=True)  # without them nobody is in production
    files = (made / "dashboard").as_uri()
    with serving(RepositoryBuilder(made / "workspace", environ)) as live:
        homes = (files, live.url)
        told = drive([{"url": f"{home}/index.html", "actions": WAY} for home in homes], environ)
    for home, one in zip(homes, told, strict=True):
        assert (one["url"], one["heading"]) == (f"{home}/datasets/breast-cancer/v1.html", "breast-cancer@v1")
        assert (one["complaints"], one["dialogs"], strangers(one, home)) == ([], [], [])


def test_there_is_a_dataset_two_runs_and_two_versions(place: Path) -> None:
    assert list((place / "datasets").glob("*/v1/metadata.yaml"))
    assert len(list((place / "runs").glob("run-*/run.yaml"))) == 2
    assert {path.parent.name for path in (place / "models").glob("tumour/*/metadata.yaml")} == {"v1", "v2"}


def test_every_list_is_the_tree_and_sha256sum_agrees(demo: Demo, place: Path) -> None:
    lists = demo.run("git", "ls-files", "-z", "*CHECKSUMS.txt", cwd=place).split("\0")[:-1]
    assert len(lists) == 5
    for name in lists:
        directory = Path(name).parent
        demo.run("sha256sum", "--strict", "--quiet", "-c", "CHECKSUMS.txt", cwd=place / directory)
        tracked = demo.run("git", "ls-files", "-z", "--", str(directory), cwd=place).split("\0")[:-1]
        inside = {str(Path(path).relative_to(directory)) for path in tracked}
        listed = {line[66:] for line in (place / name).read_text().splitlines()}
        assert listed == inside - {"CHECKSUMS.txt", "SIGNATURE.asc", "model.sig"}


def test_gpg_and_git_accept_every_signature(demo: Demo, place: Path) -> None:
    signatures = demo.run("git", "ls-files", "*SIGNATURE.asc", cwd=place).split()
    assert len(signatures) == 2
    for name in signatures:
        demo.run("gpg", "--batch", "--verify", "SIGNATURE.asc", "CHECKSUMS.txt", cwd=(place / name).parent)
    for tag in demo.events():
        demo.run("git", "verify-tag", tag, cwd=place)


def test_records_recompute_with_git_alone(demo: Demo) -> None:
    previous = None
    for tag in demo.events():
        record = demo.record(tag)
        commit = demo.run("git", "rev-parse", f"refs/tags/{tag}^{{commit}}").strip()
        directory = f"{commit}:models/tumour/{record['version']}"
        assert record["prev"] == previous
        assert record["commit"] == commit
        assert record["tree"] == demo.run("git", "rev-parse", directory).strip()
        listed = subprocess.run(
            ["git", "show", f"{directory}/CHECKSUMS.txt"], cwd=demo.workspace, capture_output=True, check=True
        ).stdout
        assert record["digest"] == "sha256:" + hashlib.sha256(listed).hexdigest()
        previous = demo.run("git", "rev-parse", f"refs/tags/{tag}").strip()
    assert previous == demo.run("git", "rev-parse", "refs/strata/ledger/tumour").strip()


def test_gto_agrees_event_for_event(demo: Demo, gto: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(demo.workspace, copy)
    demo.run("git", "strata", "demote", "tumour@v2", "staging", "--reason", "second thoughts", cwd=copy)
    ours = json.loads(demo.run("git", "strata", "stages", "--format", "json", cwd=copy))
    theirs = json.loads(demo.run(str(gto), "show", "--json", cwd=copy))
    assert theirs["tumour"]["stage"] == {"staging": "v2.0.0"}
    rows = {(row["version"], row["stage"]) for row in ours["models"][0]["versions"]}
    assert ("v2", "staging") in rows
    assert not any(stage == "production" for _, stage in rows)
    told = json.loads(demo.run(str(gto), "history", "--json", cwd=copy))
    tags = {row["ref"] for row in told if row["event"] != "commit"}
    known = json.loads(demo.run("git", "strata", "history", "tumour", "--format", "json", cwd=copy))
    assert tags == {event["tag"] for event in known["events"]}


def test_notes_tell_of_the_promotion(demo: Demo) -> None:
    assert "#production#" in demo.run("git", "log", "--notes=refs/notes/strata")


def test_mlflow_finds_the_runs_with_the_same_figures(demo: Demo) -> None:
    database = demo.workspace / ".strata" / "local" / "mlflow.db"
    with sqlite3.connect(database) as db:
        rows = db.execute(
            "SELECT t.value, m.key, m.value FROM latest_metrics m JOIN tags t USING (run_uuid) "
            "WHERE t.key = 'mlflow.runName'"
        ).fetchall()
    tracked: dict[str, dict[str, float]] = {}
    for run, key, value in rows:
        tracked.setdefault(run, {})[key] = value
    db.close()
    recorded = {path.parent.name: json.loads(path.read_text()) for path in demo.workspace.glob("runs/*/metrics.json")}
    assert tracked == recorded


def test_lineage_names_everything(demo: Demo) -> None:
    told = demo.run("git", "strata", "lineage", "tumour@production", "--format", "json")
    assert told == demo.run("git", "strata", "lineage", "tumour@production", "--format", "json")
    assert json.loads(told)["schema"] == "strata/lineage/v1"
    version = re.search(r"tumour@(v\d+)", told)
    assert version is not None
    metadata = (demo.workspace / "models/tumour" / version[1] / "metadata.yaml").read_text()
    run = re.search(r"run-\d{4}-\d\d-\d\d-\d{3}", metadata)  # the second of two, by its day's count
    assert run is not None
    for needed in (
        r"datasets/breast-cancer@v1", r"sha256:[0-9a-f]{64}", rf'"{run[0]}"', r'"[0-9a-f]{40}"',
        r"tumour#production#\d+", r"[0-9A-F]{40}", r"Ada Signer",
    ):  # fmt: skip
        assert re.search(needed, told), needed


def test_lineage_is_the_same_from_a_bare_clone(demo: Demo, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    demo.run("git", "clone", "--quiet", "--bare", demo.workspace.as_uri(), str(bare), cwd=tmp_path)
    refs = "refs/strata/*:refs/strata/*"
    demo.run("git", "fetch", "--quiet", demo.workspace.as_uri(), refs, cwd=bare)
    here = demo.run("git", "strata", "lineage", "tumour@production", "--format", "json")
    assert not (bare / "lfs").exists()
    assert demo.run("git-strata", "lineage", "tumour@production", "--format", "json", cwd=bare) == here


def test_the_dashboard_shows_what_was_made(demo: Demo) -> None:
    pages = demo.path / "dashboard"
    first = (pages / "index.html").read_text()
    assert "tumour@v2" in first
    for name in ("models/tumour/v1.html", "models/tumour/v2.html", "datasets/breast-cancer/v1.html"):
        assert (pages / name).is_file(), name
    assert len(list((pages / "runs").glob("run-*-00?.html"))) == 2
    assert len(list((pages / "pictures").glob("*.png"))) >= 2  # the run's own plots
    model = (pages / "models/tumour/v2.html").read_text()
    assert "Ada Signer" in model
    assert ">valid<" in model
    assert str(demo.path / "dashboard" / "index.html") in demo.out


def test_the_tampered_clone_was_refused_at_every_door(demo: Demo) -> None:
    assert demo.out.count("(refused)") == 3
    honest = demo.run("git", "rev-parse", "HEAD").strip()
    assert demo.run("git", "rev-parse", "refs/heads/main", cwd=demo.path / "server.git").strip() == honest


def test_nothing_of_the_machine_is_in_the_repository(demo: Demo) -> None:
    done = subprocess.run(
        ["git", "grep", "-l", "-F", str(demo.path)], cwd=demo.workspace, capture_output=True, check=False
    )
    assert done.returncode == 1, done.stdout


SECRET = "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYzzTESTKEYz\n"
STAGED = {
    "nothing of ours": {"NOTES.txt": "a line\n"},
    "a card corrected": {"models/tumour/v1/card.md": "# Better\n"},
    "a figure polished": {"models/tumour/v2/metrics.yaml": "test_f1: 1.0\n"},
    "a run put right": {"runs/{run}/metrics.json": "{}\n"},
    "a list emptied": {"models/tumour/v1/CHECKSUMS.txt": ""},
    "a dataset without a word": {"datasets/other/v1/train.csv": "a,b\n1,2\n"},
    "a key in an experiment": {"experiments/other.yaml": "name: other\nplugin: sklearn\nnote: " + SECRET},
}


@pytest.mark.heavy
@pytest.mark.parametrize("program", ["pre-commit", "prek"])
def test_the_frameworks_say_what_the_doctor_says_of_what_is_staged(demo: Demo, tmp_path: Path, program: str) -> None:
    """The same rules at the same files, and a refusal for each error; nothing where there is nothing."""
    package, clone = tmp_path / "package", tmp_path / "clone"
    demo.run("git", "init", "--quiet", str(package))
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", package)
    demo.run("git", "add", ".", cwd=package)
    demo.run("git", "commit", "--quiet", "--message", "Manifest", cwd=package)
    revision = demo.run("git", "rev-parse", "HEAD", cwd=package).strip()
    demo.run("git", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false", "clone", "--quiet",
             demo.workspace.as_uri(), str(clone), cwd=demo.path)  # fmt: skip
    (clone / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {package}\n    rev: {revision}\n    hooks:\n      - id: strata-system\n"
    )
    demo.run("git", "add", ".pre-commit-config.yaml", cwd=clone)
    demo.run("git", "commit", "--quiet", "--message", "A framework", cwd=clone)
    run_id = next((clone / "runs").glob("run-*")).name
    refused = 0
    for changed in STAGED.values():
        for name, text in changed.items():
            place = clone / name.format(run=run_id)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        demo.run("git", "add", "--all", cwd=clone)
        command = [str(Path(sys.executable).with_name(program)), "run", "--color=never"]
        told = subprocess.run(command, cwd=clone, env=demo.environ, capture_output=True, text=True, check=False)
        doctor = [sys.executable, "-m", "strata_git", "doctor", "--staged", "--format", "json"]
        said = subprocess.run(doctor, cwd=clone, env=demo.environ, capture_output=True, text=True, check=False)
        sealed_by_the_hook = {"STR-C001"}  # a list that is missing is written, not told
        findings = [
            finding
            for finding in json.loads(said.stdout)["findings"]
            if finding["severity"] != "info" and finding["rule"] not in sealed_by_the_hook
        ]
        assert set(re.findall(r"STR-[A-Z]\d{3}", told.stdout)) == {finding["rule"] for finding in findings}, told.stdout
        assert all(finding["path"] in told.stdout for finding in findings)
        assert (told.returncode != 0) == (said.returncode == 2), told.stdout + told.stderr
        refused += told.returncode != 0
        demo.run("git", "reset", "--quiet", "--hard", cwd=clone)
    assert refused == len(STAGED) - 1
