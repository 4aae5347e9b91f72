"""A bucket behind real HTTP: pages, prefixes, versions, broken transfers, and what is retried or told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from strata_git.contracts.pipeline import S3Connector
from strata_git.pipeline import aws
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ConnectorError, PipelineError
from strata_git.pipeline.sources.catalog import Place, connector_of
from strata_git.pipeline.sources.connector import ResourceRef
from strata_git.pipeline.sources.s3 import S3
from tests.support import s3_server
from tests.support.s3_server import AwsServer, s3_error

pytestmark = pytest.mark.heavy
MEGABYTE = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with s3_server.serving() as serving:
        client = serving.client()
        client.create_bucket(Bucket="minutes")
        client.put_bucket_versioning(Bucket="minutes", VersioningConfiguration={"Status": "Enabled"})
        client.put_object(Bucket="minutes", Key="in/2026/07/a.md", Body=b"first", ContentType="text/markdown")
        client.put_object(Bucket="minutes", Key="in/2026/08/b ü+%.txt", Body=b"second")
        client.put_object(Bucket="minutes", Key="in/2025/c.md", Body=b"third")
        client.put_object(Bucket="minutes", Key="in/2025/", Body=b"")
        client.put_object(Bucket="minutes", Key="in/large.bin", Body=MEGABYTE)
        client.put_object(Bucket="minutes", Key="outside.md", Body=b"none of ours")
        yield serving


@pytest.fixture
def source(server: AwsServer) -> Iterator[S3]:
    server.requests.clear()
    quick = Backoff(attempts=4, first_s=0, sleep=WAITS.append)
    WAITS.clear()
    account = S3Connector(type="s3", bucket="minutes", endpoint=server.url, key="id", secret="word")
    yield S3(
        "archive", "minutes", "in/", lambda: aws.client("s3", account, Given(id="test", word="test"), {}), backoff=quick
    )
    server.failures.clear()


WAITS: list[float] = []


def test_patterns_become_prefixes(source: S3, server: AwsServer) -> None:
    assert [info.ref.name for info in source.list()] == ["2025/c.md", "2026/07/a.md", "2026/08/b ü+%.txt", "large.bin"]
    server.requests.clear()
    assert [info.ref.name for info in source.list(["2026/**/*.md", "2026/08/*"])] == [
        "2026/07/a.md",
        "2026/08/b ü+%.txt",
    ]
    assert [query for _, _, query in server.requests] == ["list-type=2&prefix=in%2F2026%2F&encoding-type=url"]


def test_what_is_listed_can_be_read(source: S3) -> None:
    for info in source.list(["2026/**"]):
        assert info.modified is not None
        seen = source.info(info.ref)
        assert (seen.bytes, seen.etag, seen.ref.name) == (info.bytes, info.etag, info.ref.name)
        assert seen.version
        with source.open(info.ref) as stream:
            assert stream.read() in (b"first", b"second")


def test_the_version_that_was_seen_is_read(source: S3, server: AwsServer) -> None:
    before = source.info(ResourceRef("2025/c.md", "s3://minutes/in/2025/c.md"))
    server.client().put_object(Bucket="minutes", Key="in/2025/c.md", Body=b"changed")
    with source.open(before.ref) as stream:
        assert stream.read() == b"third"
    assert source.info(before.ref).version == before.version
    assert source.info(ResourceRef("2025/c.md", "s3://minutes/in/2025/c.md")).version != before.version


def test_a_broken_transfer_is_taken_up(source: S3, server: AwsServer) -> None:
    server.cut_after = 300_000
    with source.open(ResourceRef("large.bin", "s3://minutes/in/large.bin")) as stream:
        assert stream.read() == MEGABYTE
    assert len([1 for method, path, _ in server.requests if path.endswith("large.bin")]) == 2
    assert len(WAITS) == 1


def test_a_broken_transfer_of_what_changed_meanwhile_is_refused(source: S3, server: AwsServer) -> None:
    client = server.client()
    client.put_object(Bucket="minutes", Key="in/moving.bin", Body=MEGABYTE)
    server.cut_after = 300_000
    with source.open(ResourceRef("moving.bin", "s3://minutes/in/moving.bin")) as stream:
        stream.read(10)
        client.put_object(Bucket="minutes", Key="in/moving.bin", Body=MEGABYTE[::-1])
        with pytest.raises(ConnectorError) as caught:
            stream.read()
    assert caught.value.kind == "conflict"
    client.delete_object(Bucket="minutes", Key="in/moving.bin")


@pytest.mark.parametrize(
    "failures",
    [[s3_error(503, "SlowDown")] * 3, [s3_error(500, "InternalError")], [s3_error(429, "Whatever", Retry_After="7")]],
)
def test_what_passes_is_waited_for(source: S3, server: AwsServer, failures: list[s3_server.Failure]) -> None:
    server.fail(*failures)
    assert source.info(ResourceRef("2026/07/a.md", "s3://minutes/in/2026/07/a.md")).bytes == 5
    assert len(WAITS) == len(failures)
    assert max(WAITS) == (7 if failures[0][0] == 429 else 0)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (s3_error(403, "AccessDenied"), "permission"),
        (s3_error(403, "SignatureDoesNotMatch"), "authentication"),
        (s3_error(404, "NoSuchBucket"), "not_found"),
        (s3_error(400, "ExpiredToken"), "authentication"),
    ],
)
def test_what_does_not_pass_is_told_at_once(
    source: S3, server: AwsServer, failure: s3_server.Failure, kind: str
) -> None:
    server.fail(failure)
    with pytest.raises(ConnectorError) as caught:
        list(source.list())
    assert (caught.value.kind, WAITS, len(server.requests)) == (kind, [], 1)
    assert caught.value.message.startswith("archive: s3://minutes/in/: ")
    assert caught.value.hint


def test_the_last_failure_is_told_in_the_end(source: S3, server: AwsServer) -> None:
    server.fail(*[s3_error(503, "SlowDown")] * 9)
    with pytest.raises(ConnectorError, match="SlowDown") as caught:
        list(source.list())
    assert (caught.value.kind, caught.value.retryable, len(WAITS)) == ("throttled", True, 3)


def test_other_buckets_are_not_read(source: S3) -> None:
    for uri in ("s3://other/in/a.md", "s3://minutes/outside.md", "file:///in/a.md"):
        with pytest.raises(ConnectorError, match="is not below"):
            source.info(ResourceRef("a.md", uri))


class Given(dict[str, str]):
    """Secrets as they are."""

    def get(self, name: str) -> str:  # type: ignore[override]
        return self[name]


def test_credentials_come_from_the_keys(server: AwsServer, tmp_path) -> None:  # type: ignore[no-untyped-def]
    settings = S3Connector.model_validate(
        {"type": "s3", "bucket": "minutes", "endpoint": server.url, "key": "id", "secret": "word", "prefix": "/in/2025"}
    )
    source = connector_of(settings, Place("archive", tmp_path, Given(id="AKIAID", word="s3cr3t-canary"), {}))
    assert [info.ref.name for info in source.list()] == ["c.md"]
    server.fail(s3_error(403, "InvalidAccessKeyId"))
    with pytest.raises(PipelineError) as caught:
        list(source.list())
    assert "s3cr3t-canary" not in f"{caught.value.message}{caught.value.hint}{source!r}"


def test_nobody_there_is_told(tmp_path, hermetic: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    settings = S3Connector.model_validate(
        {"type": "s3", "bucket": "minutes", "endpoint": "http://127.0.0.1:9", "anonymous": True}
    )
    source = connector_of(settings, Place("archive", tmp_path, Given(), {}))
    object.__setattr__(source, "backoff", Backoff(attempts=1))
    with pytest.raises(ConnectorError) as caught:
        list(source.list())
    assert caught.value.kind == "unavailable"


def test_more_than_a_page_of_keys(server: AwsServer) -> None:
    client = server.client()
    client.create_bucket(Bucket="many")
    for number in range(1100):
        server.store("many", f"k/{number:05}.md", b"")
    server.requests.clear()
    found = [info.ref.name for info in S3("many", "many", "k/", server.client).list(["**/*.md"])]
    assert found == [f"{number:05}.md" for number in range(1100)]
    assert len(server.requests) == 2
