"""Plugins of the workspace, `plugins/*.py` (TFC-0010): judged by their source alone, which is never imported."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from strata_git.checks.finding import Finding, found
from strata_git.checks.python_source import Unparsable, classes, dotted, imports, parse_source
from strata_git.checks.text_account import TextAccount

_OURS = "strata_git"
_TRACKERS = frozenset({"mlflow", "wandb", "neptune", "comet_ml", "clearml", "dvclive", "aim"})
_ENVIRONMENT = frozenset({"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv"})
_DOTENV = frozenset({"dotenv", "environs", "decouple"})
_NAMES_OF_OS = frozenset({"environ", "environb", "getenv", "getenvb"})


def plugin_name(path: str) -> str | None:
    """What experiments call the plugin at `path`; None for a module that only other modules of plugins/ use.

    `plugins/two_towers.py` and `plugins/two_towers/__init__.py` are `two_towers`, and `two-towers` too.
    """
    parts = path.removeprefix("plugins/").removesuffix(".py").split("/")
    if len(parts) == 2 and parts[1] == "__init__":
        parts = parts[:1]
    return parts[0] if len(parts) == 1 and not parts[0].startswith("_") else None


def judge_plugin(path: str, data: bytes) -> TextAccount:
    """Judge one module below plugins/ by its source."""
    try:
        tree = parse_source(data)
    except Unparsable as error:
        return TextAccount("plugin", (found("STR-U001", path, str(error), line=error.line),))
    findings = [*_judge_imports(path, tree), *_judge_environment(path, tree)]
    name = plugin_name(path)
    if name is not None:
        findings += _judge_class(path, name, tree)
        if not name.isidentifier():
            findings.append(found("STR-U003", path, f"'{name}' is no name that Python can import; write - as _"))
    return TextAccount("plugin", tuple(sorted(findings, key=lambda one: (one.line, one))))


def _judge_class(path: str, name: str, tree: ast.Module) -> Iterator[Finding]:
    """One class whose name ends in Plugin, with the plugin's name and a run(self, spec, context)."""
    made = [node for node in classes(tree) if node.name.endswith("Plugin")]
    if len(made) != 1:
        said = f"defines {len(made)} classes" if made else "defines no class"
        line = made[1].lineno if made else 0
        yield found("STR-U002", path, f"{said} whose name ends in Plugin, where one is wanted", line=line)
        return
    (node,) = made
    run = next((part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "run"), None)
    if run is None:
        yield found("STR-U002", path, f"{node.name} has no method run(self, spec, context)", line=node.lineno)
    elif len(run.args.posonlyargs) + len(run.args.args) != 3 and run.args.vararg is None:
        yield found(
            "STR-U002", path, f"{node.name}.run takes other arguments than self, spec, context", line=run.lineno
        )
    said_name = _constant(node, "name")
    if said_name is None:
        yield found("STR-U003", path, f"{node.name} does not say its name (name = {name!r})", line=node.lineno)
    elif said_name.replace("-", "_") != name.replace("-", "_"):
        message = f"{node.name} is called '{said_name}', its file '{name}': experiments would not find it"
        yield found("STR-U003", path, message, line=node.lineno)


def _constant(node: ast.ClassDef, name: str) -> str | None:
    """The text that a class gives to an attribute, plainly or by a property that does nothing else."""
    for part in node.body:
        value = _given(part, name)
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None


def _given(part: ast.stmt, name: str) -> ast.expr | None:
    if isinstance(part, ast.FunctionDef) and part.name == name and isinstance(part.body[-1], ast.Return):
        return part.body[-1].value
    if isinstance(part, ast.Assign) and any(dotted(target) == name for target in part.targets):
        return part.value
    return part.value if isinstance(part, ast.AnnAssign) and dotted(part.target) == name else None


def _judge_imports(path: str, tree: ast.Module) -> Iterator[Finding]:
    for module, line, at_once in imports(tree):
        top = module.partition(".")[0]
        if top in _TRACKERS:
            message = f"imports {top}: a plugin reports through context.tracking and opens no run of its own"
            yield found("STR-U005", path, message, line=line)
        elif top in _DOTENV:
            yield found("STR-U006", path, f"imports {top}, which reads the environment", line=line)
        elif at_once and top and top != _OURS and top not in sys.stdlib_module_names:
            yield found("STR-U004", path, f"imports {top} at its top; import it inside run()", line=line)


def _judge_environment(path: str, tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node) in _ENVIRONMENT:
            yield found("STR-U006", path, f"uses {dotted(node)}", line=node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            taken = sorted(alias.name for alias in node.names if alias.name in _NAMES_OF_OS)
            yield from (found("STR-U006", path, f"uses os.{name}", line=node.lineno) for name in taken)
