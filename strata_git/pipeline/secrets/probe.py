"""Which secrets can be had, asked of everybody who keeps one, at once; the values are forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from strata_git.contracts.pipeline import Key
from strata_git.errors import StrataError
from strata_git.pipeline.secrets.failure import place
from strata_git.pipeline.secrets.resolve import Secrets

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of asking for one secret. `kind` is of `pipeline.errors.KINDS`, or "missing_extra"."""

    name: str
    source: str
    place: str
    resolves: bool
    kind: str = ""
    why: str = ""
    hint: str = ""


def probe(keys: Mapping[str, Key], names: Sequence[str], secrets: Secrets) -> tuple[Probed, ...]:
    """What came of each of `names`, in their order. Raises nothing but bugs."""

    def ask(name: str) -> Probed:
        key = keys[name]
        try:
            secrets.secret(name)
        except StrataError as error:
            kind = getattr(error, "kind", "missing_extra")
            return Probed(name, key.source, place(key), False, kind, error.message, error.hint)
        return Probed(name, key.source, place(key), True)

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return tuple(pool.map(ask, names))
