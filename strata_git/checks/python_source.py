"""Python source as a syntax tree. Nothing is ever imported or run; hostile source costs little and ends in one word."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

LIMIT = 1 << 20


class Unparsable(ValueError):
    """Source that Python would not take; the message is one line."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def parse_source(data: bytes) -> ast.Module:
    """The syntax tree of a module. Raises Unparsable (a ValueError) with the line."""
    if len(data) > LIMIT:
        raise Unparsable(f"has {len(data)} bytes, more than {LIMIT}; not read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes and the like: their author hears of them
            return ast.parse(data)
    except SyntaxError as error:
        raise Unparsable(f"is not Python: {error.msg}", error.lineno or 0) from None
    except (RecursionError, MemoryError):
        raise Unparsable("is too deeply nested to be read") from None
    except ValueError as error:  # NUL bytes, an unknown encoding
        raise Unparsable(f"is not Python: {error}") from None


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions a module defines at its top."""
    return (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    """The classes a module defines at its top."""
    return (node for node in tree.body if isinstance(node, ast.ClassDef))


def imports(tree: ast.Module) -> Iterator[tuple[str, int, bool]]:
    """Every module imported anywhere: its name, the line, and whether it is imported as soon as the module is.

    What stands below `if TYPE_CHECKING:` is not imported at all.
    """
    waiting: list[tuple[ast.AST, bool]] = [(node, True) for node in reversed(tree.body)]
    while waiting:
        node, at_once = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), node.lineno, at_once
        inside = at_once and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        below: list[ast.AST] = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If) and _is_for_types(node.test):
            below = list(node.orelse)
        waiting += [(child, inside) for child in reversed(below)]


def dotted(node: ast.AST) -> str:
    """`os.environ` as text; `""` for what is no plain name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _is_for_types(test: ast.expr) -> bool:
    return dotted(test).rpartition(".")[2] == "TYPE_CHECKING"
