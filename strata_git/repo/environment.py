"""The surroundings in which git is run: an allow-listed environment and overrides a repository cannot undo.

A repository's own configuration can name programs (`core.fsmonitor`, filters, `gpg.program`, `core.sshCommand`, ...),
and the environment can smuggle in more (`GIT_CONFIG_COUNT`, `GIT_EXTERNAL_DIFF`, ...). Reading must run none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

_READ = ("PATH", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH")
_HOOK = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
)
_USER_GIT = (
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_DATE",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
)

OVERRIDES = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.quotePath=false",
    "core.warnAmbiguousRefs=false",
    "diff.external=",
    "log.showSignature=false",
    "protocol.ext.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
)
"""`-c` settings of every call; plumbing that would consult a program is pointed at none."""

FOLDED = {"GIT_LITERAL_PATHSPECS": "0", "GIT_ICASE_PATHSPECS": "1"}
"""For one call: paths are taken without regard to case. They must be names of ours, which hold no `*?[`."""


def reading_environment(environ: Mapping[str, str], *, in_hook: bool) -> dict[str, str]:
    """The environment for plumbing that only reads or stores objects.

    No user or system configuration, no replacement objects or grafts, no optional locks, no prompt and no transport:
    an object that a partial clone lacks is absent, it is never fetched behind the user's back. Inside a hook the
    variables by which git names the repository, the index and the quarantine are kept; elsewhere they are dropped.
    """
    kept = {name: environ[name] for name in _READ if name in environ}
    if in_hook:
        kept.update({name: environ[name] for name in _HOOK if name in environ})
    kept.update(
        LC_ALL="C",
        GIT_CONFIG_NOSYSTEM="1",
        GIT_CONFIG_GLOBAL="/dev/null",
        GIT_NO_REPLACE_OBJECTS="1",
        GIT_GRAFT_FILE="/dev/null",
        GIT_OPTIONAL_LOCKS="0",
        GIT_TERMINAL_PROMPT="0",
        GIT_NO_LAZY_FETCH="1",
        GIT_ALLOW_PROTOCOL="none",
        GIT_LITERAL_PATHSPECS="1",
    )
    return kept


def acting_environment(environ: Mapping[str, str], *, in_hook: bool) -> dict[str, str]:
    """The environment for commands that act for the user, with the user's own global configuration in force."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    kept.update({name: environ[name] for name in _USER_GIT if name in environ})
    if in_hook:
        kept.update({name: environ[name] for name in _HOOK if name in environ})
    kept["GIT_NO_REPLACE_OBJECTS"] = "1"
    return kept
