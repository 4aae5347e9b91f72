"""The frame of the house: what may import what, how large a file may be, what the tree never says.

These are promises about the whole tree; what a room does is tested in the directory of its name.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "strata_git"
MODULES = sorted(PACKAGE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
UNSAFE = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
PROCESSES = {("strata_git/runs/sweeps/engine.py", "joblib"), ("strata_git/runs/engines.py", "joblib")}
"""joblib starts the processes of sweeps, and of documents where that is asked for; what it loads are our own values,
from workers that we started."""
SWITCHES = {
    "strata_git/runs/limits.py", "strata_git/runs/mlflow.py", "strata_git/runs/plugins/sklearn_onnx.py",
    "strata_git/runs/engines.py",
}  # fmt: skip
"""MLflow and ONNX Runtime read their switches (no telemetry) from the process's environment: they are set there."""
LAMBDA = "strata_git/pipeline/deploy/aws_lambda.py"
"""What AWS Lambda calls: an end like a command."""
RAY = "strata_git/serving/deploy/ray_app.py"
"""What Ray Serve calls, in the same way."""
HEAVY = {"git", "gnupg", "mlflow", "pydantic", "pygit2", "yaml"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_bytes())))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Top-level names of what a module imports, wherever it does, with the line."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node.lineno


def is_end(path: Path) -> bool:
    """Whether a module is an end that people, git or a platform call: those may read the environment and print."""
    if path.name == "__main__.py":
        return True
    return path.relative_to(PACKAGE).parts[0] in {"cli", "hooks"} or name_of(path) in (LAMBDA, RAY)


@cache
def tracked() -> tuple[Path, ...]:
    """The files of the project: what git knows or would add."""
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, capture_output=True, check=True, text=True).stdout.split("\0")[:-1]
    return tuple(path for name in listed if (path := ROOT / name).is_file())


# --- the text of modules


def test_files_are_short() -> None:
    python = [path for path in tracked() if path.suffix == ".py"]
    assert python
    long = {name_of(path): lines for path in python if (lines := len(path.read_bytes().splitlines())) > LONGEST_FILE}
    assert long == {}


def test_functions_fit_a_screen() -> None:
    functions = [(p, n) for p in MODULES for n in nodes(p) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert functions
    long = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path, node in functions
        if (node.end_lineno or node.lineno) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def test_every_module_and_public_function_says_what_it_is() -> None:
    silent = []
    for path in MODULES:
        tree = ast.parse(path.read_bytes())
        if ast.get_docstring(tree) is None:
            silent.append(name_of(path))
        silent += [
            f"{name_of(path)}:{node.lineno} {node.name}"
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and ast.get_docstring(node) is None
        ]
    assert silent == []


def test_packages_export_nothing() -> None:
    """An `__init__` that imports its children is where import cycles begin."""
    full = [
        name_of(path)
        for path in MODULES
        if path.name == "__init__.py" and path.parent != PACKAGE and len(ast.parse(path.read_bytes()).body) != 1
    ]
    assert full == []


def test_only_the_ends_print_and_read_the_environment() -> None:
    wrong = []
    for path in MODULES:
        if is_end(path):
            continue
        for node in nodes(path):
            match node:
                case ast.Attribute(value=ast.Name(id="os"), attr="environ") if name_of(path) in SWITCHES:
                    continue
                case ast.Call(func=ast.Name(id="print" | "input" | "exit" | "quit" as name)):
                    wrong.append(f"{name_of(path)}:{node.lineno} {name}()")
                case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv" | "putenv" as attr):
                    wrong.append(f"{name_of(path)}:{node.lineno} os.{attr}")
                case ast.ImportFrom(module="os", names=names):
                    taken = {alias.name for alias in names} & {"environ", "environb", "getenv", "putenv"}
                    wrong += [f"{name_of(path)}:{node.lineno} from os import {item}" for item in sorted(taken)]
    assert wrong == []


def test_no_shell_is_started() -> None:
    wrong = []
    for path in MODULES:
        for node in nodes(path):
            match node:
                case ast.keyword(arg="shell"):
                    wrong.append(f"{name_of(path)}:{node.lineno} shell=")
                case ast.Attribute(value=ast.Name(id="os"), attr="system" | "popen"):
                    wrong.append(f"{name_of(path)}:{node.lineno} os.{node.attr}")
    assert wrong == []


def test_nothing_that_runs_code_on_loading_is_imported() -> None:
    wrong = [f"{name_of(path)}:{line} {name}" for path in MODULES for name, line in imported(path)
             if name in UNSAFE and (name_of(path), name) not in PROCESSES]  # fmt: skip
    assert wrong == []


# --- what imports what


def test_the_layers_hold() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "banned"),
    [("strata_git.hooks.entry", HEAVY | {"click", "rich"}), ("strata_git.cli.main", HEAVY | {"rich"})],
)
def test_ends_start_light(module: str, banned: set[str]) -> None:
    script = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {name.partition(".")[0] for name in json.loads(done.stdout)} & banned == set()


def test_every_package_is_on_the_map() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    packages = [path.parent.name for path in MODULES if path.name == "__init__.py" and path.parent != PACKAGE]
    assert [name for name in packages if f"{name}/" not in text] == []


# --- what is offered


def test_entry_points_exist() -> None:
    project = PROJECT["project"]
    targets = [*project["scripts"].values(), *project["entry-points"]["strata_git.plugins"].values()]
    for target in targets:
        module, _, attribute = target.partition(":")
        assert callable(getattr(importlib.import_module(module), attribute)), target


def test_every_command_explains_itself_and_its_options() -> None:
    from strata_git.cli.main import COMMANDS, cli

    context = click.Context(cli)
    silent = []
    pending: list[tuple[tuple[str, ...], click.Command | None]]
    pending = [((name,), cli.get_command(context, name)) for name in COMMANDS]
    while pending:
        words, command = pending.pop()
        assert command is not None, words
        silent += [] if command.help else [" ".join(words)]
        silent += [
            f"{' '.join(words)} {p.opts[0]}" for p in command.params if isinstance(p, click.Option) and not p.help
        ]
        if isinstance(command, click.Group):
            pending += [((*words, name), below) for name, below in command.commands.items()]
    assert silent == []


def test_requirements_pin_everything_declared() -> None:
    pinned = {
        match.lower().replace("_", "-")
        for match in re.findall(r"^([\w.-]+)==\S+.*\\$", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE)
    }
    extras = PROJECT["project"]["optional-dependencies"]
    declared = [*PROJECT["project"]["dependencies"], *(line for lines in extras.values() for line in lines)]
    names = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in declared} - {"git-strata"}
    assert names
    assert names - pinned == set()


# --- the manual page


def test_the_manual_page_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts" / "man.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\nrun: make man"


def test_the_manual_page_is_good_roff() -> None:
    page = ROOT / "man" / "git-strata.1"
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "git-strata" in done.stdout.splitlines()[0].lower()


# --- what the tree never says


def test_no_file_names_a_registry_or_a_machine() -> None:
    parts = [("py", r"pi\.org"), ("python", "hosted"), ("npm", r"js\.org"), ("deb.", "debian"), ("/opt/", "wheels")]
    banned = re.compile("|".join(a + b for a, b in parts).encode())
    files = tracked()
    assert files
    assert [name_of(path) for path in files if banned.search(path.read_bytes())] == []
