"""Plugins of the workspace, judged by their source; nothing is ever imported."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from strata_git.checks.plugins import judge_plugin, plugin_name
from strata_git.checks.python_source import LIMIT, Unparsable, imports, parse_source
from strata_git.checks.texts import SHIPPED
from strata_git.runs.catalog import BUILTIN
from tests.checks.judging import only, rules

ROOT = Path(__file__).parents[2]
GOOD = '''\
"""A plugin."""
from __future__ import annotations
import csv
from typing import TYPE_CHECKING
from strata_git.runs.plugin import RunResult
if TYPE_CHECKING:
    import numpy
class MeanPlugin:
    """The mean."""
    name = "mean"
    requires = {}
    def run(self, spec, context):
        import numpy as np
        return RunResult()
'''


def told(source: str, path: str = "plugins/mean.py") -> list[str]:
    return rules(judge_plugin(path, source.encode()).findings)


def test_a_valid_plugin_is_silent() -> None:
    assert told(GOOD) == []
    assert told(GOOD, "plugins/mean/__init__.py") == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("plugins/mean.py", "mean"), ("plugins/mean/__init__.py", "mean"), ("plugins/_shared.py", None),
        ("plugins/mean/parts.py", None), ("plugins/a/b/__init__.py", None), ("plugins/__init__.py", None),
    ],
)  # fmt: skip
def test_which_files_are_plugins(path: str, name: str | None) -> None:
    assert plugin_name(path) == name


@pytest.mark.parametrize("source", ["def run(:\n", "class A:\npass\n", "x = '\0'\n", "# coding: no-such\n", "(" * 5000])
def test_what_is_not_python(source: str) -> None:
    finding = only(judge_plugin("plugins/mean.py", source.encode()).findings)
    assert (finding.rule, finding.severity) == ("STR-U001", "error")


def test_the_line_of_what_is_not_python() -> None:
    assert only(judge_plugin("plugins/mean.py", b"x = 1\ny = = 2\n").findings).line == 2


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n", GOOD.replace("class MeanPlugin", "class Mean"), GOOD + GOOD.replace("MeanPlugin", "OtherPlugin"),
        GOOD.replace("def run(", "def work("), GOOD.replace("self, spec, context", "self, spec"),
    ],
)  # fmt: skip
def test_a_file_without_its_class(source: str) -> None:
    assert told(source) == ["STR-U002"]
    assert told(source, "plugins/_mean.py") == []


@pytest.mark.parametrize("given", ['name = "median"', "name = make()", "other = 1"])
def test_the_name_is_the_files(given: str) -> None:
    assert told(GOOD.replace('name = "mean"', given)) == ["STR-U003"]


def test_a_file_that_python_could_not_import() -> None:
    assert told(GOOD.replace('"mean"', '"two-towers"'), "plugins/two-towers.py") == ["STR-U003"]


@pytest.mark.parametrize(
    "given", ['name: str = "two-towers"', 'name = "two_towers"', '@property\n    def name(self): return "two-towers"']
)
def test_a_name_with_a_dash_is_one_with_an_underscore(given: str) -> None:
    assert told(GOOD.replace('name = "mean"', given), "plugins/two_towers.py") == []


@pytest.mark.parametrize(
    "line", ["import numpy", "from sklearn.svm import SVC", "try:\n    import torch\nexcept ImportError: torch = None"]
)
def test_heavy_imports_belong_into_run(line: str) -> None:
    finding = only(judge_plugin("plugins/mean.py", f"{GOOD}{line}\n".encode()).findings)
    assert (finding.rule, finding.severity) == ("STR-U004", "warning")
    assert told(f"{line}\n", "plugins/_shared.py") == ["STR-U004"]


def test_own_modules_may_be_imported_at_once() -> None:
    assert told("from ._shared import mean\nfrom . import other\nimport strata_git.errors\n" + GOOD) == []


@pytest.mark.parametrize("line", ["import mlflow", "from mlflow.tracking import MlflowClient", "import wandb as w"])
def test_trackers_are_left_alone_even_inside_run(line: str) -> None:
    assert told(GOOD.replace("import numpy as np", line)) == ["STR-U005"]


@pytest.mark.parametrize(
    "line", ["import os; os.environ['X']", "import os; os.getenv('X')", "from os import environ as e", "import dotenv"]
)
def test_the_environment_is_left_alone(line: str) -> None:
    assert told(GOOD.replace("import numpy as np", line)) == ["STR-U006"]


def test_nothing_is_imported_or_run() -> None:
    source = b"import sys; sys.h5_canary = 1\nraise SystemExit\n" + GOOD.encode()
    assert judge_plugin("plugins/mean.py", source).findings == ()
    assert not hasattr(sys, "h5_canary")


@pytest.mark.parametrize(
    "source",
    [
        b"-" * 900_000 + b"1", b"a" + b".b" * 400_000, b"f" + b"()" * 400_000,
        b"if x: pass\n" + b"elif x: pass\n" * 60_000, b"x" + b"+x" * 400_000, b"lambda:" * 100_000 + b"1",
        b"x" * (LIMIT + 1),
    ],
    ids=["minus", "dots", "calls", "elifs", "sum", "lambdas", "size"],
)  # fmt: skip
def test_hostile_source_ends_in_a_word(source: bytes) -> None:
    begun = time.monotonic()
    with pytest.raises(Unparsable):
        parse_source(source)
    assert time.monotonic() - begun < 10


def test_imports_know_when_they_happen() -> None:
    tree = parse_source(GOOD.encode() + b"class B:\n    import b\n    def f(self):\n        from .c import d\n")
    assert [(name, now) for name, _, now in imports(tree)] == [
        ("__future__", True), ("csv", True), ("typing", True), ("strata_git.runs.plugin", True), ("numpy", False),
        ("b", True), (".c", False),
    ]  # fmt: skip


def test_what_is_shipped_is_known_to_experiments() -> None:
    assert set(BUILTIN) <= set(SHIPPED)


@pytest.mark.parametrize(
    ("file", "path"),
    [("docs/PLUGIN_CONVENTIONS.md", "plugins/mean.py"), ("templates/example/plugins/nearest_centroid.py", "")],
)
def test_what_we_show_keeps_the_rules(file: str, path: str) -> None:
    text = (ROOT / file).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if file.endswith(".md") else [text]
    assert blocks
    names = [re.findall(r'^    name = "([a-z_-]+)"$', block, re.MULTILINE) for block in blocks]
    paths = [f"plugins/{name}.py" if path else "plugins/nearest_centroid.py" for (name,) in names]
    assert [told(block, place) for block, place in zip(blocks, paths, strict=True)] == [[]] * len(blocks)
