"""Log lines of a service, as JSON or for people. They tell who asked what, how it ended and how long it took; no value
of a request or an answer, no credential, ever.

    {"time": "2026-11-21T09:30:00.000Z", "level": "info", "logger": "strata.access", "message": "POST /predict 200"}
    09:30:00 info     POST /predict 200 route=/predict rows=1 ms=0.4 ...
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from strata_git.errors import printable

Form = Literal["human", "json"]
ACCESS = "strata.access"
_ACCESS = logging.getLogger(ACCESS)
_FIELDS = "strata_fields"


@contextmanager
def service_log(form: Form = "human", level: str = "info", stream: TextIO | None = None) -> Iterator[None]:
    """While it is in force records of ours, of the server's and from WARNING on of all libraries are lines of `stream`
    (standard error). Afterwards all is as it was."""
    handler = ServiceHandler(stream or sys.stderr, form)
    root, own = logging.getLogger(), logging.getLogger("strata")
    before, outer = own.level, _IN_FORCE[:]
    own.setLevel({"debug": logging.DEBUG, "warning": logging.WARNING, "error": logging.ERROR}.get(level, logging.INFO))
    root.addHandler(handler)
    _IN_FORCE[:] = [handler]
    try:
        yield
    finally:
        _IN_FORCE[:] = outer
        root.removeHandler(handler)
        own.setLevel(before)
        handler.flush()


class ServiceHandler(logging.StreamHandler[TextIO]):
    """Writes records of logging, and events that come past it: a record made for every request would cost as much as
    the answer."""

    def __init__(self, stream: TextIO, form: Form) -> None:
        super().__init__(stream)
        self._said = as_json if form == "json" else as_words

    def format(self, record: logging.LogRecord) -> str:
        """Never raises, and never has more than one line in JSON."""
        return self._said(_event(record))

    def tell(self, event: dict[str, Any]) -> None:
        """Write an event; where the stream is gone nobody is told."""
        try:
            self.stream.write(self._said(event) + "\n")
            self.stream.flush()
        except (OSError, ValueError):
            return


_IN_FORCE: list[ServiceHandler] = []


def as_json(event: Mapping[str, Any]) -> str:
    """One line of JSON."""
    import orjson

    try:
        return orjson.dumps(event, default=str).decode()
    except (TypeError, ValueError):  # text that is no Unicode
        return json.dumps(event, default=str)


def as_words(event: Mapping[str, Any]) -> str:
    """One line for people, places of the code below it."""
    fields = "".join(f" {key}={printable(str(value))}" for key, value in event.items() if key not in _FIRST)
    line = f"{str(event['time'])[11:19]} {event['level']:<8} {event['message']}{fields}"
    return f"{line}\n  " + "\n  ".join(event["where"]) if "where" in event else line


_FIRST = ("time", "level", "logger", "message", "where")


def tell_access(level: int, message: str, fields: Mapping[str, Any]) -> None:
    """Tell of a request that came to its end."""
    if _IN_FORCE:
        word = logging.getLevelName(level).lower()
        _IN_FORCE[0].tell({"time": _moment(time.time()), "level": word, "logger": ACCESS, "message": message, **fields})
    else:
        _ACCESS.log(level, "%s", message, extra={_FIELDS: dict(fields)})


def tells_access(level: int) -> bool:
    """Whether lines of this level are told."""
    return _ACCESS.isEnabledFor(level)


def failure_line(logger: logging.Logger, request: str, error: BaseException) -> None:
    """Tell of a failure of ours: its kind and the places of the code. Its words may hold values, and are left out."""
    fields = {"request": request, "error": type(error).__name__, "where": where(error)}
    logger.error("a request failed", extra={_FIELDS: fields})


def where(error: BaseException) -> list[str]:
    """`file:line function` of the last frames of an error, innermost last."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{os.path.basename(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-12:]


def _moment(seconds: float) -> str:
    """UTC to the millisecond; the second is made once and kept."""
    whole = int(seconds)
    if _SECOND[0] != whole:
        _SECOND[:] = [whole, datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")]
    return f"{_SECOND[1]}.{int((seconds - whole) * 1000):03d}Z"


_SECOND: list[Any] = [0, "1970-01-01T00:00:00"]


def _event(record: logging.LogRecord) -> dict[str, Any]:
    try:
        message = printable(record.getMessage())
    except Exception as error:  # noqa: BLE001 - whatever a library puts into a record, logging goes on
        message = f"a log record could not be told: {type(error).__name__}"
    event: dict[str, Any] = {
        "time": _moment(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": message,
    }
    fields = getattr(record, _FIELDS, None)
    if isinstance(fields, Mapping):
        event.update({key: value for key, value in fields.items() if key not in event})
    elif record.exc_info and record.exc_info[1] is not None:
        event |= {"error": type(record.exc_info[1]).__name__, "where": where(record.exc_info[1])}
    return event
