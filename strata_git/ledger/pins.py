"""The pin: which policy this machine trusts for a repository. It never lies in the repository (TFC-0009 6.10).

In the order in which they are asked: the variable STRATA_TRUST_PIN (CI), `strata.trustPin` in the own configuration of
a bare repository (servers), `trust.yaml` in the user's configuration folder. Nothing is ever pinned silently.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository

VARIABLE = "STRATA_TRUST_PIN"
SETTING = "strata.trustPin"
SCHEMA = "strata/pins/v1"
_LIMIT = 1 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KEY = re.compile(r"gpg:(?:[0-9A-F]{64}|[0-9A-F]{40})|ssh:SHA256:[A-Za-z0-9+/]{43}")


@dataclass(frozen=True, slots=True)
class Pin:
    """Either the digest of one version of the policy, or keys that all have to have signed its first version.

    `source` says where it stands, in words.
    """

    digest: str = ""
    keys: tuple[str, ...] = ()
    source: str = ""

    @property
    def text(self) -> str:
        """The pin as it is written."""
        return self.digest or ",".join(self.keys)


def parse_pin(text: str, source: str = "") -> Pin:
    """`sha256:HEX`, or keys (`gpg:...`, `ssh:SHA256:...`) with commas between them. Raises ValueError."""
    if _DIGEST.fullmatch(text):
        return Pin(digest=text, source=source)
    keys = tuple(sorted({word.strip() for word in text.split(",")}))
    if not all(_KEY.fullmatch(key) for key in keys):
        raise ValueError(f"'{printable(text[:80])}' is neither sha256: and 64 digits nor a list of root keys")
    return Pin(keys=keys, source=source)


def find_pin(repo: Repository, repository: str) -> Pin | None:
    """The pin for the repository whose UUID is `repository`; None where there is none.

    Raises StrataError for a pin that cannot be read: a broken one is not no pin.
    """
    told = repo.environ.get(VARIABLE, "").strip()
    if told:
        return _parsed(told, f"the variable {VARIABLE}")
    if repo.worktree is None and (setting := _own_setting(repo)):
        return _parsed(setting, f"{SETTING} of this repository")
    place = pins_file(repo.environ)
    pins = _load(place) if place is not None else {}
    return _parsed(pins[repository], printable(str(place))) if repository in pins else None


def is_any_pinned(repo: Repository) -> bool:
    """Whether this machine pins anything at all, asked without reading a file."""
    if repo.environ.get(VARIABLE, "").strip():
        return True
    place = pins_file(repo.environ)
    return (place is not None and place.exists()) or (repo.worktree is None and bool(_own_setting(repo)))


def write_pin(environ: Mapping[str, str], repository: str, pin: Pin) -> Path:
    """Remember `pin` for the repository in the user's own file, and where that is. Raises StrataError."""
    from strata_git.load import dump_yaml

    place = pins_file(environ)
    if place is None:
        raise StrataError("There is no home directory to keep the pin in.", hint=f"export {VARIABLE}={pin.text}")
    pins = _load(place) | {repository: pin.text}
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StrataError(f"{printable(str(place.parent))} could not be made: {error.strerror}.") from None
    from strata_git.repo.files import write_file

    write_file(place, dump_yaml({"schema": SCHEMA, "repositories": dict(sorted(pins.items()))}), 0o600)
    return place


def pins_file(environ: Mapping[str, str]) -> Path | None:
    """`git-strata/trust.yaml` in the user's configuration folder; None where the user has no home."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):
        home = environ.get("HOME", "")
        if not os.path.isabs(home):
            return None
        folder = os.path.join(home, ".config")
    return Path(folder, "git-strata", "trust.yaml")


def _own_setting(repo: Repository) -> str:
    result = repo.try_git("config", "--local", "--get", SETTING)
    return os.fsdecode(result.out).strip() if result.code == 0 else ""


def _load(place: Path) -> dict[str, str]:
    from strata_git.load import Unloadable, load_yaml

    try:
        data = place.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StrataError(f"{printable(str(place))} could not be read: {error.strerror}.") from None
    try:
        value = load_yaml(data, limit=_LIMIT).value
    except Unloadable as error:
        raise StrataError(f"{printable(str(place))}:{error.line}: {error.message}.", hint="Mend the file.") from None
    pins = value.get("repositories") if isinstance(value, dict) and value.get("schema") == SCHEMA else None
    if not isinstance(pins, dict) or not all(isinstance(pin, str) for pin in pins.values()):
        raise StrataError(f"{printable(str(place))} is not of the schema {SCHEMA}.", hint="Mend the file.")
    return pins


def _parsed(text: str, source: str) -> Pin:
    try:
        return parse_pin(text, source)
    except ValueError as error:
        raise StrataError(f"The pin in {source} cannot be read: {error}.", hint="git strata trust pin --help") from None
