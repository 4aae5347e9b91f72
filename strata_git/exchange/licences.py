"""Licences as other formats want them: an address, an SPDX identifier, or words."""

from __future__ import annotations

from strata_git.exchange.subject import plain

UNKNOWN = frozenset({"", "unknown", "noassertion", "none"})
_KNOWN = (
    "0BSD", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause",
    "BSD-3-Clause-Clear", "BSL-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0",
    "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDLA-Permissive-1.0",
    "CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.1", "EUPL-1.2",
    "GFDL-1.3-only", "GFDL-1.3-or-later", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later",
    "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "LPPL-1.3c", "MIT", "MPL-2.0",
    "MS-PL", "NCSA", "OFL-1.1", "ODC-By-1.0", "ODbL-1.0", "OSL-3.0", "PDDL-1.0", "PostgreSQL", "Unlicense", "WTFPL",
    "Zlib",
)  # fmt: skip
_SPDX = {name.casefold(): name for name in _KNOWN}


def spdx(said: object) -> str:
    """The SPDX identifier that is meant, spelled as the list does; `""` where it is none of the usual ones."""
    return _SPDX.get(plain(said).strip().casefold(), "")


def address(said: object) -> str:
    """Where the text of the licence is; the words themselves where that is not known, `""` where nothing was said."""
    if name := spdx(said):
        return f"https://spdx.org/licenses/{name}"
    words = plain(said).strip()
    return "" if words.casefold() in UNKNOWN else words
