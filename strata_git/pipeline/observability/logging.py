"""Log lines of pipelines, as JSON or for people, our own and those of every library; redacted, tracebacks too.

With structlog (extra `observability`) events are bound and processed by it; without, a logger of ours with the same
methods stands in. Both end in the standard library's root logger, and lines look the same:

    {"time": "2026-11-21T09:30:00.000Z", "level": "info", "logger": "strata.chain", "message": "...", "chunk": 3}
    09:30:00 info     ... chunk=3  [strata.chain]
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal, Protocol, TextIO

from strata_git.errors import printable
from strata_git.pipeline.observability.redact import Redactor

Form = Literal["human", "json"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
ROOT = "strata"
"""Our loggers are below this name."""
NOTHING: Mapping[str, object] = MappingProxyType({})
_FIELDS = "strata_fields"
_OWN = ("time", "level", "logger", "message", "error")


class Logger(Protocol):
    """What `logger` gives: an event in words, and fields with it."""

    def bind(self, **fields: object) -> Logger:
        """A logger whose every line has these fields."""

    def debug(self, event: str, **fields: object) -> Any: ...
    def info(self, event: str, **fields: object) -> Any: ...
    def warning(self, event: str, **fields: object) -> Any: ...
    def error(self, event: str, **fields: object) -> Any: ...
    def exception(self, event: str, **fields: object) -> Any: ...


def logger(name: str) -> Logger:
    """A logger of ours; `name` is what speaks: `chain`, `sources.s3`. It says nothing until `logged` is in force."""
    own = logging.getLogger(f"{ROOT}.{name}")
    if find_spec("structlog") is None:
        return _Plain(own, {})
    import structlog

    made: Logger = structlog.wrap_logger(
        own,
        processors=[structlog.contextvars.merge_contextvars, _as_arguments],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return made


@contextmanager
def logged(
    form: Form, level: str, redactor: Redactor, stream: TextIO | None = None, fields: Mapping[str, object] = NOTHING
) -> Iterator[None]:
    """While it is in force, every log record of the process is a line of `stream` (standard error), with `fields`.

    `level` is one of `LEVELS`, for our own records. Those of libraries are told one step later, for they say much: from
    WARNING on, with `debug` from INFO on, and never below that, where they log the bodies of requests and answers.
    Python's warnings are records as well. Afterwards all is as it was.
    """
    least, theirs = LEVELS[level], logging.INFO if level == "debug" else max(LEVELS[level], logging.WARNING)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(form, redactor, fields))
    handler.addFilter(lambda record: record.levelno >= (least if _is_own(record) else theirs))
    root, own = logging.getLogger(), logging.getLogger(ROOT)
    before = root.level, own.level
    own.setLevel(least)
    root.setLevel(theirs if root.level in (logging.NOTSET, logging.WARNING) else root.level)
    logging.captureWarnings(True)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        logging.captureWarnings(False)
        root.setLevel(before[0])
        own.setLevel(before[1])
        handler.flush()


@contextmanager
def own_stderr() -> Iterator[TextIO]:
    """Standard error as it is now: a run leads its descriptor into the record."""
    try:
        number = os.dup(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):  # a stream that has no descriptor is not led away
        yield sys.stderr
        return
    with open(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace") as stream:
        yield stream


class Lines(logging.Formatter):
    """A record as one line, in one of the two forms, without secrets."""

    def __init__(self, form: Form, redactor: Redactor, fields: Mapping[str, object] = NOTHING) -> None:
        super().__init__()
        self._form, self._redactor, self._fields = form, redactor, fields

    def format(self, record: logging.LogRecord) -> str:
        """Never raises: a record that cannot be told says so."""
        try:
            event = self._redactor.plain(_event(record) | dict(self._fields))
        except Exception as error:  # noqa: BLE001 - whatever a library puts into a record, logging goes on
            event = {
                "level": "error",
                "logger": ROOT,
                "message": f"a log record could not be told: {type(error).__name__}",
            }
        return as_json(event) if self._form == "json" else as_words(event)


def as_json(event: Mapping[str, object]) -> str:
    """One line of JSON; what JSON has not is its text."""
    return json.dumps(event, ensure_ascii=False, default=str)


def as_words(event: Mapping[str, object]) -> str:
    """One line for people, a traceback below it."""
    time = str(event.get("time", ""))[11:19]
    fields = "".join(f" {key}={_word(value)}" for key, value in event.items() if key not in _OWN)
    name = f"  [{event['logger']}]" if event.get("logger") else ""
    line = printable(f"{time} {event.get('level', 'info'):<8} {event.get('message', '')}{fields}{name}".strip())
    error = str(event.get("error", ""))
    return "\n".join([line, *(f"  {printable(part)}" for part in error.splitlines())])


def _word(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if text and not any(letter.isspace() for letter in text) else json.dumps(text, ensure_ascii=False)


def _event(record: logging.LogRecord) -> dict[str, object]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    event: dict[str, object] = {
        "time": moment.replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
    }
    fields = getattr(record, _FIELDS, None)
    for name, value in fields.items() if isinstance(fields, Mapping) else ():
        event[f"{name}_" if name in _OWN else name] = value
    if record.exc_info and record.exc_info[1] is not None:
        event["error"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
    return event


def _is_own(record: logging.LogRecord) -> bool:
    return record.name == ROOT or record.name.startswith(f"{ROOT}.")


def _as_arguments(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    """structlog's last processor: the event as what the standard logger is called with."""
    message = str(event.pop("event", ""))
    error = event.pop("exc_info", None)
    return (message,), {"exc_info": error, "extra": {_FIELDS: dict(event)}}


class _Plain:
    """The same methods where structlog is not installed."""

    def __init__(self, behind: logging.Logger, fields: Mapping[str, object]) -> None:
        self._behind, self._fields = behind, dict(fields)

    def bind(self, **fields: object) -> _Plain:
        return _Plain(self._behind, {**self._fields, **fields})

    def debug(self, event: str, **fields: object) -> None:
        self._tell(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._tell(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._tell(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._tell(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        self._tell(logging.ERROR, event, {"exc_info": True, **fields})

    def _tell(self, level: int, event: str, fields: dict[str, Any]) -> None:
        error = fields.pop("exc_info", None)
        self._behind.log(level, "%s", event, exc_info=error, extra={_FIELDS: {**self._fields, **fields}})
