"""SharePoint behind real HTTP and TLS: who asks, pages, folders, throttling, broken downloads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.contracts.pipeline import SharePointConnector
from strata_git.errors import StrataError
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ConnectorError
from strata_git.pipeline.graph import Graph
from strata_git.pipeline.sources.catalog import Place, connector_of
from strata_git.pipeline.sources.connector import ResourceRef
from strata_git.pipeline.sources.sharepoint import SharePoint
from tests.support import graph_server
from tests.support.graph_server import CLIENT, SECRET, TENANT, GraphServer

FILES = {
    "a.md": b"first",
    "in/b.md": b"second",
    "in/c ü%.txt": b"third",
    "in/deep/d.md": b"4" * 400_000,
    "other/e.md": b"5",
}
CANARIES = (SECRET, "canary-graph-token", "canary-download-right")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphServer]:
    with graph_server.serve(tmp_path_factory.mktemp("graph")) as serving:
        yield serving


@pytest.fixture
def server(graph: GraphServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[GraphServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(graph.ca))
    graph.files, graph.marks, graph.failures, graph.seen, graph.lead_away = dict(FILES), {}, [], [], False
    yield graph
    while OPENED:
        OPENED.pop().drive.graph.http.close()


class Given(dict[str, str]):
    def get(self, name: str) -> str:  # type: ignore[override]
        return self[name]


WAITS: list[float] = []
OPENED: list[SharePoint] = []


def open_source(server: GraphServer, root: Path, secret: str = SECRET, **settings: object) -> SharePoint:
    WAITS.clear()
    entry = SharePointConnector.model_validate({
        "type": "sharepoint", "site": "contoso.sharepoint.example/sites/legal", "tenant": TENANT, "client": CLIENT,
        "key": "graph", "endpoint": f"{server.url}/v1.0", "authority": server.url, **settings,
    })  # fmt: skip
    source = connector_of(entry, Place("intranet", root, Given(graph=secret), {}))
    assert isinstance(source, SharePoint)
    OPENED.append(source)
    object.__setattr__(source.drive.graph, "backoff", Backoff(attempts=4, first_s=0, sleep=WAITS.append))
    return source


@pytest.fixture
def source(server: GraphServer, tmp_path: Path) -> SharePoint:
    return open_source(server, tmp_path)


def names(source: SharePoint, *select: str) -> list[str]:
    return [info.ref.name for info in source.list(select)]


def test_folders_are_walked_page_by_page(source: SharePoint, server: GraphServer) -> None:
    assert names(source) == ["a.md", "in/b.md", "in/c ü%.txt", "in/deep/d.md", "other/e.md"]
    server.seen.clear()
    assert names(source, "in/*.md") == ["in/b.md"]
    assert not [path for _, path in server.seen if b"other".hex() in path]


def test_a_file_is_described_and_read(source: SharePoint, server: GraphServer) -> None:
    (info,) = source.list(["in/c*"])
    assert (info.bytes, info.media_type) == (5, "text/plain")
    assert info.etag.endswith(",0")
    assert info.version.startswith("c:")
    assert source.info(info.ref) == info
    with source.open(info.ref) as stream:
        assert stream.read() == b"third"
    server.put("in/c ü%.txt", b"another")
    assert source.info(info.ref).etag != info.etag


def test_throttling_is_honoured(source: SharePoint, server: GraphServer) -> None:
    server.failures = [
        (429, {"Retry-After": "11"}, "activityLimitReached"), (503, {"Retry-After": "3"}, "serviceNotAvailable"),
        (500, {}, "generalException"),
    ]  # fmt: skip
    assert "a.md" in names(source)
    assert WAITS == [11, 3, 0]


@pytest.mark.parametrize(
    ("status", "code", "kind"), [(403, "accessDenied", "permission"), (404, "itemNotFound", "not_found")]
)
def test_what_does_not_pass_is_told_at_once(
    source: SharePoint, server: GraphServer, status: int, code: str, kind: str
) -> None:
    server.failures = [(status, {}, code)]
    with pytest.raises(ConnectorError, match=f"intranet: site .*: {status} {code}") as caught:
        names(source)
    assert (caught.value.kind, WAITS) == (kind, [])
    assert caught.value.hint


def test_a_token_is_kept_for_the_next_command(source: SharePoint, server: GraphServer, tmp_path: Path) -> None:
    names(source)
    given = server.tokens
    (kept,) = (tmp_path / ".strata/local/sources").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    again = open_source(server, tmp_path)
    assert "a.md" in names(again)
    assert server.tokens == given


def test_a_token_that_ended_early_is_asked_for_again(source: SharePoint, server: GraphServer) -> None:
    names(source)
    server.tokens += 1
    assert "a.md" in names(source)
    assert len(WAITS) == 1


@pytest.mark.heavy
def test_a_damaged_cache_is_forgotten(server: GraphServer, tmp_path: Path) -> None:
    for text in ("{", "[]"):
        first = open_source(server, tmp_path)
        names(first)
        (kept,) = (tmp_path / ".strata/local/sources").iterdir()
        kept.write_text(text)
        second = open_source(server, tmp_path)
        assert "a.md" in names(second)


def test_a_broken_download_is_taken_up(source: SharePoint, server: GraphServer) -> None:
    (info,) = source.list(["in/deep/*"])
    server.cut_after = 100_000
    with source.open(info.ref) as stream:
        assert stream.read() == FILES["in/deep/d.md"]
    assert len(WAITS) == 1


def test_a_broken_download_of_what_changed_is_refused(source: SharePoint, server: GraphServer) -> None:
    (info,) = source.list(["in/deep/*"])
    server.cut_after = 300_000
    with source.open(info.ref) as stream:
        stream.read(1)
        server.put("in/deep/d.md", b"5" * 400_000)
        with pytest.raises(ConnectorError, match="changed while it was read"):
            stream.read()


def test_an_answer_that_leads_elsewhere_is_not_followed(source: SharePoint, server: GraphServer) -> None:
    server.lead_away = True
    with pytest.raises(ConnectorError, match=r"leads to elsewhere\.example, not followed"):
        names(source)


def test_a_wrong_secret_is_told_and_not_shown(server: GraphServer, tmp_path: Path) -> None:
    source = open_source(server, tmp_path, secret="canary-wrong-secret")
    with pytest.raises(ConnectorError, match="invalid_client") as caught:
        names(source)
    assert caught.value.kind == "authentication"
    assert "canary" not in f"{caught.value.message} {caught.value.hint} {source!r}"


def test_no_error_quotes_a_right(source: SharePoint, server: GraphServer) -> None:
    (info,) = source.list(["a.md"])
    server.failures = [(403, {}, "accessDenied")]
    with pytest.raises(ConnectorError) as caught:
        source.info(info.ref)
    told = f"{caught.value.message} {caught.value.hint} {source!r} {info!r}"
    assert [canary for canary in CANARIES if canary in told] == []


@pytest.mark.heavy
def test_a_certificate_will_do(server: GraphServer, tmp_path: Path) -> None:
    source = open_source(server, tmp_path, secret=_certificate())
    assert "a.md" in names(source)
    assert server.assertions[-1]["alg"] in ("PS256", "RS256")


def _certificate() -> str:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "git-strata")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (private + made.sign(key, hashes.SHA256()).public_bytes(pem)).decode()


def test_a_drive_that_is_not_there_is_told(server: GraphServer, tmp_path: Path) -> None:
    source = open_source(server, tmp_path, drive="Contracts")
    with pytest.raises(ConnectorError, match="no drive 'Contracts'") as caught:
        names(source)
    assert caught.value.hint == "Its drives: Archive, Dokumente."


def test_who_asks_must_be_said(server: GraphServer, tmp_path: Path) -> None:
    with pytest.raises(StrataError, match="must say tenant"):
        open_source(server, tmp_path, tenant=None)


def test_other_drives_are_not_read(source: SharePoint) -> None:
    graph: Graph = source.drive.graph
    for uri in ("https://elsewhere.example/x", f"{graph.endpoint}/drives/b!2/items/1", "file:///etc/passwd"):
        with pytest.raises(ConnectorError, match="is not in this drive"):
            source.info(ResourceRef("x", uri))
