"""The try-it page in a real browser: by keyboard alone, with a key, with hostile columns; only our script runs."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from strata_git.serving.columns import signature_of
from strata_git.serving.supervision.server import bind, http_server
from tests.dashboard.browser import drive, strangers
from tests.serving.api.application import Scores, application
from tests.serving.models import MIXED
from tests.support.environment import sealed

pytestmark = pytest.mark.heavy

KEY = "open-sesame-271828"
LEFT = "document.documentElement.outerHTML.includes('271828') || localStorage.length || document.cookie"
CARD = "# Card\n\n<script>window.strataCanary.push(1)</script> [a](javascript:alert(1)) <img src=x onerror=alert(2)>\n"
STRANGE = signature_of({"signature": {
    "inputs": [{"name": "<img src=x onerror=window.strataCanary.push(3)>", "type": "float64"}],
    "outputs": [{"name": "<script>window.strataCanary.push(4)</script>", "type": "string"}],
}})  # fmt: skip


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The application on a port of this machine, in a thread."""
    listening = bind("127.0.0.1", 0)
    server = http_server(app, drain=1)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What happened on each page."""

    def mixed(table: Any) -> Any:
        seen.append({name: array.tolist() for name, array in table.columns.items()})
        return {"score": table.columns["age"].astype(float) + table.columns["trace"][:, 0]}

    def doubled(table: Any) -> Any:
        return {STRANGE.outputs[0].name: table.arrays[0] * 2}

    seen: list[Any] = []
    base = tmp_path_factory.mktemp("browser")
    keyed = {"auth": {"keys": [{"name": "ada", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}]}}
    with (
        served(application(Scores(MIXED, answer=mixed), card=CARD)) as plain,
        served(application(Scores(MIXED, answer=mixed), {"api": keyed})) as closed,
        served(
            application(Scores(STRANGE, answer=lambda table: {STRANGE.outputs[0].name: table.arrays[0] * 2}))
        ) as odd,
    ):
        whole = ["press", "Control+A"]
        form = ["wait", "#record:not([hidden])"]
        keys = [form, whole, ["type", ":focus", "40"], ["press", "Tab"], whole, ["type", ":focus", "61.5"], ["press",
        "Tab"],
                whole, ["type", ":focus", "Straße"], ["press", "Tab"], ["press", "ArrowUp"], ["press", "Tab"], whole,
                ["type", ":focus", "[1.5, 2]"], ["press", "Tab"], ["press", "Enter"], ["wait", "#outcome strong"],
                ["read", "#outcome strong"], ["read", "#headers"]]  # fmt: skip
        wrong = [
            form,
            whole,
            ["press", "Delete"],
            ["press", "Enter"],
            ["wait", "#outcome .bad"],
            ["read", "#outcome .bad"],
        ]
        key = [["wait", "#access:not([hidden])"], ["type", ":focus", "wrong"], ["press", "Enter"], ["wait",
        "#outcome .bad"],
               ["read", "#outcome .bad"], whole, ["type", "#key", KEY], ["press", "Enter"], form,
               ["press", "Enter"], ["wait", "#outcome strong"], ["read", "#outcome strong"], ["read", "#headers"],
               ["run", LEFT]]  # fmt: skip
        steps: dict[str, dict[str, object]] = {
            "keys": {"url": f"{plain}/", "actions": keys}, "wrong": {"url": f"{plain}/", "actions": wrong},
            "key": {"url": f"{closed}/", "actions": key},
            "odd": {"url": f"{odd}/", "actions": [form, ["press", "Enter"], ["wait", "#outcome strong"]], "poke": 30},
            "card": {"url": f"{plain}/card", "poke": 30}, "docs": {"url": f"{odd}/docs", "poke": 30},
            "bare": {"url": f"{plain}/", "script": False},
            **{f"axe{path}{width}": {"url": f"{plain}{path}", "axe": True, "width": width, "dark": width < 500,
                                     "actions": [form] if path == "/" else []}
               for path, width in (("/", 1280), ("/", 390), ("/docs", 390), ("/card", 1280))},
        }  # fmt: skip
        happened = drive(list(steps.values()), sealed(base / "a", base / "gnupg", os.environ))
    homes = {"key": closed, "odd": odd, "docs": odd}
    for name, one in zip(steps, happened, strict=True):
        one["strangers"] = strangers(one, homes.get(name, plain))
    return {**dict(zip(steps, happened, strict=True)), "seen": seen}


def test_a_record_is_tried_by_keyboard_alone(told: Mapping[str, Any]) -> None:
    *_, score, headers = told["keys"]["read"]
    assert (score, "churn@v3" in headers, "Ada <ada@example.org>" in headers) == ("41.5", True, True)
    assert told["seen"][0] == {
        "age": [40],
        "weight": [61.5],
        "plan": ["Straße"],
        "active": [True],
        "trace": [[1.5, 2.0]],
    }
    assert told["wrong"]["read"][-1].startswith("age: row 0: is missing")
    assert told["keys"]["title"] == "scoring v3"


def test_a_key_is_asked_for_and_stays_on_the_page(told: Mapping[str, Any]) -> None:
    read = told["key"]["read"]
    assert read[4] == "This key or token is not known here."
    assert (read[-3], "churn@v3" in read[-2], read[-1]) == ("0", True, "")


def test_nothing_runs_but_our_own_script_and_nobody_else_is_asked(told: Mapping[str, Any]) -> None:
    for name, one in told.items():
        if name in ("seen", "bare"):
            continue
        assert (one["canary"], one["dialogs"], one["strangers"]) == ([], [], []), name
        complaints = [words for words in one["complaints"] if "the server responded with a status of 4" not in words]
        assert complaints == [], name
    assert told["bare"]["heading"] == "Try the model"


def test_everybody_can_use_the_pages(told: Mapping[str, Any]) -> None:
    for name, one in told.items():
        if name.startswith("axe"):
            serious = [fault for fault in one["axe"] if fault["impact"] in ("serious", "critical", "moderate")]
            assert (serious, one["overflow"]) == ([], 0), name
