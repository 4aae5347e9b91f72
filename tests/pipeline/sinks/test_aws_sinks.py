"""A bucket and a table of DynamoDB behind real HTTP: nothing twice, what had no capacity is repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strata_git.contracts.pipeline import DynamoSink, S3Sink
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.sinks.catalog import exporter_of
from strata_git.pipeline.sinks.dynamodb import Dynamo
from strata_git.pipeline.sinks.files import Files
from strata_git.pipeline.sources.catalog import Place
from tests.support import s3_server
from tests.support.s3_server import AwsServer, Environ, json_error, s3_error

pytestmark = pytest.mark.heavy
RUN, NEXT = "run-2026-11-21-001", "run-2026-11-21-002"
ROWS: list[dict[str, Any]] = [
    {"doc": "a.md", "chunk": number, "text": f"t{number}", "score": 0.1 * number, "deep": {"a": [True, None, 1]}}
    for number in range(60)
]
WAITS: list[float] = []


class Given(dict[str, str]):
    def get(self, name: str) -> str:  # type: ignore[override]
        return self[name]


@pytest.fixture(scope="module")
def running() -> Iterator[AwsServer]:
    with s3_server.serving() as serving:
        serving.client().create_bucket(Bucket="answers")
        for name in ("batch", "transact"):
            serving.client("dynamodb").create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "doc", "KeyType": "HASH"}, {"AttributeName": "chunk", "KeyType": "RANGE"}],
                AttributeDefinitions=[
                    {"AttributeName": "doc", "AttributeType": "S"}, {"AttributeName": "chunk", "AttributeType": "N"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )  # fmt: skip
        yield serving


@pytest.fixture
def server(running: AwsServer) -> AwsServer:
    running.failures = []
    running.requests.clear()
    running.targets.clear()
    WAITS.clear()
    return running


QUICK = Backoff(attempts=5, first_s=0, sleep=WAITS.append)


def bucket(server: AwsServer, root: Path, **settings: object) -> Files:
    entry = S3Sink.model_validate({
        "type": "s3", "bucket": "answers", "endpoint": server.url, "key": "id", "secret": "word", **settings,
    })  # fmt: skip
    sink = exporter_of(entry, Place("out", root, Given(id="test", word="test"), {}))
    assert isinstance(sink, Files)
    object.__setattr__(sink.store, "backoff", QUICK)
    return sink


def keys(server: AwsServer, prefix: str) -> list[str]:
    found = server.client().list_objects_v2(Bucket="answers", Prefix=prefix).get("Contents", [])
    return [entry["Key"] for entry in found]


def test_a_bucket_gets_rows_once(server: AwsServer, tmp_path: Path) -> None:
    sink = bucket(server, tmp_path, prefix="once", format="parquet", partition_by=["doc"], rows_per_file=40)
    first = sink.write(ROWS, run_id=RUN)
    assert len(first.files) == 3
    listed = keys(server, "once/")
    assert listed == sorted(f"once/{name}" for name in first.files)
    assert listed[0].startswith(f"once/{RUN}/doc=a.md/outputs-00000-")
    server.requests.clear()
    assert sink.write(ROWS, run_id=RUN).files == ()
    assert [method for method, _, _ in server.requests] == ["GET"]
    with pytest.raises(ExportError, match="already holds other rows"):
        sink.write(ROWS[1:], run_id=RUN)


def test_puts_are_repeated_and_an_answer_that_got_lost_is_no_loss(server: AwsServer, tmp_path: Path) -> None:
    sink = bucket(server, tmp_path, prefix="lost")

    def is_put(environ: Environ) -> bool:
        return bool(environ["REQUEST_METHOD"] == "PUT")

    server.fail(s3_error(503, "SlowDown"), s3_error(500, "InternalError"), when=is_put)
    assert len(sink.write(ROWS, run_id=RUN).files) == 2
    assert len(WAITS) == 2
    body = server.client().get_object(Bucket="answers", Key=f"lost/{RUN}/manifest.json")["Body"].read()
    server.client().delete_object(Bucket="answers", Key=f"lost/{RUN}/manifest.json")
    assert sink.write(ROWS, run_id=RUN).files == (f"{RUN}/manifest.json",)
    assert server.client().get_object(Bucket="answers", Key=f"lost/{RUN}/manifest.json")["Body"].read() == body


def test_keys_of_encryption_are_asked_for(server: AwsServer, tmp_path: Path) -> None:
    bucket(server, tmp_path, prefix="kms", kms_key="alias/answers").write(ROWS, run_id=RUN)
    head = server.client().head_object(Bucket="answers", Key=f"kms/{RUN}/manifest.json")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/answers")


def test_a_refusal_is_told_at_once(server: AwsServer, tmp_path: Path) -> None:
    server.fail(s3_error(403, "AccessDenied"))
    with pytest.raises(ExportError, match="AccessDenied") as caught:
        bucket(server, tmp_path, prefix="no").write(ROWS, run_id=RUN)
    assert (caught.value.kind, WAITS) == ("permission", [])
    with pytest.raises(ExportError, match="NoSuchBucket"):
        bucket(server, tmp_path, bucket="nowhere").write(ROWS, run_id=RUN)


def table(server: AwsServer, root: Path, mode: str, **settings: object) -> Dynamo:
    entry = DynamoSink.model_validate({
        "type": "dynamodb", "table": mode, "mode": mode, "key_fields": ["doc", "chunk"], "endpoint": server.url,
        "region": "us-east-1", "key": "id", "secret": "word", **settings,
    })  # fmt: skip
    sink = exporter_of(entry, Place("items", root, Given(id="test", word="test"), {}))
    assert isinstance(sink, Dynamo)
    object.__setattr__(sink, "backoff", QUICK)
    return sink


@pytest.mark.parametrize("mode", ["batch", "transact"])
def test_items_that_are_the_same_are_not_written_again(server: AwsServer, tmp_path: Path, mode: str) -> None:
    sink = table(server, tmp_path, mode)
    assert sink.write(ROWS, run_id=RUN).written == 60
    server.targets.clear()
    assert sink.write(ROWS, run_id=RUN).written == 0
    assert not [target for target in server.targets if "Write" in target]
    more = [{**ROWS[0], "text": "old"}, {**ROWS[0], "text": "new"}, ROWS[1], {"doc": "b", "chunk": 1, "none": None}]
    receipt = sink.write(more, run_id=NEXT)
    assert (receipt.written, receipt.dropped) == (2, 1)
    found = server.client("dynamodb").scan(TableName=mode)["Items"]
    assert len(found) == 61
    (first,) = [item for item in found if item["doc"]["S"] == "a.md" and item["chunk"]["N"] == "0"]
    assert first == {
        "doc": {"S": "a.md"}, "chunk": {"N": "0"}, "text": {"S": "new"}, "score": {"N": "0.0"},
        "deep": {"M": {"a": {"L": [{"BOOL": True}, {"NULL": True}, {"N": "1"}]}}},
    }  # fmt: skip


@pytest.mark.parametrize(("mode", "verb"), [("batch", "BatchWriteItem"), ("transact", "TransactWriteItems")])
def test_capacity_is_waited_for(server: AwsServer, tmp_path: Path, mode: str, verb: str) -> None:
    rows = [{"doc": f"waiting-{mode}", "chunk": number} for number in range(30)]
    left = json.dumps({"UnprocessedItems": {mode: [
        {"PutRequest": {"Item": {"doc": {"S": f"waiting-{mode}"}, "chunk": {"N": str(n)}}}} for n in range(25)
    ]}}).encode()  # fmt: skip
    answers = [json_error(400, "ProvisionedThroughputExceededException"), json_error(500, "InternalServerError")]
    if mode == "batch":
        answers.append((200, {"Content-Type": "application/x-amz-json-1.0"}, left))
    server.fail(*answers, when=lambda environ: verb in environ.get("HTTP_X_AMZ_TARGET", ""))
    assert table(server, tmp_path, mode).write(rows, run_id=RUN).written == 30
    found = server.client("dynamodb").scan(TableName=mode)["Items"]
    assert len([item for item in found if item["doc"]["S"] == f"waiting-{mode}"]) == 30
    assert len(WAITS) == len(answers)


def test_other_keys_than_the_tables_are_told(server: AwsServer, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="the table's key is chunk, doc"):
        table(server, tmp_path, "batch", key_fields=["doc"]).write(ROWS, run_id=RUN)
    with pytest.raises(ExportError) as caught:
        table(server, tmp_path, "batch", table="nowhere").write(ROWS, run_id=RUN)
    assert caught.value.kind == "not_found"
    with pytest.raises(ExportError, match="must be a number, or text that is not empty"):
        table(server, tmp_path, "batch").write([{"doc": "", "chunk": 1}], run_id=RUN)
