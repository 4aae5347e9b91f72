"""`git strata trust`: who may do what, who may change that, and which policy this machine believes."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import click

from strata_git.authoring.trust_draft import Edited
from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.contracts.layout import POLICY, STAGES, TRUST
from strata_git.errors import StrataError, UsageError

key_option = click.option(
    "--key", required=True, metavar="KEY", help="Public key: fingerprint in your keyring, file, or SSH key as text."
)
reason_option = click.option("--reason", required=True, help="Why; written into the policy.")
commit_option = click.option("--commit", is_flag=True, help="Commit what the policy consists of, hooks on.")
at_option = click.option("--at", default="", metavar="TIME", help="Since when, such as 2026-11-21T09:30:00Z (now).")


@click.group()
def command() -> None:
    """Say who may promote what, and pin the policy that says so."""


@command.command()
@click.option("--name", default="", help="What the policy calls you (default: git's user.name).")
@click.option("--key", default="", metavar="KEY", help="Your public key (default: git's user.signingkey).")
@commit_option
@format_option
@click.pass_obj
def init(session: Session, name: str, key: str, commit: bool, style: str) -> None:
    """Begin a policy: you are its first root and may move models; what was promoted before is taken over as it is."""
    from strata_git.authoring.public_keys import read_public_key
    from strata_git.authoring.trust import init_policy
    from strata_git.authoring.trust_draft import own_name
    from strata_git.integrity.gpg import Gpg

    repo = session.repository()
    wanted = key or session.settings().signing_key or repo.user_config("user.signingkey") or ""
    if not wanted:
        wanted = Gpg(None, environ=session.environ).find_key().fingerprint
    made = read_public_key(repo, wanted.removesuffix("!"), cwd=session.cwd)
    edited = init_policy(repo, session.settings(), name or own_name(repo), made, now=_now())
    _show_edited(session, edited, commit, style)


@command.command()
@click.argument("name")
@key_option
@click.option("--root", is_flag=True, help="They may change the policy too.")
@click.option(
    "--stage", "stages", multiple=True, type=click.Choice(STAGES[1:]), help="They may move models into it; repeatable."
)
@click.option("--valid-until", default="", metavar="TIME", help="When their word ends, such as 2027-01-01T00:00:00Z.")
@commit_option
@format_option
@click.pass_obj
def add(
    session: Session, name: str, key: str, root: bool, stages: tuple[str, ...], valid_until: str, commit: bool,
    style: str,
) -> None:  # fmt: skip
    """Add a person NAME, or one more key of theirs."""
    from strata_git.authoring.public_keys import read_public_key
    from strata_git.authoring.trust import add_principal

    repo = session.repository()
    made = read_public_key(repo, key, cwd=session.cwd)
    edited = add_principal(
        repo, session.settings(), name, made, now=_now(), root=root, stages=stages, valid_until=valid_until
    )
    _show_edited(session, edited, commit, style)


@command.command()
@click.argument("name")
@commit_option
@format_option
@click.pass_obj
def remove(session: Session, name: str, commit: bool, style: str) -> None:
    """Take NAME out of roots, rules and principals; what they signed before stays as it is."""
    from strata_git.authoring.trust import remove_principal

    edited = remove_principal(session.repository(), session.settings(), name, now=_now())
    _show_edited(session, edited, commit, style)


@command.command()
@click.argument("name")
@click.option("--old", required=True, metavar="KEY", help="The key that ends, as `trust show` tells it.")
@click.option(
    "--new", required=True, metavar="KEY", help="The key that follows: fingerprint, file, or SSH key as text."
)
@click.option("--reason", default="replaced", show_default=True, help="Why; written into the policy.")
@commit_option
@format_option
@click.pass_obj
def rotate(session: Session, name: str, old: str, new: str, reason: str, commit: bool, style: str) -> None:
    """Replace a key of NAME; what the old one signed until now still counts."""
    from strata_git.authoring.public_keys import read_public_key
    from strata_git.authoring.trust import rotate_key

    repo = session.repository()
    made = read_public_key(repo, new, cwd=session.cwd)
    edited = rotate_key(repo, session.settings(), name, old, made, now=_now(), reason=reason)
    _show_edited(session, edited, commit, style)


@command.command()
@click.argument("name")
@click.option("--key", default="", metavar="KEY", help="Only this key of theirs, as `trust show` tells it.")
@at_option
@reason_option
@commit_option
@format_option
@click.pass_obj
def revoke(session: Session, name: str, key: str, at: str, reason: str, commit: bool, style: str) -> None:
    """Believe nothing that NAME signs from now on, or signed since --at (a stolen key)."""
    from strata_git.authoring.trust import revoke as revoke_principal

    repo, settings = session.repository(), session.settings()
    edited = revoke_principal(repo, settings, name, now=_now(), reason=reason, key=key, at=at)
    _show_edited(session, edited, commit, style)


@command.command()
@click.option("--key", default="", help="Your signing key (default: signing.key, then git's user.signingkey).")
@commit_option
@format_option
@click.pass_obj
def sign(session: Session, key: str, commit: bool, style: str) -> None:
    """Sign the policy in the work tree as one of its roots; one that was edited by hand becomes the next version."""
    from strata_git.authoring.trust import sign_policy

    edited = sign_policy(session.repository(), session.settings(), key=key, now=_now(), terminal=_terminal())
    _show_edited(session, edited, commit, style)


@command.command()
@click.argument("policy", required=False, metavar="[sha256:DIGEST|KEY,KEY...]")
@format_option
@click.pass_obj
def pin(session: Session, policy: str | None, style: str) -> int:
    """Believe a policy from now on: one version by its digest, or the first one that all of these root keys signed.

    Without an argument nothing is pinned; what there is to pin is told. In a bare repository the pin goes into its own
    configuration (strata.trustPin), elsewhere into your git-strata/trust.yaml. CI sets STRATA_TRUST_PIN.
    """
    from strata_git.cli.trust_told import show_pinnable
    from strata_git.ledger.pins import SETTING, Pin, parse_pin, write_pin
    from strata_git.ledger.trust import HERE, collect, judge_chain

    repo, identity = session.repository(), session.settings().repository
    if not identity:
        raise StrataError("strata.yaml gives this repository no identity to pin a policy for.", hint="git strata init")
    if policy is None:
        return show_pinnable(repo, identity, style)
    try:
        wanted: Pin = parse_pin(policy)
    except ValueError as error:
        raise UsageError(f"{error}.") from None
    head = repo.head()
    chain = judge_chain(collect(repo, [*HERE, *([head] if head else [])]), repo.environ, wanted, identity)
    if chain.current is None or chain.told:
        raise StrataError(
            f"Nothing was pinned: {chain.told[0].message}.", hint="git strata trust pin   tells what is here"
        )
    if repo.worktree is None:
        repo.user_git("config", "--local", SETTING, wanted.text)
        place = f"{SETTING} of {repo.git_dir}"
    else:
        place = str(write_pin(session.environ, identity, wanted))
    current = chain.current
    if style == "json":
        out_json({"schema": "strata/pin/v1", "pin": wanted.text, "place": place, "version": current.version,
                  "digest": current.digest})  # fmt: skip
    else:
        out(f"pinned {wanted.text} in {place}")
        out(f"in force: version {current.version}, {current.digest}")
    return 0


@command.command()
@format_option
@click.pass_obj
def show(session: Session, style: str) -> int:
    """Tell who may do what, by the policy in force; and what the work tree holds that is not in force yet."""
    from strata_git.cli.trust_told import show_policy

    return show_policy(session.repository(), session.settings(), style)


@command.command()
@format_option
@click.pass_obj
def log(session: Session, style: str) -> int:
    """List the versions of the policy, newest first, and who signed each."""
    from strata_git.cli.trust_told import show_log

    return show_log(session.repository(), session.settings().repository, style)


def _show_edited(session: Session, edited: Edited, commit: bool, style: str) -> None:
    from strata_git.authoring.commit import commit_command, commit_paths
    from strata_git.authoring.trust_draft import elsewhere, policy_files

    repo, policy = session.repository(), edited.policy
    files = policy_files(repo, policy) if commit else ()
    made = commit_paths(repo, files, edited.message) if files else None
    if made is not None and made.said:
        note(made.said)
    if style == "json":
        lacking = [{"rule": short.rule_id, "message": short.message} for short in edited.lacking]
        out_json({"schema": "strata/policy-edit/v1", "version": policy.version, "digest": policy.digest,
                  "signed_by": list(edited.signed_by), "lacking": lacking,
                  "committed": made.oid if made else None})  # fmt: skip
        return
    out(f"{POLICY}: version {policy.version}, {policy.digest}")
    if edited.signed_by:
        out(table([(name,) for name in edited.signed_by], ("SIGNED BY",)))
    for short in edited.lacking:
        note(f"not in force yet: {short.message}")
    if made is not None:
        out(f"committed as {made.oid}" + ("" if made.branch else " (HEAD is detached: the commit is on no branch)"))
    note("next:")
    if edited.lacking:
        note("  git strata trust sign   (each of these roots, in turn, with the commits between)")
    if made is None:
        note(f"  {commit_command([TRUST], edited.message, directory=elsewhere(repo, session.cwd))}")
    if policy.version == 1 and not edited.lacking:
        note(f"  git strata trust pin {policy.digest}   (everybody, once, after comparing it)")


def _now() -> datetime:
    return datetime.now(UTC)


def _terminal() -> str | None:
    """Where a passphrase may be asked for: only where a person sits."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    try:
        return os.ttyname(sys.stdin.fileno())
    except OSError:
        return None
