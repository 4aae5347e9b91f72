"""`git strata prompt`: prompts as versions under contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.pipelines import configured, secrets_of, settings_options, variable
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable

if TYPE_CHECKING:
    from strata_git.authoring.prompt import RegisteredPrompt


@click.group()
def command() -> None:
    """Register prompts, and look at what they say."""


@command.command()
@click.argument("file", metavar="FILE[#vN]")
@click.option("--name", default="", help="The prompt's name (default: its id, else the file's name).")
@click.option("--description", default="", help="One sentence for people.")
@click.option("--licence", "--license", default="NOASSERTION", show_default=True, help="An SPDX identifier.")
@click.option("--commit", is_flag=True, help="Commit the version (hooks run).")
@format_option
@click.pass_obj
def register(session: Session, file: str, name: str, description: str, licence: str, commit: bool, style: str) -> None:
    """Make FILE version vN of a prompt (default: the next one). The same content again changes nothing."""
    from strata_git.authoring.commit import commit_paths
    from strata_git.authoring.prompt import register_prompt

    repo = session.repository()
    path, _, version = file.rpartition("#") if "#" in file else (file, "", "")
    place = session.cwd / path
    if not place.is_file():
        raise UsageError(f"There is no file {printable(path)}.", hint="git strata prompt register summarise.yaml#v1")
    made = register_prompt(
        repo, place.read_bytes(), file=path, version=version, name=name, description=description, licence=licence
    )
    for warning in made.warnings:
        note(f"warning: {warning}")
    if style == "json":
        out_json(_plain(made))
    else:
        out(f"{made.artifact.path}  {made.digest}")
    if not made.new:
        note(f"{made.artifact.reference} has this content already: nothing was written")
    elif commit:
        note(f"committed {commit_paths(repo, [made.artifact.path], made.message).oid}")
    else:
        note("next:")
        note(f"  {session.commit_command([made.artifact.path], made.message)}")


@command.command()
@click.argument("reference", metavar="NAME#vN")
@click.option("--set", "given", metavar="VARIABLE=TEXT", multiple=True, help="Give a variable its value.")
@click.option("--from", "files", metavar="VARIABLE=FILE", multiple=True, help="Give a variable a file's text.")
@format_option
@click.pass_obj
def render(session: Session, reference: str, given: tuple[str, ...], files: tuple[str, ...], style: str) -> None:
    """Show what a model would be asked, its variables filled in. Nobody is asked."""
    from strata_git.pipeline.prompts import open_prompt, rendered

    prompt = open_prompt(session.repository(), reference)
    values = dict(variable(text, "--set") for text in given)
    for text in files:
        name, path = variable(text, "--from")
        values[name] = _text(session, path)
    messages = rendered(prompt.body, values)
    if style == "json":
        plain = [{"role": one.role, "content": one.content} for one in messages]
        out_json({"schema": "strata/prompt-rendered/v1", "prompt": prompt.reference, "messages": plain})
        return
    for one in messages:
        if len(messages) > 1:
            out(f"[{one.role}]")
        out(one.content)


@command.command("test")
@click.argument("reference", metavar="NAME#vN")
@click.option("--inference", "name", default="default", show_default=True, help="Who answers: a name of strata.yaml.")
@settings_options
@format_option
@click.pass_obj
def try_out(
    session: Session, reference: str, name: str, overrides: tuple[str, ...], profile: str | None, style: str
) -> int:
    """Ask what the prompt's own tests say, and hold the answers against it. Exit code 2 when one does not pass."""
    from strata_git.pipeline.inferring import try_tests
    from strata_git.pipeline.prompts import open_prompt

    prompt = open_prompt(session.repository(), reference)
    root, settings = configured(session, overrides, profile)
    tried = try_tests(
        prompt, settings.pipelines, name, root=root, secrets=secrets_of(session, root, settings),
        environ=session.environ,
    )  # fmt: skip
    if style == "json":
        plain = [{"name": one.name, "passed": not one.wrong, "wrong": list(one.wrong)} for one in tried]
        out_json({"schema": "strata/prompt-tests/v1", "prompt": prompt.reference, "tests": plain})
    elif not tried:
        out(f"{prompt.reference} has no tests.")
    else:
        out(table([(one.name, "; ".join(one.wrong) or "passed") for one in tried], ("test", "verdict")))
    return 2 if any(one.wrong for one in tried) else 0


def _text(session: Session, path: str) -> str:
    try:
        return (session.cwd / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{printable(path)} could not be read: {reason}.") from None


def _plain(made: RegisteredPrompt) -> dict[str, object]:
    return {
        "schema": "strata/prompt-registered/v1",
        "reference": made.artifact.reference,
        "path": made.artifact.path,
        "digest": made.digest,
        "content_hash": made.content_hash,
        "new": made.new,
        "warnings": list(made.warnings),
    }
