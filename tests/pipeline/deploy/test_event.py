"""Events as AWS sends them, and orders as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from strata_git.contracts.chain import Chain
from strata_git.contracts.pipeline import Pipelines
from strata_git.errors import StrataError, UsageError
from strata_git.pipeline.deploy.aws_lambda import Unsuccessful, answer
from strata_git.pipeline.deploy.event import Order, ordered
from strata_git.pipeline.deploy.selection import exactly, require_kept, selected
from strata_git.pipeline.sources.patterns import patterns

OWN = "chains/own.yaml"


def created(key: str = "in/a+file%281%29.md", name: str = "ObjectCreated:Put", bucket: str = "docs") -> dict[str, Any]:
    return {
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1", "eventName": name,
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": {"key": key, "size": 3}},
    }  # fmt: skip


def bridged(kind: str, source: str, **detail: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "1",
        "detail-type": kind,
        "source": source,
        "region": "eu-central-1",
        "detail": detail,
    }


@pytest.mark.parametrize(("event", "order"), [
    ({"chain": "chains/x.yaml"}, Order("chains/x.yaml")),
    ({"chain": "./chains/x.yaml", "set": ["concurrency=2"], "tags": {"team": "a"}, "dry_run": True},
     Order("chains/x.yaml", ("concurrency=2",), {"team": "a"}, True)),
    ({}, Order(OWN)),
    ({"Records": [created()]}, Order(OWN, objects=(("docs", "in/a file(1).md"),))),
    ({"Records": [created(name="ObjectRemoved:Delete")]}, None),
    ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "docs"}, None),
    (bridged("Object Created", "aws.s3", bucket={"name": "docs"}, object={"key": "in/a+b.md"}),
     Order(OWN, objects=(("docs", "in/a+b.md"),))),
    (bridged("Object Deleted", "aws.s3", bucket={"name": "docs"}, object={"key": "in/a+b.md"}), None),
    (bridged("Scheduled Event", "aws.events"), Order(OWN)),
    (bridged("nightly", "our.program", chain="chains/x.yaml"), Order("chains/x.yaml")),
])  # fmt: skip
def test_what_is_ordered(event: dict[str, Any], order: Order | None) -> None:
    assert ordered(event, OWN) == order


@pytest.mark.parametrize(("event", "said"), [
    ([], "no JSON object"),
    ({"chian": "chains/x.yaml"}, "unknown 'chian'"),
    ({"chain": "../etc/x.yaml"}, "not below chains/"),
    ({"chain": "chains/../strata.yaml"}, "not below chains/"),
    ({"chain": "/chains/x.yaml"}, "not below chains/"),
    ({"chain": 3}, "Which chain?"),
    ({"set": "a=b"}, "list of texts"),
    ({"set": ["sinks.out.endpoint=http://elsewhere.example"]}, "may not change sinks.out.endpoint"),
    ({"set": [" keys.a={from: environment}"]}, "may not change"),
    ({"set": ["inputs.connector=others"]}, "may not change inputs.connector"),
    ({"set": ["inputs={connector: others}"]}, "may not change inputs"),
    ({"tags": {"a": 1}}, "names and texts"),
    ({"dry_run": "yes"}, "true or false"),
    ({"Records": {}}, "no list"),
    ({"Records": [{"eventSource": "aws:sqs"}]}, "events of aws:sqs"),
    ({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}, "no bucket and key"),
])  # fmt: skip
def test_what_cannot_be_meant(event: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ordered(event, OWN)


@pytest.mark.parametrize("event", [{"Records": [created()]}, bridged("nightly", "our.program", chain="nothing")])
def test_what_is_wrong_is_an_error_where_nobody_hears_an_answer(event: dict[str, Any]) -> None:
    with pytest.raises(Unsuccessful, match=r"Which chain|not below chains"):
        answer(event, None, {})


def test_who_asks_is_answered(capfd: pytest.CaptureFixture[str]) -> None:
    told = answer({"chain": "x", "tags": {}}, None, {})
    assert (told["status"], told["error"]["message"]) == ("failed", "x is not below chains/.")
    assert answer({"Event": "s3:TestEvent"}, None, {})["status"] == "ignored"
    assert all(line.startswith('{"time"') for line in capfd.readouterr().err.splitlines())


# --- from objects to documents


def settings(**sinks: Any) -> Pipelines:
    docs = {"type": "s3", "bucket": "docs", "prefix": "in", "exclude": ["drafts/**"]}
    files = {"type": "local", "root": "docs"}
    return Pipelines.model_validate({"connectors": {"docs": docs, "files": files}, "sinks": sinks})


def chain(connector: str = "docs", *sinks: str) -> Chain:
    return Chain.model_validate({
        "name": "x", "inputs": {"connector": connector, "select": "**/*.md"},
        "steps": [{"id": "s", "prompt": "p#v1", "input": {"text": "${chunk.text}"}}],
        "outputs": [{"export": name} for name in sinks],
    })  # fmt: skip


@pytest.mark.parametrize(("key", "taken"), [
    ("in/a.md", True), ("in/deep/b.md", True), ("in/a.txt", False), ("in/drafts/a.md", False), ("other/a.md", False),
    ("in/", False),
])  # fmt: skip
def test_only_what_the_chain_would_read_calls_it(key: str, taken: bool) -> None:
    assert selected([("docs", key)], chain(), settings()) == ([key.removeprefix("in/")] if taken else [])


@pytest.mark.parametrize("name", ["a[1].md", "what?.md", "*.md", "[!a].md", "plain.md"])
def test_a_name_is_no_pattern(name: str) -> None:
    chosen = patterns([exactly(name)], ())
    assert chosen.take(name)
    assert not any(chosen.take(other) for other in ("a1.md", "whatx.md", "b.md", "ab.md") if other != name)


@pytest.mark.parametrize(("connector", "bucket", "sinks", "said"), [
    ("files", "docs", {}, "which is no bucket"),
    ("docs", "others", {}, "not the bucket"),
    ("docs", "docs", {"out": {"type": "s3", "bucket": "docs", "prefix": "in/answers"}}, "call the function again"),
    ("docs", "docs", {"out": {"type": "s3", "bucket": "docs", "prefix": "in"}}, "call the function again"),
    ("docs", "docs", {"records": {"type": "s3", "bucket": "docs", "prefix": "in/records"}}, "call the function again"),
])  # fmt: skip
def test_what_a_chain_must_not_be_called_for(connector: str, bucket: str, sinks: dict[str, Any], said: str) -> None:
    named = [name for name in sinks if name != "records"]
    with pytest.raises(StrataError, match=said):
        selected([(bucket, "in/a.md")], chain(connector, *named), settings(**sinks))


@pytest.mark.parametrize(("sink", "kept"), [
    ({"type": "files", "path": "./out"}, False),
    ({"type": "duckdb", "database": "x.db", "table": "t", "mode": "append"}, False),
    ({"type": "delta", "uri": "./table"}, False),
    ({"type": "delta", "uri": "s3://bucket/table"}, True),
    ({"type": "s3", "bucket": "answers"}, True),
])  # fmt: skip
def test_answers_on_the_functions_own_disk_are_refused(sink: dict[str, Any], kept: bool) -> None:
    if kept:
        require_kept(chain("docs", "out"), settings(out=sink))
    else:
        with pytest.raises(StrataError, match="nobody keeps"):
            require_kept(chain("docs", "out"), settings(out=sink))
