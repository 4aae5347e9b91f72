"""What an experiment names as its inputs is made exact, is what HEAD says, and stands in the record."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.load import load_yaml
from strata_git.runs.given import exact_reference, exact_spec, open_inputs
from strata_git.runs.inputs import Input
from strata_git.runs.spec import RunSpec
from tests.runs.running import opened, perform, probe, record_of
from tests.support.builder import RepositoryBuilder


def given(repo: RepositoryBuilder, **inputs: str) -> dict[str, Input]:
    here = opened(repo)
    return open_inputs(here, exact_spec(here, RunSpec("e", "probe", inputs=inputs)))


def test_a_run_is_handed_and_records_all_it_reads(probed: RepositoryBuilder) -> None:
    model = probed.model("forest")
    probed.commit("Model")
    code = "print(sorted(context.inputs), [p.name for p in context.inputs['table'].files()])"
    inputs = {"data": "iris@v1", "base": model.reference, "table": "file:data/a.csv", "folder": "file:data"}
    done = perform(probed, probe(code, inputs=inputs))
    assert done.status == "succeeded", done.error
    record = record_of(probed, done.id)
    assert {one.name: one.ref for one in record.inputs} == {"data": "datasets/iris@v1", "base": "models/forest@v1"}
    assert all(one.digest and one.content_hash for one in record.inputs)
    table = "sha256:" + hashlib.sha256(probed.read("data/a.csv")).hexdigest()
    assert {one.name: (one.path, one.digest) for one in record.files}["table"] == ("data/a.csv", table)
    config = load_yaml(probed.read(f"{done.path}/config.yaml")).value
    assert isinstance(config, dict)
    assert config["inputs"] == {**inputs, "data": "datasets/iris@v1"}
    assert "['base', 'data', 'folder', 'table'] ['a.csv']" in probed.read(f"{done.path}/logs.txt").decode()


def test_a_directory_is_known_by_the_list_of_its_files(probed: RepositoryBuilder) -> None:
    (folder,) = given(probed, folder="file:data").values()
    lines = [f"{hashlib.sha256(probed.read(f'data/{name}')).hexdigest()}  {name}\n" for name in ("a.csv", "deep/b.csv")]
    assert folder.digest == "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()
    assert [path.relative_to(probed.path) for path in folder.files()] == [Path("data/a.csv"), Path("data/deep/b.csv")]


@pytest.mark.parametrize(
    ("reference", "change", "said"),
    [
        ("file:data", {"data/c.csv": "new"}, "data/c.csv is not committed"),
        ("file:data", {"data/a.csv": "other"}, "data/a.csv differs from HEAD"),
        ("file:data/a.csv", {"data/a.csv": None}, "data/a.csv is missing from the work tree"),
        ("file:absent.csv", {}, "absent.csv is not in HEAD"),
        ("wine@v1", {}, "'wine@v1' is not in HEAD"),
        ("models/forest@v9", {}, "forest"),
        ("forest@production", {}, "No version of forest is in production"),
        ("iris@v1", {"datasets/iris/v1/more.csv": "x"}, "more.csv is not committed"),
    ],
)
def test_what_is_not_what_head_says_is_refused(
    probed: RepositoryBuilder, reference: str, change: dict[str, str | None], said: str
) -> None:
    probed.write(change)
    with pytest.raises(StrataError, match=said):
        given(probed, one=reference)


def test_a_name_of_two_kinds_must_say_which(probed: RepositoryBuilder) -> None:
    probed.model("iris")
    probed.commit("Twin")
    with pytest.raises(StrataError, match="more than one thing") as caught:
        given(probed, one="iris@v1")
    assert "datasets/iris@v1 or models/iris@v1" in caught.value.hint
    assert exact_reference(opened(probed), "models/iris@v1") == "models/iris@v1"


def test_an_input_that_changes_while_it_is_read_fails_the_run(probed: RepositoryBuilder) -> None:
    code = "p = context.inputs['t'].files()[0]; p.write_text(p.read_text() + ' ')"
    done = perform(probed, probe(code, inputs={"t": "file:data/a.csv"}))
    assert (done.status, "changed while the run was reading it" in (done.error or "")) == ("failed", True)


def test_a_plugin_tells_what_it_found_and_what_it_cost(probed: RepositoryBuilder) -> None:
    code = """out = RunResult({}, inputs=[
        {"uri": "s3://me:pw12345@bucket/a.txt", "sha256": "a" * 64, "bytes": 3, "etag": "x"}, {"ref": "iris@v1"}],
        files=["data/a.csv"], tokens={"input": 3}, cost=(0.25, "USD"))"""
    record = record_of(probed, perform(probed, probe(code)).id)
    assert [(one.uri, one.bytes, one.etag) for one in record.sources] == [("s3://bucket/a.txt", 3, "x")]
    assert [one.ref for one in record.inputs] == ["datasets/iris@v1"]
    assert [one.path for one in record.files] == ["data/a.csv"]
    assert record.tokens == {"input": 3}
    assert record.cost is not None
    assert (record.cost.amount, record.cost.currency) == (0.25, "USD")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ('inputs=[{"uri": "s3://a", "sha256": "zz"}]', "sha256"),
        ('inputs=[{"ref": "absent@v1"}]', "not in HEAD"),
        ('prompts=["absent#v1"]', "absent"),
        ('tokens={"In Put": 3}', "no name"),
        ('tokens={"input": -1}', "-1 tokens"),
        ('cost=(float("nan"), "USD")', "cost"),
    ],
)
def test_what_a_plugin_tells_wrongly_fails_the_run_in_words(probed: RepositoryBuilder, told: str, said: str) -> None:
    done = perform(probed, probe(f"out = RunResult({{}}, {told})"))
    assert done.status == record_of(probed, done.id).status == "failed"
    assert said in (done.error or "")
