"""Making and changing a trust policy in the work tree; what is in force, only signatures and the pin decide.

Every change starts a new version: `version` is one higher than that in force, `previous` names the file before, and
signatures over the old bytes are taken away. Changes before anybody committed them are changes of the same version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from strata_git.authoring.public_keys import PublicKey
from strata_git.authoring.trust_draft import (
    Base,
    Edited,
    Plain,
    base_of,
    drop_stale,
    numbered,
    root_behind,
    stamp,
    standing_blocks,
    store,
    told,
    write,
)
from strata_git.config import Settings
from strata_git.contracts.layout import NAME, POLICY, TRUST
from strata_git.contracts.policy import SCHEMA
from strata_git.errors import StrataError, printable
from strata_git.integrity.armor import ArmorError, append_block
from strata_git.integrity.oms_people import PREFIX
from strata_git.integrity.policy import parse_policy
from strata_git.integrity.policy_keys import FOLDER, POLICY_NAMESPACE
from strata_git.integrity.ssh import BEGIN
from strata_git.ledger.events import HEADS
from strata_git.ledger.signing import signer_for
from strata_git.ledger.trust import BLOCKS, SIGNATURES
from strata_git.repo.command import Repository
from strata_git.repo.refs import list_refs
from strata_git.repo.worktree import WorkTree, read_plain


def init_policy(repo: Repository, settings: Settings, name: str, key: PublicKey, *, now: datetime) -> Edited:
    """The first version: one root who may do everything, in steps; what was promoted before is taken over as it is."""
    if not settings.repository:
        raise StrataError(
            "strata.yaml gives this repository no identity.", hint="git strata init   adds what is missing"
        )
    base = base_of(repo, settings)
    if base.data is not None or base.before is not None:
        raise StrataError("There is a trust policy already.", hint="git strata trust show")
    _require_name(name)
    heads = {ref.name.removeprefix(HEADS): ref.oid for ref in list_refs(repo, HEADS)}
    value: Plain = {
        "schema": SCHEMA,
        "repository": settings.repository,
        "version": 1,
        "previous": None,
        "issued": stamp(now),
        "roots": {"threshold": 1, "principals": [name]},
        "principals": {name: {"keys": [key.key]}},
        "rules": [
            {"models": "*", "from": "experimental", "to": "staging", "signers": [name]},
            {"models": "*", "from": "staging", "to": "production", "signers": [name]},
        ],
        **({"adopted": heads} if heads else {}),
    }
    return write(repo, base, value, f"Trust policy: {name} is its first root", {f"{name}{key.suffix}": key.data}, now)


def add_principal(
    repo: Repository, settings: Settings, name: str, key: PublicKey, *, now: datetime, root: bool = False,
    stages: tuple[str, ...] = (), valid_until: str = "",
) -> Edited:  # fmt: skip
    """A new person, or one more key of somebody; `stages` are those into whose rules the person is put as a signer."""
    _require_name(name)

    def change(value: Plain) -> str:
        person = value["principals"].setdefault(name, {"keys": []})
        if key.key in person.setdefault("keys", []):
            raise StrataError(f"{name} has that key already.", hint="git strata trust show")
        person["keys"].append(key.key)
        if (root or stages) and all(each.startswith(PREFIX) for each in person["keys"]):
            raise StrataError(
                f"{name} has no key that signs events or policies: an {PREFIX} key is for model.sig alone.",
                hint=f"git strata trust add {name} --key KEY   with a GPG or SSH key",
            )
        if valid_until:
            person["valid_until"] = valid_until
        if root and name not in value["roots"]["principals"]:
            value["roots"]["principals"].append(name)
        _enter_rules(value, name, stages)
        return f"Trust policy: add {name}"

    return _change(repo, settings, change, now, lambda before: {f"{name}{key.suffix}": _joined(before, name, key)})


def remove_principal(repo: Repository, settings: Settings, name: str, *, now: datetime) -> Edited:
    """Take a person out of roots, rules and principals. What was signed under earlier versions stays as it is."""

    def change(value: Plain) -> str:
        _require_principal(value, name)
        del value["principals"][name]
        for group in (value["roots"], *value.get("rules", [])):
            words = "principals" if "principals" in group else "signers"
            group[words] = [each for each in group[words] if each != name]
        value["rules"] = [rule for rule in value.get("rules", []) if rule["signers"]]
        return f"Trust policy: remove {name}"

    return _change(repo, settings, change, now)


def rotate_key(
    repo: Repository, settings: Settings, name: str, old: str, new: PublicKey, *, now: datetime, reason: str
) -> Edited:
    """Replace a key of somebody: from now on only `new` counts; what `old` signed until now still does."""

    def change(value: Plain) -> str:
        person = _require_principal(value, name)
        keys = person.get("keys", [])
        if old not in keys:
            raise StrataError(f"{printable(old)} is no key of {name}.", hint="git strata trust show")
        person["keys"] = [*(key for key in keys if key != old), new.key]
        person.setdefault("retired_keys", []).append({"key": old, "at": stamp(now), "reason": reason})
        return f"Trust policy: a new key of {name}"

    return _change(repo, settings, change, now, lambda before: {f"{name}{new.suffix}": _joined(before, name, new)})


def revoke(
    repo: Repository, settings: Settings, name: str, *, now: datetime, reason: str, key: str = "", at: str = ""
) -> Edited:
    """Believe nothing that a person, or one `key` of theirs, signed at or after `at` (default: now)."""

    def change(value: Plain) -> str:
        person = _require_principal(value, name)
        since = {"at": at or stamp(now), "reason": reason}
        if not key:
            person["revoked"] = since
            return f"Trust policy: revoke {name}"
        if key not in person.get("keys", []):
            raise StrataError(f"{printable(key)} is no key of {name}.", hint="git strata trust show")
        person["keys"] = [each for each in person["keys"] if each != key]
        person.setdefault("retired_keys", []).append({"key": key, **since})
        return f"Trust policy: revoke a key of {name}"

    return _change(repo, settings, change, now)


def sign_policy(
    repo: Repository, settings: Settings, *, key: str = "", now: datetime, terminal: str | None = None
) -> Edited:
    """Add one root's signature to the policy in the work tree; a file that was edited by hand becomes a new version.

    Raises StrataError when the key is no root's, neither of this version nor of the one in force.
    """
    base = base_of(repo, settings)
    value = base.plain
    if base.before is not None and base.data != base.before.data and value["previous"] != base.before.policy.digest:
        data = numbered(base, now)
        store(repo, data, {}, unsigned=True)
        base = Base(base.before, data)
    assert base.data is not None  # noqa: S101 - `plain` was asked for
    policy = parse_policy(base.data)
    drop_stale(repo, base)
    signer = signer_for(repo, key=key, configured=settings.signing_key, terminal=terminal, namespace=POLICY_NAMESPACE)
    block = signer.sign(base.data)
    name = root_behind(repo, base, block)
    if block.startswith(BEGIN):
        store(repo, base.data, {f"{SIGNATURES}/{name}.sig": block})
    else:
        try:
            store(repo, base.data, {BLOCKS: append_block(standing_blocks(repo, base), block)})
        except ArmorError as error:
            raise StrataError(f"{TRUST}/{BLOCKS}: {printable(str(error))}.", hint="git strata trust show") from None
    return told(repo, base.before, f"Trust policy version {policy.version}: signed by {name}")


def _change(
    repo: Repository,
    settings: Settings,
    change: Callable[[Plain], str],
    now: datetime,
    files: Callable[[Mapping[str, bytes]], dict[str, bytes]] | None = None,
) -> Edited:
    base = base_of(repo, settings)
    value = base.plain
    message = change(value)
    keys = {entry.path.rpartition("/")[2]: read_plain(repo, entry.path) or b""
            for entry in WorkTree(repo, [f"{TRUST}/{FOLDER}"]).under(f"{TRUST}/{FOLDER}")}  # fmt: skip
    return write(repo, base, value, message, files(keys) if files else {}, now)


def _joined(files: Mapping[str, bytes], name: str, key: PublicKey) -> bytes:
    before = files.get(f"{name}{key.suffix}", b"")
    return before if key.data in before else before + key.data


def _enter_rules(value: Plain, name: str, stages: tuple[str, ...]) -> None:
    for stage in stages:
        rules = [rule for rule in value.get("rules", []) if rule["to"] == stage]
        if not rules:
            raise StrataError(f"No rule leads to {printable(stage)}.", hint=f"Write one into {POLICY} first.")
        for rule in rules:
            if name not in rule["signers"]:
                rule["signers"].append(name)


def _require_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise StrataError(
            f"'{printable(name)}' is no name for a person in a policy.",
            hint="Lower-case letters and digits, with - or _.",
        )


def _require_principal(value: Plain, name: str) -> Plain:
    if name not in value["principals"]:
        known = ", ".join(sorted(value["principals"]))
        raise StrataError(f"'{printable(name)}' is not in the policy.", hint=f"It knows {known}.")
    person: Plain = value["principals"][name]
    return person
