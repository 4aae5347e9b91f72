"""The wheel: what it brings, and that it works where nothing of this directory is: one environment, the core alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.keys import Keys
from tests.support.process import Completed, run

ROOT = Path(__file__).parent.parent
PINS = ROOT / "requirements" / "dev.txt"
ABSENT = ("alembic", "matplotlib", "mlflow", "numpy", "pandas", "pytest", "scipy", "skops", "sklearn", "sqlalchemy")
IRIS, FOREST = "datasets/iris/v1", "models/forest/v1"


def wheel(directory: Path) -> tuple[Path, list[str]]:
    """Build a wheel without a network; the file and the names in it."""
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = directory.glob("*.whl")
    return file, zipfile.ZipFile(file).namelist()


def test_the_wheel_brings_what_is_needed_and_no_more(tmp_path: Path) -> None:
    names = {re.sub(r"^git_strata-[^/]+\.(data|dist-info)", r"\1", name) for name in wheel(tmp_path)[1]}
    for part in ("_hooks", "_templates", "_tfc"):
        assert any(name.startswith(f"strata_git/{part}/") for name in names), part
    schemas = {f"strata_git/_tfc/schemas/{path.name}" for path in (ROOT / "tfc" / "schemas").glob("*.json")}
    assert schemas
    assert schemas <= names
    assert {"strata_git/py.typed", "data/data/share/man/man1/git-strata.1", "dist-info/licenses/LICENSE"} <= names
    assert {name.partition("/")[0] for name in names} == {"strata_git", "data", "dist-info"}
    data = "strata_git/_templates/example/datasets/"
    assert [name for name in names if "test" in Path(name).parts and not name.startswith(data)] == []
    assert [name for name in names if "__pycache__" in name] == []
    templates = {path.relative_to(ROOT / "templates").as_posix() for path in (ROOT / "templates").rglob("*.*")}
    assert {f"strata_git/_templates/{name}" for name in templates if (ROOT / "templates" / name).is_file()} <= names
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "strata_git").rglob("*.py")} <= names


# --- installed alone


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment that holds the wheel and its core dependencies, at the versions pinned."""

    venv: Path

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def path(self) -> str:
        """PATH with this environment first, and without any other `git-strata`."""
        rest = [place for place in os.environ["PATH"].split(os.pathsep) if not (Path(place) / "git-strata").exists()]
        return os.pathsep.join([str(self.venv / "bin"), *rest])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    base = tmp_path_factory.mktemp("wheel")
    file, _ = wheel(base)
    pins = base / "pins.txt"
    pins.write_text(re.sub(r" \\\n(    --hash=\S+( \\)?\n)+", "\n", PINS.read_text()))
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(base / "venv")], check=True)
    install = [*uv, "pip", "install", "--quiet", "--no-config", "--python", str(base / "venv")]
    subprocess.run([*install, "--constraint", str(pins), str(file)], check=True)
    return Installed(base / "venv")


@pytest.fixture
def environ(installed: Installed, hermetic: dict[str, str]) -> dict[str, str]:
    """The sealed environment, in which the wheel's is the only `git-strata`."""
    made = hermetic | {"PATH": installed.path}
    found = shutil.which("git-strata", path=made["PATH"])
    assert found is not None
    assert Path(found).is_relative_to(installed.venv)
    return made


@pytest.fixture
def repo(environ: dict[str, str], tmp_path: Path, keys: Keys) -> Iterator[RepositoryBuilder]:
    """A workspace made by `git strata init` of the wheel, hooks and Git LFS in force, and committed."""
    told = run("git", "strata", "init", "--example", "work", cwd=tmp_path, environ=environ).expect(0)
    assert "pre-commit: installed" in told.out
    made = RepositoryBuilder(tmp_path / "work", environ)
    made.git("config", "user.signingkey", keys.alice)
    made.commit("Make a workspace")
    yield made
    assert not list(made.path.rglob("*.pyc"))


def strata(repo: RepositoryBuilder, *words: str, code: int = 0) -> Completed:
    """`git strata` as git finds it on PATH."""
    return repo.try_git("strata", *words).expect(code)


def story(repo: RepositoryBuilder) -> None:
    """A dataset that the hook seals, then a run and a model; three commits."""
    head, tree = repo.git("rev-parse", "HEAD", "HEAD^{tree}").split("\n")
    iris = artifacts.dataset("iris")
    repo.commit("Add iris", artifacts.dataset("iris", seal=False))
    assert repo.git("show", f"HEAD:{IRIS}/CHECKSUMS.txt").encode() + b"\n" == iris[f"{IRIS}/CHECKSUMS.txt"]
    inputs = [artifacts.cite(iris, IRIS)]
    ran = artifacts.run(inputs=inputs, metadata={"code": {"commit": head, "dirty": False, "tree": tree}})
    repo.commit("Run", ran)
    repo.commit("Add forest", artifacts.model("forest", datasets=inputs, metrics=artifacts.metrics_of(ran)))


