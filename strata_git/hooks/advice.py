"""The lines that somebody adds to a framework's configuration, or to a script, so that it calls our hooks."""

from __future__ import annotations

from strata_git.repo.hook_files import FRAMEWORK_IDS

PRE_COMMIT_FILE = ".pre-commit-config.yaml"
LEFTHOOK_FILE = "lefthook.yml"
BLOCK = ("# >>> git-strata", "# <<< git-strata")
"""Around the lines that we write into a shell script of somebody else."""

_TITLES = {
    "strata": "seal and judge",
    "strata-seal-sync": "index after `git commit PATH`",
    "strata-trailers": "artifacts in the message",
    "strata-commit-msg": "the message is true",
}
_WITH_MESSAGE = ("prepare-commit-msg", "commit-msg")


def advice(owner: str, name: str) -> tuple[str, ...]:
    """What to do so that the hook `name`, which `owner` has, reaches us: sentences and lines."""
    if owner in ("pre-commit", "prek"):
        if name == "pre-push":
            return (
                f"{owner} hands pushed references to no hook of its configuration, but calls what was there before it:",
                f"{owner} uninstall -t pre-push && git strata install --mode shim && {owner} install -t pre-push",
            )
        return (f"add to {PRE_COMMIT_FILE} (`git strata install --write-config` does it):", *pre_commit_lines(name))
    if owner == "lefthook":
        return (f"add to {LEFTHOOK_FILE} (`git strata install --write-config` does it):", *lefthook_lines(name))
    if owner == "husky":
        return (f"add to .husky/{name} (`git strata install --write-config` does it):", *shell_lines(name))
    if owner == "overcommit":
        return ("add a custom hook to .overcommit.yml that runs:", *shell_lines(name))
    return ("add to it:", *shell_lines(name))


def pre_commit_entry(name: str) -> tuple[str, ...]:
    """The item for `hooks:` of pre-commit and prek, which runs the git-strata that is on PATH."""
    identity = FRAMEWORK_IDS.get(name, f"strata-{name}")
    commits = identity == "strata"
    return (
        f"- id: {identity}-system",
        f"  name: git-strata ({_TITLES.get(identity, name)})",
        f"  entry: git-strata-hook {'pre-commit' if commits else name}",
        "  language: system",
        "  always_run: true",
        f"  pass_filenames: {'true' if name in _WITH_MESSAGE else 'false'}",
        "  require_serial: true",
        f"  stages: [{'pre-commit, pre-merge-commit' if commits else name}]",
    )


def pre_commit_lines(name: str) -> tuple[str, ...]:
    """The item for `repos:` of pre-commit and prek."""
    return ("- repo: local", "  hooks:", *(f"    {line}" for line in pre_commit_entry(name)))


def lefthook_command(name: str) -> tuple[str, ...]:
    """The item for `commands:` of a hook in lefthook's configuration."""
    words = {"pre-push": " {0}", "prepare-commit-msg": " {0}", "commit-msg": " {0}", "post-checkout": " {0}",
             "post-rewrite": " {0}", "post-merge": " {0}"}.get(name, "")  # fmt: skip
    lines = ("git-strata:", f"  run: git-strata-hook {name}{words}")
    return (*lines, "  use_stdin: true") if name == "pre-push" else lines


def lefthook_lines(name: str) -> tuple[str, ...]:
    """A hook of lefthook's configuration that calls us."""
    return (f"{name}:", "  commands:", *(f"    {line}" for line in lefthook_command(name)))


def shell_lines(name: str) -> tuple[str, ...]:
    """Lines for a POSIX shell script that is the hook `name`. git-lfs comes last: a refused push uploads nothing."""
    if name == "pre-push":
        return (
            "refs=$(cat && echo .) && refs=${refs%.}",
            'printf \'%s\' "$refs" | git-strata-hook pre-push "$@" || exit 1',
            "if git config --get filter.lfs.clean >/dev/null; then",
            '    printf \'%s\' "$refs" | git lfs pre-push "$@" || exit 1',
            "fi",
        )
    return (f'git-strata-hook {name} "$@"' + ("" if name.startswith("post-") else " || exit 1"),)
