"""`git strata init`: make a workspace, or adopt a repository as one."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from strata_git.authoring.init import Initialised, init
from strata_git.authoring.templates import SHIPPED, WORKSPACE, read_template
from strata_git.cli.output import note, out
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError

EXAMPLE_RUN, EXAMPLE_MODEL = "experiments/nearest_centroid.yaml", "iris-centroids"
"""What the template `example` goes on with: an experiment that needs no extra, and the model made from its run."""


@click.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path))
@click.option("--example", is_flag=True, help="Add example experiments.")
@click.option(
    "--template",
    "which",
    default=WORKSPACE,
    show_default=True,
    metavar="NAME|PATH",
    help=f"Begin with {', '.join(SHIPPED)}, or with the files of a folder.",
)
@click.option("--no-hooks", is_flag=True, help="Leave the hooks alone; `git strata install` adds them later.")
@click.option("--no-lfs", is_flag=True, help="Keep payload in Git itself.")
@click.option("--commit", is_flag=True, help="Commit what was written (hooks run); `example` is run to its end.")
@click.pass_obj
def command(
    session: Session, directory: Path, example: bool, which: str, no_hooks: bool, no_lfs: bool, commit: bool
) -> None:
    """Make DIRECTORY a workspace, or adopt the repository that is there.

    Files that exist are never overwritten; running it again completes what is missing.
    """
    target = session.cwd / directory
    template = read_template(which, target, session.cwd)
    if example and template.bare:
        raise UsageError("--example and --template minimal exclude each other.")
    made = init(target, session.environ, example=example, lfs=not no_lfs, template=template)
    root = made.repository.require_worktree()
    out(f"{'Made' if made.created else 'Adopted'} the repository {root}")
    for path in made.written:
        out(f"  wrote {path}")
    for line in made.settings:
        out(f"  {line}")
    if made.kept:
        out(f"  kept {len(made.kept)} existing files: {', '.join(made.kept)}")
    if not no_hooks:
        _install_hooks(made)
    _tell_lacking(made)
    if commit:
        _commit(session, made, which)
    else:
        _tell_next(made, root, session.cwd, which)


def _install_hooks(made: Initialised) -> None:
    from strata_git.hooks.install import install

    try:
        for line in install(made.repository):
            out(f"  {line}")
    except StrataError as error:  # the workspace is made all the same
        note(f"The hooks were not installed: {error.message}\n  {error.hint}")


def _tell_lacking(made: Initialised) -> None:
    for name, lines in made.lacking.items():
        note(f"\n{name} was here before and lacks these lines; add them at its end:")
        for line in lines:
            note(f"  {line}")


def _tell_next(made: Initialised, root: Path, cwd: Path, which: str) -> None:
    steps = [] if root == cwd else [f"cd {shlex.quote(str(root))}"]
    if made.written:
        added = "-A" if made.created else shlex.join(made.written)
        steps.append(f"git add {added} && git commit -m 'Make a workspace'")
    if which == "example":
        steps.append(f"git strata run {EXAMPLE_RUN} --commit")
        steps.append(f"git strata model create {EXAMPLE_MODEL} --run RUN --commit")
    else:
        steps.append("git strata dataset add DATA.csv --name NAME")
    steps.append("git strata doctor")
    examples = [path for path in made.written if path.startswith("experiments/") and path.endswith(".yaml")]
    if examples and which != "example":
        steps.append(f"git strata run {examples[0]}")
    out("\nNext:")
    for step in steps:
        out(f"  {step}")


def _commit(session: Session, made: Initialised, which: str) -> None:
    """Commit what was written, and nothing else; then, with the example, the run and the model of that commit."""
    from strata_git.authoring.commit import commit_paths

    if not made.written:
        note("Nothing was written, so nothing was committed.")
        return
    done = commit_paths(made.repository, made.written, "Make a workspace")
    out(f"committed {done.oid}  Make a workspace")
    if which == "example":
        _run_example(session, made)


def _run_example(session: Session, made: Initialised) -> None:
    from strata_git.authoring.commit import commit_paths
    from strata_git.authoring.model import create_model
    from strata_git.config import load_settings
    from strata_git.runs.catalog import TRACKING, missing_extras
    from strata_git.runs.execute import execute
    from strata_git.runs.spec import load_spec

    repo, root = made.repository, made.repository.require_worktree()
    settings = load_settings((root / "strata.yaml").read_bytes())
    spec = load_spec((root / EXAMPLE_RUN).read_bytes(), file=EXAMPLE_RUN)
    untracked = bool(missing_extras(TRACKING))
    outcome = execute(repo, settings, spec, session.environ, open_tracker=(lambda _: None) if untracked else None)
    if outcome.status != "succeeded":
        raise StrataError(
            f"The example's run {outcome.status}: {outcome.error}", hint=f"its log: {outcome.path}/logs.txt"
        )
    message = f"Run {spec.experiment}: {outcome.id}"
    out(f"committed {commit_paths(repo, [outcome.path], message).oid}  {message}")
    about = "Tells three species of iris apart by the nearest class mean."
    model = create_model(repo, settings, EXAMPLE_MODEL, outcome.id, description=about, licence="CC0-1.0")
    out(f"committed {commit_paths(repo, [model.artifact.path], model.message).oid}  {model.message}")
    if untracked:
        note("The run was recorded without MLflow: pip install 'git-strata[runs]' adds its view of later ones.")
