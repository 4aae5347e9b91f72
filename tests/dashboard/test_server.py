"""The live dashboard, asked by a plain client."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.dashboard.server import HEADERS, Live, application, listen
from strata_git.errors import MissingExtra, StrataError
from tests.dashboard.conftest import opened
from tests.dashboard.serving import Served, serving
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import sealed


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> RepositoryBuilder:
    environ = sealed(tmp_path_factory.mktemp("sealed"), tmp_path_factory.mktemp("g"), os.environ)
    repo = create(tmp_path_factory.mktemp("live") / "repo", environ).workspace()
    repo.story()
    repo.commit("All of it")
    return repo


@pytest.fixture(scope="module")
def live(repo: RepositoryBuilder) -> Iterator[Served]:
    with serving(repo) as served:
        yield served


def test_it_serves_the_bytes_of_the_static_site(live: Served, repo: RepositoryBuilder) -> None:
    site = opened(repo, "repo")
    for path in ("index.html", "models/forest/v1.html", "assets/strata.css", "assets/strata.js", "runs.html"):
        got = live.ask(f"/{path}")
        assert (got.code, got.body) == (200, site.files[path]()), path
    assert live.ask("/").body == site.files["index.html"]()
    assert live.ask("/assets/strata.css").headers["content-type"].startswith("text/css")


def test_every_answer_carries_the_headers(live: Served) -> None:
    for path, method in (("/", "GET"), ("/nothing", "GET"), ("/", "POST"), ("/../../etc/passwd", "GET")):
        got = live.ask(path, method)
        assert {name: got.headers.get(name) for name in HEADERS} == HEADERS, (path, method)
        assert "access-control-allow-origin" not in got.headers
        assert "server" not in got.headers


def test_reading_is_all_there_is(live: Served) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        assert live.ask("/", method).code == 405, method
    head = live.ask("/", "HEAD")
    assert (head.code, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 1000


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "localhost", "127.0.0.1.evil.example:{}", "", "0.0.0.0:{}"]
)
def test_a_foreign_host_is_turned_away(live: Served, host: str) -> None:
    got = live.ask("/", Host=host.format(live.port))
    assert got.code == 421
    assert b"forest" not in got.body


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "LOCALHOST:{}", "[::1]:{}"])
def test_our_own_names_are_let_in(live: Served, host: str) -> None:
    assert live.ask("/", Host=host.format(live.port)).code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.html",
        "/.git/config",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/../x",
        "/models/",
        "/pictures/" + "0" * 64 + ".png",
    ],
)
def test_what_is_no_page_is_not_there(live: Served, path: str) -> None:
    assert live.ask(path).code == 404


def test_search_is_answered_by_the_server(live: Served) -> None:
    got = live.ask("/search.html?q=for%3Cb%3E")
    assert b"0 answers" in got.body
    assert b"<b>" not in got.body
    assert b"models/forest/v1.html" in live.ask("/search.html?q=forest").body


def test_the_index_as_json(live: Served) -> None:
    got = live.ask("/api/index.json")
    assert json.loads(got.body)["schema"] == "strata/index/v1"
    assert got.headers["content-type"].startswith("application/json")


def test_known_pages_are_not_sent_again_until_a_reference_moves(live: Served, repo: RepositoryBuilder) -> None:
    tag = live.ask("/").headers["etag"]
    for known in (tag, f'"x", {tag}', f"W/{tag}"):
        got = live.ask("/", If_None_Match=known)
        assert (got.code, got.body, got.headers["etag"]) == (304, b"", tag)
    repo.git("tag", "moved")
    other = live.ask("/", If_None_Match=tag)
    assert other.code == 200
    assert other.headers["etag"] != tag
    repo.dataset("wine")
    repo.commit("Add wine")
    assert b"wine@v1" in live.ask("/", If_None_Match=other.headers["etag"]).body
    assert live.ask("/datasets/wine/v1.html").code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked(repo: RepositoryBuilder, number: signal.Signals) -> None:
    with serving(repo) as served:
        assert served.stop(number) == 0
        assert served.process.stderr is not None
        assert "Traceback" not in served.process.stderr.read()


def test_a_port_that_is_taken(live: Served, repo: RepositoryBuilder) -> None:
    done = repo.strata("dashboard", "--port", str(live.port)).expect(3)
    assert f"Port {live.port} of this machine cannot be listened on" in done.err
    assert "--port 0" in done.err
    with pytest.raises(StrataError, match="listened on"):
        listen(live.port)


def test_it_listens_on_this_machine_alone() -> None:
    listening = listen(0)
    try:
        assert listening.getsockname()[0] == "127.0.0.1"
        assert listening.family == socket.AF_INET
    finally:
        listening.close()


def test_without_the_extra_one_sentence_says_what_to_install(
    repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fastapi", "starlette", "uvicorn"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra) as caught:
        application(Live(repo.repository()), 1)
    assert caught.value.hint == "pip install 'git-strata[dashboard]'"


def test_static_pages_need_no_server(repo: RepositoryBuilder, place: Path) -> None:
    hidden = "import sys; sys.modules.update(dict.fromkeys(('fastapi', 'starlette', 'uvicorn')))\n"
    script = hidden + f"from strata_git.cli.main import main; sys.exit(main(['dashboard', '--static', {str(place)!r}]))"
    from tests.support.process import run

    run(sys.executable, "-c", script, cwd=repo.path, environ=repo.environ).expect(0)
    assert (place / "index.html").exists()


def test_what_cannot_be_read_is_told_and_not_fatal(repo: RepositoryBuilder) -> None:
    live = Live(repo.repository(), "nothing-like-it")
    answer = live.answer("")
    assert answer.code == 503
    assert b"names no commit here" in (answer.body or b"")
