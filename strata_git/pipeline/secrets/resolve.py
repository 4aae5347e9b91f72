"""Secrets by their names in the section keys: asked for when they are used, once in a process, and masked from then on.

Whoever is asked may log what it answers: while a secret is on its way, no library's debug messages are let through.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from strata_git.contracts.pipeline import SECRET, AwsKey, AzureKey, DotenvKey, EnvironmentKey, Key
from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.secrets.failure import SecretError, hint, place
from strata_git.pipeline.secrets.secret import Secret
from strata_git.pipeline.vocabulary import nearest
from strata_git.runs.masking import Mask

if TYPE_CHECKING:
    from pydantic import BaseModel

    M = TypeVar("M", bound=BaseModel)

ATTEMPTS = Backoff(attempts=4, most_s=8.0, patience_s=30.0)
"""How often a provider is asked that says it is busy: somebody waits for the answer."""
_quiet_lock = threading.Lock()
_quiet: list[int] = []


class Source(Protocol):
    """Whatever gives secrets by name."""

    def get(self, name: str) -> str:
        """The value."""


class Secrets:
    """The secrets that `keys` names. `environ` and `root` are where local ones are kept, `mask` learns every value.

    Any thread may ask. What crosses into another process takes along no value: there it is asked for again.
    """

    def __init__(
        self,
        keys: Mapping[str, Key],
        environ: Mapping[str, str],
        root: Path,
        mask: Mask | None = None,
        *,
        backoff: Backoff = ATTEMPTS,
    ) -> None:
        self._keys, self._environ, self._root, self._backoff = dict(keys), environ, root, backoff
        self.mask = Mask() if mask is None else mask
        self._known: dict[str, Secret] = {}
        self._locks = {name: threading.Lock() for name in self._keys}

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self._keys)})"

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self._keys, dict(self._environ), self._root, self.mask)

    @property
    def names(self) -> tuple[str, ...]:
        """Those that can be asked for."""
        return tuple(self._keys)

    def get(self, name: str) -> str:
        """The value of the secret that the section keys calls `name`.

        Raises SecretError when it cannot be had, MissingExtra when its provider is not installed, StrataError when
        there is no such name.
        """
        return self.secret(name).reveal()

    def secret(self, name: str) -> Secret:
        """The same, as a value that shows itself nowhere."""
        if name not in self._keys:
            near = nearest(name, self.names)
            raise StrataError(
                f"strata.yaml has no secret '{printable(name)}'.",
                hint=(f"Did you mean '{near}'? " if near else "") + "The section keys says where each secret is kept.",
            )
        with self._locks[name]:
            if name not in self._known:
                self._known[name] = Secret(self._had(name))
            return self._known[name]

    def fill(self, text: str) -> str:
        """`text` with every `${secret:name}` put in; what a value holds is read no further. Raises as `get` does."""
        return SECRET.sub(lambda found: self.get(found[1]), text)

    def _had(self, name: str) -> str:
        key = self._keys[name]
        try:
            with quiet():
                value = self._backoff.call(lambda: self._asked(key))
            self.mask.add(value)
            if isinstance(key, AwsKey) and key.field is not None:
                value = _field(value, key)
                self.mask.add(value)
        except SecretError as error:
            raise SecretError(
                f"keys.{name}: {error.message.rstrip('.')}.", kind=error.kind, hint=hint(key, error.kind),
                retryable=error.retryable, retry_after=error.retry_after, status=error.status,
            ) from None  # fmt: skip
        return value

    def _asked(self, key: Key) -> str:
        if isinstance(key, EnvironmentKey | DotenvKey):
            from strata_git.pipeline.secrets import local

            if isinstance(key, EnvironmentKey):
                return local.from_environment(key, self._environ)
            return local.from_dotenv(key, self._root)
        try:
            if isinstance(key, AzureKey):
                from strata_git.pipeline.secrets import vault

                return vault.get(key, self._environ)
            from strata_git.pipeline.secrets import amazon

            return amazon.get(key, self._environ)
        except ImportError:
            extra, what = ("azure", "A secret in Azure Key Vault") if isinstance(key, AzureKey) else ("aws", place(key))
            raise MissingExtra(extra, what) from None


def filled(settings: M, secrets: Source) -> M:
    """`settings` with the secrets put into its texts, for the one who connects: it must be neither told nor kept.

    `key`, `secret` and `token` are names, and stay names. Raises as `Secrets.get` does.
    """
    plain = {name: getattr(settings, name) for name in type(settings).model_fields}
    put = {name: _filled(value, secrets) for name, value in plain.items()}
    changed = {name: value for name, value in put.items() if value is not plain[name]}
    return settings.model_copy(update=changed) if changed else settings


def _filled(value: object, secrets: Source) -> object:
    """The same object where there is nothing to put in."""
    if isinstance(value, str):
        return SECRET.sub(lambda found: secrets.get(found[1]), value) if SECRET.search(value) else value
    if isinstance(value, Mapping):
        made = {key: _filled(part, secrets) for key, part in value.items()}
        return made if any(made[key] is not value[key] for key in made) else value
    if isinstance(value, list | tuple):
        parts = [_filled(part, secrets) for part in value]
        return type(value)(parts) if any(new is not old for new, old in zip(parts, value, strict=True)) else value
    return value


@contextmanager
def quiet() -> Iterator[None]:
    """Meanwhile nothing below INFO is logged, whoever asked for it: SDKs log the bodies of answers."""
    with _quiet_lock:
        if not _quiet:
            _quiet.append(logging.root.manager.disable)
            logging.disable(max(logging.DEBUG, logging.root.manager.disable))
        _quiet.append(0)
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet.pop()
            if len(_quiet) == 1:
                logging.disable(_quiet.pop())


def _again(keys: Mapping[str, Key], environ: Mapping[str, str], root: Path, mask: Mask) -> Secrets:
    return Secrets(keys, environ, root, mask)


def _field(text: str, key: AwsKey) -> str:
    """One field of a secret that is a JSON object."""
    from strata_git.load import Unloadable, load_json

    try:
        value = load_json(text.encode()).value
    except Unloadable:
        raise SecretError(f"{place(key)}: the value is no JSON, so it has no fields", kind="invalid") from None
    found = value.get(key.field) if isinstance(value, dict) and key.field is not None else None
    if not isinstance(found, str | int | float) or isinstance(found, bool) or found == "":
        raise SecretError(f"{place(key)}: the value has no such field", kind="not_found")
    return str(found)
