"""The plugin `notebook`: parameters go in, cells run in a kernel of their own, the notebook comes out without traces of
this machine."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from strata_git.errors import StrataError, UsageError
from strata_git.runs.execute import RunOutcome
from strata_git.runs.plugins.notebook import NotebookPlugin
from strata_git.runs.plugins.notebook_cells import first_line, inject, read_notebook, settled
from strata_git.runs.spec import RunSpec
from tests.runs.running import perform, record_of
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import sealed, short_directory

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYzzzz"
PARAMETERS = "depth = 1\ntable = ''\nmodel = ''\nseed = 0"
TRAIN = """\
import os, random, numpy, pathlib
print('strata-metric rows=%d step=1' % len(pathlib.Path(table).read_text().splitlines()))
print('drawn', random.random(), numpy.random.rand(), hash('text'), os.getcwd(), object())
print(os.environ['MY_SECRET'])"""
STOP = "import os, signal, time\nos.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(60)"
SAVE = """\
pathlib.Path(model).write_bytes(b'weights %d %d' % (depth, seed))
strata_metrics = {'test_f1': numpy.float64(0.5)}
model"""


def notebook(*cells: str | tuple[str, str], kernel: str = "python3", language: str = "python") -> bytes:
    """A notebook of code cells; a pair is a source and a tag."""
    made = []
    for cell in cells:
        source, tag = cell if isinstance(cell, tuple) else (cell, "")
        metadata = {"tags": [tag]} if tag else {}
        made.append({"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": 9})
    made.insert(0, {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "text"]})
    spec = {"name": kernel, "display_name": "x", "language": language}
    value = {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": spec}, "cells": made}
    return json.dumps(value).encode()


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RepositoryBuilder]:
    home, base = short_directory(), tmp_path_factory.mktemp("notebook")
    made = create(base / "repo", sealed(base, home, os.environ), "--initial-branch=main").workspace()
    made.write(
        {
            "books/train.ipynb": notebook((PARAMETERS, "parameters"), TRAIN, SAVE, kernel="some-venv"),
            "books/fail.ipynb": notebook("a = 1", "# comes next\nprint('so far')\nraise ValueError('no oven')"),
            "books/slow.ipynb": notebook("import time\nprint('asleep', flush=True)\ntime.sleep(30)"),
            "books/stop.ipynb": notebook(
                "import os, signal, time\nos.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(60)"
            ),
            "books/exit.ipynb": notebook("import os; os._exit(3)"),
            "books/wrong.ipynb": notebook("strata_metrics = {'a': 'much'}"),
            "data/table.csv": "a\n1\n2\n",
        }
    )
    made.commit("Begin")
    yield made
    home.rmdir()


def told(book: str, inputs: Mapping[str, str] | None = None, **params: Any) -> RunSpec:
    return RunSpec("book", "notebook", 7, "", {}, {"notebook": f"books/{book}.ipynb", **params}, {}, inputs or {})


def outputs(cell: Mapping[str, Any]) -> str:
    return "".join("".join(one.get("text", one.get("data", {}).get("text/plain", ""))) for one in cell["outputs"])


def kept(repo: RepositoryBuilder, done: RunOutcome, name: str) -> list[Any]:
    cells: list[Any] = json.loads(repo.read(f"{done.path}/artifacts/{name}.ipynb"))["cells"]
    return cells


def with_parameters() -> RunSpec:
    return told(
        "train",
        {"table": "file:data/table.csv"},
        parameters={"depth": 5, "table": "${inputs.table}", "model": "${outputs.model}", "seed": "${seed}"},
        outputs={"model": "model.bin"},
        pass_env=["MY_SECRET"],
    )


@pytest.fixture(scope="module")
def executed(repo: RepositoryBuilder) -> RunOutcome:
    return perform(repo, with_parameters(), MY_SECRET=SECRET)


@pytest.mark.extras
def test_a_notebook_is_executed_with_its_parameters(repo: RepositoryBuilder, executed: RunOutcome) -> None:
    done = executed
    assert done.status == "succeeded", done.error
    assert dict(done.metrics) == {"rows": 3, "test_f1": 0.5}
    assert repo.read(f"{done.path}/artifacts/model.bin") == b"weights 5 7"
    _, _, injected, train, save = kept(repo, done, "train")
    assert injected["metadata"]["tags"] == ["injected-parameters"]
    assert "model = '${artifact_dir}/model.bin'\n" in injected["source"]
    assert "table = '${workspace}/data/table.csv'\n" in injected["source"]
    assert "<object object at 0x...>" in outputs(train)
    assert "${workspace}/books" in outputs(train)
    assert outputs(save) == "'${artifact_dir}/model.bin'"
    assert train["execution_count"] == 3
    text = repo.read(f"{done.path}/artifacts/train.ipynb") + repo.read(f"{done.path}/logs.txt")
    assert SECRET.encode() not in text
    assert b"the kernel 'some-venv' is not installed here" in text


@pytest.mark.heavy
def test_a_notebook_repeats_exactly(repo: RepositoryBuilder, executed: RunOutcome) -> None:
    again = perform(repo, with_parameters(), MY_SECRET=SECRET)
    one, other = ({f.path: f.sha256 for f in record_of(repo, run.id).outputs} for run in (executed, again))
    assert one == other
    assert len(one) == 3  # the model, the notebook, metrics.jsonl


@pytest.mark.heavy
def test_a_failing_cell_is_named_and_the_notebook_kept(repo: RepositoryBuilder) -> None:
    done = perform(repo, told("fail"))
    assert done.error == "Cell [2] of books/fail.ipynb (print('so far')) raised ValueError: no oven"
    assert outputs(kept(repo, done, "fail")[2]).startswith("so far")
    assert b" out so far" in repo.read(f"{done.path}/logs.txt")


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("book", "params", "said"),
    [
        ("slow", {"cell_timeout": 1}, "took longer than params.cell_timeout, 1 s."),
        ("slow", {"timeout": 3}, "took longer than params.timeout, 3 s."),
        ("exit", {}, "ended its kernel."),
        ("wrong", {}, "strata_metrics of books/wrong.ipynb must map names to numbers: ValueError"),
        ("fail", {"kernel": "fortran"}, "There is no kernel 'fortran'."),
        ("absent", {}, "There is no notebook books/absent.ipynb in the work tree."),
    ],
)
def test_what_ends_a_notebook_is_told(repo: RepositoryBuilder, book: str, params: dict[str, Any], said: str) -> None:
    done = perform(repo, told(book, **params))
    assert done.status == "failed"
    assert said in (done.error or "")


@pytest.mark.heavy
def test_a_request_to_stop_ends_the_kernel(repo: RepositoryBuilder) -> None:
    begun = time.monotonic()
    done = perform(repo, told("stop"))
    assert (done.status, done.error) == ("interrupted", "interrupted by SIGTERM")
    assert time.monotonic() - begun < 50
    assert outputs(kept(repo, done, "stop")[1]) == ""


# --- notebooks as data


def test_parameters_go_where_papermill_puts_them() -> None:
    value = read_notebook(notebook("x = 1", ("a = 1\nb = 2", "parameters"), "y = a"), "n.ipynb")
    inject(value, {"a": [1, None, True]}, "n.ipynb")
    inject(value, {"a": "it's"}, "n.ipynb")
    assert [cell["source"] for cell in value["cells"]][1:] == [
        "x = 1", "a = 1\nb = 2", '# Parameters\na = "it\'s"', "y = a",
    ]  # fmt: skip
    assert all(cell["id"] for cell in value["cells"])
    with pytest.raises(StrataError, match="has no parameter 'c'") as caught:
        inject(value, {"c": 1}, "n.ipynb")
    assert caught.value.hint == "Its cell tagged 'parameters' has: a, b."
    free = read_notebook(notebook("x = 1"), "n.ipynb")
    inject(free, {"any": 1}, "n.ipynb")
    assert free["cells"][0]["source"] == "# Parameters\nany = 1"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "n.ipynb"),
        (b"[]", "no notebook of format 4"),
        (b'{"nbformat": 3, "worksheets": []}', "no notebook of format 4"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "spell"}]}', "cell 1 is none that is known"),
    ],
)
def test_what_is_no_notebook_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(StrataError, match=said):
        read_notebook(data, "n.ipynb")


def test_traces_of_machine_and_moment_go() -> None:
    value = read_notebook(notebook("x"), "n.ipynb")
    value["metadata"]["widgets"] = {}
    value["cells"][1] |= {
        "metadata": {"execution": {"iopub.status.busy": "2026"}},
        "outputs": [
            {"output_type": "stream", "name": "stdout", "text": ["at /home/ada/repo/x ", "0xdeadbeef00 key"]},
            {"output_type": "error", "ename": "E", "evalue": "/home/ada", "traceback": ["/tmp/ipykernel_12/34.py"]},
            {
                "output_type": "display_data",
                "metadata": {},
                "data": {
                    "image/png": "a0xdeadbeef00key",
                    "text/html": ["<b>key</b>"],
                    "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
                    "application/json": {"place": "/home/ada/repo"},
                },
            },
        ],
    }
    places = [("/home/ada/repo", "${workspace}"), ("/home/ada", "~")]
    settled(value, places, lambda text: text.replace("key", "***"))
    stream, error, shown = value["cells"][1]["outputs"]
    assert stream["text"] == "at ${workspace}/x 0x... ***"
    assert (error["evalue"], error["traceback"]) == ("~", ["cell.py"])
    assert shown["data"] == {
        "image/png": "a0xdeadbeef00key",
        "text/html": ["<b>***</b>"],
        "application/json": {"place": "${workspace}"},
    }
    assert value["cells"][1]["metadata"] == {}
    assert "widgets" not in value["metadata"]


def test_a_cell_is_known_by_its_first_telling_line() -> None:
    assert first_line("# about\n%matplotlib inline\n\nmodel.fit(x)\n") == "model.fit(x)"
    assert len(first_line("x" * 100)) == 60
    assert first_line("# only") == "# only"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "params.notebook must name a notebook"),
        ({"notebook": "../a.ipynb"}, "params.notebook must name a notebook"),
        ({"notebook": "a.py"}, "params.notebook must name a notebook"),
        ({"notebook": "a.ipynb", "parameters": [1]}, "params.parameters must map"),
        ({"notebook": "a.ipynb", "parameters": {"a": ["${inputs.x}"]}}, "stands for nothing"),
        ({"notebook": "a.ipynb", "arguments": {}}, "params.arguments is neither known nor used"),
        ({"notebook": "a.ipynb", "cell_timeout": -1}, "params.cell_timeout"),
    ],
)
def test_a_senseless_experiment_is_refused(params: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        NotebookPlugin().check(RunSpec("book", "notebook", 7, "", {}, params))
