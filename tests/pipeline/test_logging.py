"""Log lines in two forms, with structlog and without, of us and of every library; none with a secret."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import warnings

import pytest

from strata_git.pipeline.observability import logging as module
from strata_git.pipeline.observability.logging import Form, logged, logger
from strata_git.pipeline.observability.redact import Redactor
from strata_git.runs.masking import Mask

KNOWN = "canary-value-31"


class Told:
    """What was said while it was in force."""

    def __init__(self, form: Form = "json", level: str = "info") -> None:
        self.stream = io.StringIO()
        self.force = logged(form, level, Redactor(Mask([KNOWN])), self.stream)

    def __enter__(self) -> Told:
        self.force.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.force.__exit__(None, None, None)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture(params=["structlog", "without"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "without":
        monkeypatch.setattr(module, "find_spec", lambda _: None)
    return str(request.param)


def test_an_event_as_json(backend: str) -> None:
    with Told() as told:
        logger("chain").bind(run="run-1").info("asked 100% of it", chunk=3, api_key="abc", text=f"x {KNOWN}")
    (event,) = told.events
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(event.pop("time")))
    assert event == {
        "level": "info", "logger": "strata.chain", "message": "asked 100% of it", "run": "run-1", "chunk": 3,
        "api_key": "***", "text": "x ***",
    }  # fmt: skip


def test_an_event_for_people(backend: str) -> None:
    with Told("human") as told:
        logger("chain").warning("slow\nagain", seconds=2.5, name="two words", message="own", ids=[1, 2])
    (line,) = told.text.splitlines()
    assert re.match(r"\d\d:\d\d:\d\d ", line)
    assert line[9:] == 'warning  slow\\nagain seconds=2.5 name="two words" message_=own ids="[1, 2]"  [strata.chain]'


def test_levels(backend: str) -> None:
    own, other = logger("chain"), logging.getLogger("botocore.endpoint")
    for level, expected in {
        "debug": ["d", "i", "w", "e", "I", "W"], "info": ["i", "w", "e", "W"], "warning": ["w", "e", "W"],
        "error": ["e"],
    }.items():  # fmt: skip
        with Told(level=level) as told:
            own.debug("d")
            own.info("i")
            own.warning("w")
            own.error("e")
            other.debug("D")
            other.info("I")
            other.warning("W")
        assert [event["message"] for event in told.events] == expected


def test_libraries_do_not_tell_bodies_even_where_somebody_asked_them_to() -> None:
    log = logging.getLogger("botocore.parsers")
    before, log.level = log.level, logging.DEBUG
    try:
        with Told(level="debug") as told:
            log.debug("Response body: unknown-secret")
            log.info("Authorization: Bearer canary-unknown")
    finally:
        log.level = before
    assert "unknown" not in told.text
    assert len(told.events) == 1


def test_a_traceback_is_told_without_secrets(backend: str) -> None:
    with Told() as told:
        try:
            try:
                raise ValueError(f"refused {KNOWN}")
            except ValueError as error:
                error.add_note(f"note {KNOWN}")
                raise RuntimeError("https://user:unseen@host") from error
        except RuntimeError:
            logger("chain").exception("it broke")
            logging.getLogger("urllib3").exception("so did I")
    ours, theirs = told.events
    for event in (ours, theirs):
        assert "Traceback" in str(event["error"])
        assert "refused ***" in str(event["error"])
    assert KNOWN not in told.text
    assert "unseen" not in told.text
    with Told("human") as told:
        try:
            raise ValueError(f"refused {KNOWN}")
        except ValueError:
            logger("chain").exception("it broke")
    assert "\n  ValueError: refused ***" in told.text


def test_warnings_are_records() -> None:
    with Told() as told, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"old {KNOWN}", stacklevel=1)
    (event,) = told.events
    assert (event["logger"], event["level"]) == ("py.warnings", "warning")
    assert KNOWN not in told.text


def test_what_cannot_be_told_says_so() -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

    for about in ({"msg": "%s", "args": (Hostile(),)}, {"msg": "%d", "args": ("x",)}):
        line = module.Lines("json", Redactor()).format(logging.makeLogRecord(about))
        assert json.loads(line)["message"].startswith("a log record could not be told: ")


def test_what_is_learned_later_is_masked_from_then_on() -> None:
    mask, stream = Mask(), io.StringIO()
    with logged("json", "info", Redactor(mask), stream):
        mask.add("learned-just-now")
        logger("keys").info("it is learned-just-now")
    assert "learned" not in stream.getvalue()


def test_afterwards_all_is_as_it_was() -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers), logging.getLogger("strata").level, warnings.showwarning
    with Told(level="error"):
        pass
    assert (root.level, list(root.handlers), logging.getLogger("strata").level, warnings.showwarning) == before


def test_control_characters_reach_no_terminal() -> None:
    with Told("human") as told:
        logger("chain").info("a\x1b[2Jb", name="\x1b]0;x\x07")
    assert "\x1b" not in told.text


def test_structlog_is_not_loaded_by_those_who_do_not_log() -> None:
    import subprocess

    script = "import sys, strata_git.pipeline.observability.logging; print('structlog' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
