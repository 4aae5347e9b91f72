"""Secrets of this machine: variables of the environment, and lines `NAME=VALUE` of a file that Git ignores."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from strata_git.contracts.pipeline import DotenvKey, EnvironmentKey
from strata_git.errors import printable
from strata_git.pipeline.secrets.failure import SecretError

LIMIT = 1 << 20
"""Bytes of the largest file of variables that is read."""


def from_environment(key: EnvironmentKey, environ: Mapping[str, str]) -> str:
    """The variable's value. Raises SecretError where it is not set, or empty."""
    value = environ.get(key.name, "")
    if not value:
        state = "empty" if key.name in environ else "not set"
        raise SecretError(f"the environment variable {printable(key.name)} is {state}", kind="not_found")
    return value


def from_dotenv(key: DotenvKey, root: Path) -> str:
    """The value in the file, as python-dotenv reads it (quotes, escapes, `export`, comments); nothing is put in for
    `${NAME}`, which passwords may hold. Raises SecretError.
    """
    from dotenv import dotenv_values

    text = _text(key.file, root)
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    value = values.get(key.name)
    if not value:
        state = "has no value" if key.name in values else "is not in it"
        raise SecretError(f"{printable(key.file)}: {printable(key.name)} {state}", kind="not_found")
    return value


def _text(file: str, root: Path) -> str:
    said = printable(file)
    path = root / file
    if not os.path.isabs(file) and not path.resolve().is_relative_to(root.resolve()):
        raise SecretError(f"{said} leads out of the workspace", kind="permission")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise SecretError(f"{said} is no file", kind="invalid")
            with open(handle, "rb", closefd=False) as stream:
                data = stream.read(LIMIT + 1)
        finally:
            os.close(handle)
    except (FileNotFoundError, NotADirectoryError):
        raise SecretError(f"{said} is not there", kind="not_found") from None
    except OSError as error:
        raise SecretError(f"{said} cannot be read: {error.strerror}", kind="permission") from None
    if len(data) > LIMIT:
        raise SecretError(f"{said} has more than {LIMIT >> 20} MiB", kind="invalid")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SecretError(f"{said} is not UTF-8", kind="invalid") from None