@pytest.mark.heavy
def test_it_is_the_wheel_that_runs_and_the_core_is_all_there_is(
    installed: Installed, environ: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import importlib.util as u, strata_git; print(strata_git.__file__);"
        f"print([name for name in {ABSENT!r} if u.find_spec(name)])"
    )
    place, extra = run(installed.python, "-c", code, cwd=tmp_path, environ=environ).expect(0).out.splitlines()
    assert Path(place).is_relative_to(installed.venv / "lib")
    assert extra == "[]"
    for program in ("git-strata", "strataml"):
        done = run(program, "--version", cwd=tmp_path, environ=environ).expect(0)
        assert re.fullmatch(r"git-strata, version \S+\n", done.out)


@pytest.mark.heavy
def test_git_shows_the_manual_page(environ: dict[str, str], tmp_path: Path) -> None:
    done = run("git", "strata", "--help", cwd=tmp_path, environ=environ | {"MANPAGER": "cat"}).expect(0)
    assert done.out.splitlines()[0].startswith("GIT-STRATA(1)")
    for command in ("init", "doctor", "promote"):
        assert re.search(rf"^ +{command}\b", done.out, re.MULTILINE), done.out


@pytest.mark.heavy
def test_from_init_to_production(repo: RepositoryBuilder, keys: Keys) -> None:
    story(repo)
    strata(repo, "doctor")
    strata(repo, "sign", FOREST, "--commit")
    keys.gpg("--verify", str(repo.path / FOREST / "SIGNATURE.asc"), str(repo.path / FOREST / "CHECKSUMS.txt"))
    for stage in ("staging", "production"):
        assert stage in strata(repo, "promote", "forest@v1", "--reason", "measured").out
    for tag in repo.git("tag", "--list", "forest*").split():
        repo.git("verify-tag", tag)
    assert re.search(r"^forest +v1 +production ", strata(repo, "stages").out, re.MULTILINE)
    strata(repo, "doctor", "--strict")
    strata(repo, "verify")


@pytest.mark.heavy
def test_index_and_lineage(repo: RepositoryBuilder, keys: Keys) -> None:
    story(repo)
    strata(repo, "sign", FOREST, "--commit")
    index = strata(repo, "index", "--format", "json").json()
    assert str(index["schema"]).startswith("strata/index/")
    for reference in ("datasets/iris@v1", artifacts.RUN, "models/forest@v1"):
        assert f'"{reference}"' in str(index).replace("'", '"'), reference
    told = strata(repo, "lineage", "forest@v1").out
    for needed in ("datasets/iris@v1", artifacts.RUN, keys.alice):
        assert needed in told


@pytest.mark.heavy
def test_checksums_are_stock_ones(repo: RepositoryBuilder, environ: dict[str, str]) -> None:
    repo.write(artifacts.dataset("iris", seal=False))
    strata(repo, "checksum")
    run("sha256sum", "--strict", "--check", "CHECKSUMS.txt", cwd=repo.path / IRIS, environ=environ).expect(0)
    assert repo.read(f"{IRIS}/CHECKSUMS.txt") == artifacts.dataset("iris")[f"{IRIS}/CHECKSUMS.txt"]
    printed = strata(repo, "checksum", "--print", IRIS).out
    run("sha256sum", "--strict", "--check", cwd=repo.path, environ=environ, stdin=printed.encode()).expect(0)


@pytest.mark.heavy
def test_the_hook_refuses_and_the_contract_explains(repo: RepositoryBuilder) -> None:
    repo.commit("Add iris", artifacts.dataset("iris"))
    server = repo.path.with_name("server.git")
    repo.git("init", "--quiet", "--bare", str(server))
    repo.git("push", "--quiet", server.as_uri(), "HEAD:refs/heads/main")
    repo.git("remote", "add", "origin", server.as_uri())
    repo.git("fetch", "--quiet", "origin")
    head = repo.head
    repo.write({f"{IRIS}/train.csv": artifacts.TRAIN + b"1,2,three\n"}).git("add", "--all")
    refused = repo.try_git("commit", "--message", "Nobody will notice").clean()
    assert refused.code != 0
    assert repo.head == head
    assert "STR-I001" in refused.err + refused.out
    assert "released" in strata(repo, "explain", "STR-I001").out


@pytest.mark.heavy
def test_a_run_names_the_extra_that_is_missing(repo: RepositoryBuilder) -> None:
    experiments = sorted(path.relative_to(repo.path) for path in repo.path.glob("experiments/*.yaml"))
    assert experiments
    before = repo.git("status", "--porcelain")
    for experiment in experiments:
        done = strata(repo, "run", str(experiment), code=3)
        assert re.search(r"^  pip install 'git-strata\[(runs|sklearn)\]'$", done.err, re.MULTILINE), str(done)
        assert done.out == ""
    assert repo.git("status", "--porcelain") == before
