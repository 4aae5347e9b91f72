"""picklescan as a second scanner, where it is installed (extra `scan`)."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

from strata_git.integrity.scan import Danger, OpcodeScanner, Scanner


class PicklescanScanner:
    """What picklescan finds, in our words. It is asked about bytes in memory; it opens no file and loads nothing."""

    name = "picklescan"

    def __init__(self, module: Any, version: str) -> None:
        self._module = module
        self.version = version

    def scan(self, name: str, data: bytes) -> list[Danger]:
        """Globals that it calls dangerous (not what it merely does not know); a file it fails on is `unscanned`."""
        import logging

        log = logging.getLogger("picklescan")
        level = log.level
        log.setLevel(logging.CRITICAL)  # it writes what it finds to standard error, too
        try:
            result = self._module.scan_bytes(io.BytesIO(data), name)
        except Exception as error:  # noqa: BLE001 - whatever a foreign parser raises about a foreign file
            return [Danger("unscanned", "", f"is not understood by picklescan ({type(error).__name__})")]
        finally:
            log.setLevel(level)
        found = []
        for one in result.globals:
            if getattr(one.safety, "name", "") == "Dangerous":
                found.append(Danger("harm", "", f"imports {one.module}.{one.name}, says picklescan"))
        return found


@cache
def installed_scanners() -> tuple[Scanner, ...]:
    """Our own scanner, and picklescan where it is installed."""
    own = OpcodeScanner()
    try:
        from importlib.metadata import version

        from picklescan import scanner
    except ImportError:
        return (own,)
    return (own, PicklescanScanner(scanner, version("picklescan")))
